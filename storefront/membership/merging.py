"""Merging: two members turn out to be one person.

Points move with their dates, orders and what hangs on them change hands, nothing is decided
again: what was paid stays, and is not paid once more. The merged member's row stays as an alias
without personal data. Refuses what would go in a circle.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import db, ids, jsontext, outbox
from core.errors import Problem, invalid_at, not_found
from loyalty import reading
from loyalty.ledger import moves
from loyalty.ledger.entries import Cause
from loyalty.ledger.rows import Holding
from loyalty.limits.storing import LIMIT_CLAIMS
from loyalty.tiers import keeping as tiers
from loyalty.tiers.models import CHANGES, ENTRIES, TIERS
from members import aliases, members
from members import occasions as kept_days
from members.activities import ACTIVITIES
from members.members import CLAIMS, CONSENTS, DIGESTS, MEMBERS, Known
from programs import versions
from rewards.surprises import handing, silences
from segments import belonging
from storefront import answers, cards, finishing, firing, standing
from storefront.activities import inactivity, occasions
from storefront.decisions import DECISIONS
from storefront.membership import member_facts, merged_rewards, signup
from storefront.membership.openings import OPENINGS
from storefront.orders import ORDERS
from storefront.plan import Plan, begin
from storefront.points.adjustments import ADJUSTMENTS
from storefront.referring import merging as referring
from storefront.tiers import advocates, levels, tier_entries

_PERSONAL = ("email", "phone", "name", "birthday_on", "locale", "card_ref")


def merge(
    connection: sa.Connection,
    program_id: bytes,
    member_ref: str,
    into_member_ref: str,
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """Merge one member into another; the one who stays, and 200. Again changes nothing."""
    old, into = _both(connection, program_id, member_ref, into_member_ref)
    live, now = versions.get_live(connection, program_id)
    if old is not None and occasions.heard(live):
        _keep_days(connection, begin(connection, live, now=now, actor=actor), old, into)
    if old is not None:
        merged_rewards.run_out(connection, begin(connection, live, now=now, actor=actor), old)
    plan = begin(connection, live, now=now, actor=actor)
    if old is None:
        plan.book.load(reading.read_holdings(connection, program_id, into.id))
        plan.settle(into.id)
    else:
        _unite(connection, plan, old, into)
        plan = begin(connection, live, now=now, actor=actor)
        _unite_referrals(connection, plan, old, into)
    row = members.get_row(connection, program_id, into.id)
    answer = {
        "member": signup.show(connection, plan, row),
        "balances": answers.balances(plan, into.id),
    }
    return answer, 200


def _both(
    connection: sa.Connection, program_id: bytes, member_ref: str, into_member_ref: str
) -> tuple[Known | None, Known]:
    """Both members, locked; no first one when they were merged before."""
    found = aliases.find(connection, program_id, member_ref)
    now_known = members.find(connection, program_id, member_ref)
    into = members.find(connection, program_id, into_member_ref)
    if found is None or now_known is None or into is None:
        raise not_found("member")
    if found.merged_into_id is not None:
        if now_known.id == into.id:
            return None, into
        raise Problem(
            409,
            "state_conflict",
            f"This member was merged into {now_known.member_ref} already; merge that one.",
            state="merged",
        )
    if into.id == found.member_id:
        named = aliases.find(connection, program_id, into_member_ref)
        if named is not None and named.member_id == into.id:
            raise invalid_at("/into_member_ref", "is the member who is to be merged")
        raise Problem(
            409,
            "state_conflict",
            f"{into_member_ref} was merged into this member already: it is the same one.",
            state="merged",
        )
    both = {found.member_id, into.id}
    everyone = both | referring.parties(connection, program_id, found.member_id, into.id)
    locked = members.lock_ids(connection, program_id, sorted(everyone))
    old, stays = locked.get(found.member_id), locked.get(into.id)
    if old is None or stays is None or old.id != found.member_id or stays.id != into.id:
        # One of them was merged by somebody else since we looked.
        raise db.Restart
    if not everyone >= referring.parties(connection, program_id, old.id, stays.id):
        raise db.Restart
    if old.is_erased or stays.is_erased:
        raise not_found("member")
    return old, stays


def _keep_days(connection: sa.Connection, plan: Plan, old: Known, into: Known) -> None:
    """Let the birthdays of both that came by happen, and write what they brought: all that is
    written of the one who goes is handed over afterwards."""
    for known in (old, into):
        plan.book.load(reading.read_holdings(connection, plan.program_id, known.id))
        plan.settle(known.id)
    occasions.settle(connection, plan, [old.id, into.id])
    finishing.write(connection, plan)


def _unite(connection: sa.Connection, plan: Plan, old: Known, into: Known) -> None:
    program_id = plan.program_id
    lots = reading.member_lots(connection, program_id, old.id)
    plan.book.load((), lots)
    for known in (old, into):
        plan.book.load(reading.read_holdings(connection, program_id, known.id))
        plan.settle(known.id)
    reads = standing.read(
        connection,
        program_id,
        [signup.item_now(plan.live, known.id, plan.now) for known in (old, into)],
    )
    stood = levels.stood(connection, plan, [old.id, into.id], reads)
    cause = Cause(
        "merge", ids.show_id(members.PREFIX, old.id), None, plan.actor, plan.now, plan.now
    )
    held = merged_rewards.held(plan, old)
    for source in plan.book.holdings(old.id):
        own = [lot for lot in lots if lot.points_key == source.points_key and not lot.is_moved]
        target = plan.book.holding(into.id, source.points_key)
        moves.move_all(plan.book, source, target, lots=own, cause=cause)
        target.has_counted = target.has_counted or source.has_counted
        source.has_counted = source.has_counted and _has_adjusted(connection, source)
        source.due_at, source.is_changed, target.is_changed = None, True, True
    _move_openings(connection, plan, old.id, into.id)
    left = handing.unite(connection, program_id, old.id, into.id)
    _move_orders(connection, program_id, old.id, into.id)
    handing.leave(connection, program_id, left, old.id, into.id)
    merged_rewards.hold_anew(plan, held, old, into)
    cards.unite(connection, plan, old.id, into.id)
    _move_person(connection, plan, old, into)
    belonging.unite(connection, program_id, old.id, into.id)
    silences.unite(connection, program_id, old.id, into.id, now=plan.now)
    place = levels.unite(connection, plan, into.id, stood, ref=cause.source_ref)
    tier_entries.follow(connection, plan)
    _complete(connection, plan, into.id)
    inactivity.follow(connection, plan, into.id)
    _tell_world(plan, old, into)
    finishing.write(connection, plan)
    if place.assured is not None:
        tiers.assure(connection, program_id, {into.id: place.assured})
    if place.manual is not None:
        tiers.give(connection, program_id, {into.id: place.manual})


def _unite_referrals(connection: sa.Connection, plan: Plan, old: Known, into: Known) -> None:
    """What they brought and were brought by becomes one's, after all else has."""
    plan.book.load(reading.read_holdings(connection, plan.program_id, into.id))
    plan.settle(into.id)
    referring.unite(connection, plan, old, into)
    advocates.reassess(connection, plan, into.id, "merge")
    finishing.write(connection, plan)


def _has_adjusted(connection: sa.Connection, holding: Holding) -> bool:
    """Whether adjustments of an account count for tiers: unlike activities they stay with it."""
    statement = sa.select(ADJUSTMENTS.c.id).where(
        ADJUSTMENTS.c.program_id == holding.program_id,
        ADJUSTMENTS.c.member_id == holding.member_id,
        ADJUSTMENTS.c.points_key == holding.points_key,
        ADJUSTMENTS.c.counts_for_tier,
    )
    return connection.execute(statement.limit(1)).first() is not None


def _complete(connection: sa.Connection, plan: Plan, member_id: bytes) -> None:
    """Complete the cards that the stamps of both fill together, as of now."""
    filled = cards.fill(connection, plan, member_id)
    if filled:
        known = members.lock_ids(connection, plan.program_id, [member_id])[member_id]
        [facts] = member_facts.before(connection, plan, [(known, plan.now)])
        firing.complete(connection, plan, member_id, filled, member_facts=facts)


def _move_openings(connection: sa.Connection, plan: Plan, old_id: bytes, into_id: bytes) -> None:
    """Move what was earned in all, and what the old member came with, so that it is not posted
    once more."""
    for source in plan.book.holdings(old_id):
        if not source.lifetime_earned:
            continue
        target = plan.book.holding(into_id, source.points_key)
        moved = source.lifetime_earned
        for holding, points in ((source, -moved), (target, moved)):
            holding.lifetime_earned += points
            _insert_opening(plan, holding.member_id, source.points_key, points, None)
    rows = connection.execute(
        sa.select(OPENINGS.c.points_key, OPENINGS.c.digest).where(
            OPENINGS.c.program_id == plan.program_id,
            OPENINGS.c.member_id == old_id,
            OPENINGS.c.digest.is_not(None),
        )
    )
    for points_key, digest in rows:
        _insert_opening(plan, into_id, points_key, 0, bytes(digest))


def _insert_opening(
    plan: Plan, member_id: bytes, points_key: str, points: int, digest: bytes | None
) -> None:
    plan.writes.insert(
        OPENINGS,
        {
            "program_id": plan.program_id,
            "id": ids.new_id(),
            "member_id": member_id,
            "points_key": points_key,
            "lifetime_earned": points,
            "digest": digest,
            "recorded_at": plan.now,
        },
    )


def _move_orders(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> None:
    """Orders with their decisions change hands. Of two first purchases the earlier one keeps the
    claim; what the other was paid for it stays."""
    firsts = connection.execute(
        sa.select(ORDERS.c.id)
        .where(
            ORDERS.c.program_id == program_id,
            ORDERS.c.member_id.in_([old_id, into_id]),
            ORDERS.c.is_first,
        )
        .order_by(ORDERS.c.placed_at, ORDERS.c.created_at, ORDERS.c.id)
    ).all()
    for row in firsts[1:]:
        connection.execute(
            sa.update(ORDERS)
            .where(ORDERS.c.program_id == program_id, ORDERS.c.id == row.id)
            .values(is_first=False)
        )
    for column in (
        ORDERS.c.member_id,
        DECISIONS.c.member_id,
        ADJUSTMENTS.c.tier_member_id,
        LIMIT_CLAIMS.c.member_id,
        ACTIVITIES.c.member_id,
        CHANGES.c.member_id,
        ENTRIES.c.member_id,
        kept_days.PAYMENTS.c.member_id,
        *merged_rewards.OWNED,
    ):
        connection.execute(
            sa.update(column.table)
            .where(column.table.c.program_id == program_id, column == old_id)
            .values({column: into_id})
        )
    connection.execute(
        sa.delete(TIERS).where(TIERS.c.program_id == program_id, TIERS.c.member_id == old_id)
    )


def _move_person(connection: sa.Connection, plan: Plan, old: Known, into: Known) -> None:
    """What is known of the person: what the one who stays lacks is taken from the other."""
    program_id = plan.program_id
    gone, kept = (members.get_row(connection, program_id, one.id) for one in (old, into))
    _update(connection, program_id, old.id, _emptied() | {"merged_into_id": into.id})
    values = _filled(gone, kept)
    if values:
        _update(connection, program_id, into.id, values)
    kept_days.unite(connection, program_id, old.id, into.id, taken=values.keys())
    _move_digests(connection, program_id, old.id, into.id)
    for table in (CLAIMS, CONSENTS):
        connection.execute(
            sa.update(table)
            .where(table.c.program_id == program_id, table.c.member_id == old.id)
            .values(member_id=into.id)
        )
    person = kept | values
    if person["is_enrolled"]:
        members.claim_signup(connection, program_id, person, now=plan.now)


def _emptied() -> dict[str, Any]:
    return dict.fromkeys(_PERSONAL) | {"contact_verified": "[]", "attributes": "{}"}


def _filled(gone: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """What changes of the member who stays."""
    values = {name: gone[name] for name in _PERSONAL if kept[name] is None and gone[name]}
    verified = set(jsontext.parse(kept["contact_verified"]))
    verified |= {kind for kind in jsontext.parse(gone["contact_verified"]) if kind in values}
    attributes = jsontext.parse(gone["attributes"]) | jsontext.parse(kept["attributes"])
    values |= {
        "contact_verified": jsontext.text(sorted(verified)),
        "attributes": jsontext.text(attributes),
        "is_enrolled": bool(kept["is_enrolled"] or gone["is_enrolled"]),
        "joined_at": min(kept["joined_at"], gone["joined_at"]),
        "told_at": gone["told_at"] if kept["told_at"] is None else kept["told_at"],
    }
    return {name: value for name, value in values.items() if kept[name] != value}


def _update(
    connection: sa.Connection, program_id: bytes, member_id: bytes, values: Mapping[str, Any]
) -> None:
    connection.execute(
        sa.update(MEMBERS)
        .where(MEMBERS.c.program_id == program_id, MEMBERS.c.id == member_id)
        .values(**values)
    )


def _move_digests(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> None:
    """Whoever searches by a contact of either finds the one who stays."""
    where = sa.and_(DIGESTS.c.program_id == program_id, DIGESTS.c.member_id.in_([old_id, into_id]))
    rows = connection.execute(
        sa.select(DIGESTS.c.kind, DIGESTS.c.digest, DIGESTS.c.member_id).where(where)
    ).all()
    had = {(row.kind, bytes(row.digest)) for row in rows if bytes(row.member_id) == into_id}
    moved = {(row.kind, bytes(row.digest)) for row in rows} - had
    connection.execute(sa.delete(DIGESTS).where(where, DIGESTS.c.member_id == old_id))
    if moved:
        connection.execute(
            sa.insert(DIGESTS),
            [
                {"program_id": program_id, "kind": kind, "digest": value, "member_id": into_id}
                for kind, value in sorted(moved)
            ],
        )


def _tell_world(plan: Plan, old: Known, into: Known) -> None:
    outbox.add(
        plan.writes,
        plan.program_id,
        type="member.merged",
        payload={"member_ref": old.member_ref, "into_member_ref": into.member_ref},
        now=plan.now,
        member_id=into.id,
    )

"""Signup: a storefront tells a member; signup effects are paid once per person and program."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext, outbox
from core.errors import FieldError, invalid, invalid_at
from core.writing import Writes
from loyalty import reading
from loyalty.tiers import moving
from loyalty.tiers.showing import View
from loyalty.tiers.standing import NOWHERE
from members import contacts, erasing, members
from members import occasions as kept_days
from members.members import Known
from programs import versions
from programs.compiled import Compiled
from rules.outcomes import Reason
from storefront import answers, decide, finishing, firing, standing
from storefront.activities import occasions
from storefront.firing import Fired, Source
from storefront.granting import entitlements, showing
from storefront.plan import Plan, begin
from storefront.referring.attribution import signups
from storefront.referring.review import tracing
from storefront.surprising import chances, drawing
from storefront.telling import FUTURE, ahead
from storefront.tiers import places, tier_entries


def put(
    program_id: bytes, member_ref: str, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Tell one member; the answer and 201 when they were new, 200 otherwise."""
    return db.in_transaction(
        lambda connection: tell(connection, program_id, member_ref, body, actor=actor)
    )


def tell(
    connection: sa.Connection,
    program_id: bytes,
    member_ref: str,
    body: Mapping[str, Any],
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """The unit of `put`."""
    locked = signups.lock(connection, program_id, member_ref, body)
    known = locked.known
    live, now = versions.get_live(connection, program_id)
    locked.check(connection, live)
    check(body, now)
    plan = begin(connection, live, now=now, actor=actor)
    fired = None
    if known is None:
        row, fired = _create(connection, plan, member_ref, body)
    else:
        row = update(connection, plan, known, body)
        plan.book.load(reading.read_holdings(connection, program_id, known.id))
        plan.settle(known.id)
    if body.get("consents"):
        members.append_consents(connection, program_id, row["id"], body["consents"], now=now)
    # Seen as it is told, however long ago they joined.
    tracing.note(connection, plan, row["id"], body.get("visitor"), at=now)
    referred = signups.follow(connection, plan, row, body, locked=locked)
    note_told(connection, plan, row)
    drawing.follow(connection, plan)
    if known is not None and live.surprises.of("signup"):
        # Told again, it answers what stands of what signing up brought: that goes by the member.
        drawing.rows_of(connection, plan, known.id)
    every = [fired, *signups.paid(plan, row["id"])]
    answer = {
        "member": show(connection, plan, row),
        **firing.brought(plan, [one for one in every if one is not None]),
        "balances": answers.balances(plan, row["id"]),
        "referral": referred.answer,
        "surprises": chances.shown(plan, row["id"]),
        "problems": [*referred.problems, *showing.problems(plan, row["id"])],
    }
    finishing.write(connection, plan)
    return answer, 201 if known is None else 200


def check(body: Mapping[str, Any], now: clock.Instant) -> None:
    """422 for instants ahead of the clock and for contacts that are none."""
    errors = []
    if body.get("joined_at", 0) > now + FUTURE:
        errors.append(ahead("/joined_at", now))
    for index, consent in enumerate(body.get("consents") or ()):
        if consent["at"] > now + FUTURE:
            errors.append(ahead(f"/consents/{index}/at", now))
    for kind in ("email", "phone"):
        text = body.get(kind)
        if text and contacts.canonical(kind, text) is None:
            what = "an e-mail address" if kind == "email" else "a telephone number"
            errors.append(FieldError(f"/{kind}", "invalid", f"is not {what}"))
    if errors:
        raise invalid(errors)


def check_ref(member_ref: str) -> None:
    """422 for a reference that nobody can be created under."""
    if ids.read_id(members.PREFIX, member_ref) is not None:
        raise invalid_at(
            "/member_ref", "looks like one of our own ids; create members under your reference"
        )


def _create(
    connection: sa.Connection, plan: Plan, member_ref: str, body: Mapping[str, Any]
) -> tuple[dict[str, Any], Fired | None]:
    check_ref(member_ref)
    program_id, now = plan.program_id, plan.now
    joined_at = min(body.get("joined_at", now), now)
    row = members.insert(plan.writes, program_id, member_ref, body, joined_at=joined_at, now=now)
    # The member first: contacts and points refer to the row.
    plan.writes.run(connection)
    plan.writes = Writes()
    members.replace_digests(connection, program_id, row["id"], row)
    outbox.add(
        plan.writes,
        program_id,
        type="member.created",
        payload={"member_ref": member_ref},
        now=now,
        member_id=row["id"],
    )
    fired = None
    is_new = bool(row["is_enrolled"]) and members.claim_signup(connection, program_id, row, now=now)
    if plan.live.hears("signup"):
        # Somebody of this reference was erased: they had their welcome under it.
        is_new = is_new and not erasing.is_remembered(connection, program_id, member_ref, now=now)
        fired = _pay_signup(connection, plan, row, is_new=is_new)
    if moving.base(plan.live.ladder) is not None:
        # A level that everybody stands on is entered with joining.
        places.reassess(connection, plan, [row["id"]])
        tier_entries.follow(connection, plan)
    return row, fired


def _pay_signup(
    connection: sa.Connection, plan: Plan, row: Mapping[str, Any], *, is_new: bool
) -> Fired:
    live, now = plan.live, plan.now
    reason: Reason | None = None if is_new else "already_paid"
    # Our own id: entries are for ever, and the storefront's reference ends with an erasure.
    source = Source("signup", ids.show_id(members.PREFIX, row["id"]), row["id"], now)
    return firing.fire(
        connection,
        plan,
        row["id"],
        source,
        trigger="signup",
        program=live,
        member_facts=_newcomer(live, row, at=now),
        own_facts={},
        reason=reason if row["is_enrolled"] else "no_member",
    )


def _newcomer(live: Compiled, row: Mapping[str, Any], *, at: int) -> dict[str, Any]:
    """Who somebody is who has just been told of, and that they have no past: nothing is read."""
    known = Known(
        id=row["id"],
        member_ref=row["member_ref"],
        is_enrolled=bool(row["is_enrolled"]),
        joined_at=row["joined_at"],
        locale=row["locale"],
        attributes=jsontext.parse(row["attributes"]),
    )
    sums = standing.Sums(placed=[])
    return decide.facts_of(live, known, sums, at=at, stood=NOWHERE, balance=0)


def update(
    connection: sa.Connection, plan: Plan, known: Known, body: Mapping[str, Any]
) -> dict[str, Any]:
    """Set what was given of a member who is known; the row as it is then."""
    row = members.get_row(connection, plan.program_id, known.id)
    values = members.columns(body)
    if "joined_at" in values:
        values["joined_at"] = min(values["joined_at"], plan.now)
    changed = {name: value for name, value in values.items() if row[name] != value}
    if changed:
        days = _days(row, changed)
        if days:
            # What came by now is kept by the date that was told before.
            plan.book.load(reading.read_holdings(connection, plan.program_id, known.id))
            plan.settle(known.id)
            occasions.settle(connection, plan, [known.id])
        row |= changed
        for kind in days:
            kept_days.retell(connection, row, kind, now=plan.now)
        connection.execute(
            sa.update(members.MEMBERS)
            .where(
                members.MEMBERS.c.program_id == plan.program_id, members.MEMBERS.c.id == known.id
            )
            .values(**changed)
        )
        if changed.keys() & {"email", "phone", "card_ref"}:
            members.replace_digests(connection, plan.program_id, known.id, row)
            if row["is_enrolled"]:
                # Whoever signed up without this contact has had the signup effects with it.
                members.claim_signup(connection, plan.program_id, row, now=plan.now)
    return row


def note_told(connection: sa.Connection, plan: Plan, row: dict[str, Any]) -> None:
    """Note that a storefront told of a member themselves, if it is the first time: whom an order
    enrolled nobody told of yet."""
    if row["told_at"] is not None:
        return
    row["told_at"] = plan.now
    connection.execute(
        sa.update(members.MEMBERS)
        .where(members.MEMBERS.c.program_id == plan.program_id, members.MEMBERS.c.id == row["id"])
        .values(told_at=plan.now)
    )


def _days(row: Mapping[str, Any], changed: Mapping[str, Any]) -> list[kept_days.Kind]:
    """Which occasions come on another day of the year from now on."""
    found: list[kept_days.Kind] = []
    if "birthday_on" in changed:
        before, after = row["birthday_on"], changed["birthday_on"]
        if not kept_days.is_same_day(before, after):
            found.append("birthday")
    if "joined_at" in changed:
        found.append("anniversary")
    return found


def show(connection: sa.Connection, plan: Plan, row: Mapping[str, Any]) -> dict[str, Any]:
    """A member with consents, tier and entitlements as of the program's clock."""
    member_id = bytes(row["id"])
    consents = members.list_consents(connection, plan.program_id, member_id)
    seen = seen_now(connection, plan, member_id)
    shown = answers.member(plan.live, row, consents, seen)
    shown["entitlements"] += entitlements.of(connection, plan, member_id)
    return shown


def seen_now(connection: sa.Connection, plan: Plan, member_id: bytes) -> View:
    """The level a member stands on as of the clock."""
    items = [item_now(plan.live, member_id, plan.now)]
    [read] = standing.read(connection, plan.program_id, items)
    return places.view(connection, plan, member_id, read)


def item_now(live: Compiled, member_id: bytes, now: clock.Instant) -> standing.Item:
    """What to read for a member's standing as of the clock."""
    start = live.ladder.window_from(now, live.zone)
    return standing.Item(member_id, "\x01", now, start, start, start)

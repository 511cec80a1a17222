"""Orders: a storefront tells how an order looks now, and points follow.

Read under the member's lock, decide purely, write once. Telling the same again changes nothing;
telling it late, twice or out of order ends in the state of the newest snapshot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext, outbox
from core.errors import FieldError, Problem, invalid
from loyalty import ledger, tiers
from loyalty.ledger import Book, Cause
from loyalty.tiers import Contribution
from members import members
from members.members import Known
from orders import figures
from orders.models import Order
from orders.schemas import NOT_STORED
from programs import versions
from programs.compiled import Compiled
from programs.models import Decision
from storefront import answers, decide, standing
from storefront.decide import Decided, Pinned
from storefront.plan import Plan
from storefront.standing import Item, Read, StoredOrder

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
DECISIONS: sa.Table = Decision.__table__  # type: ignore[assignment]
YEAR = clock.Duration(months=12)
_FUTURE = 5 * 60 * clock.SECOND
_BEGINNING = -(2**62)

_lock_order = db.Statement(
    sa.select(Order.member_id)
    .where(
        Order.program_id == sa.bindparam("program_id"),
        Order.order_ref == sa.bindparam("order_ref"),
    )
    .with_for_update(key_share=True)
)


@dataclass(slots=True)
class Telling:
    """One order being told: what was sent, and what is known of it so far."""

    order_ref: str
    body: Mapping[str, Any]
    member: Known | None = None
    item: Item | None = None
    #: Set when the stored order turned out to belong to somebody else, or to nobody.
    is_careful: bool = False
    owner_id: bytes | None = None

    @property
    def member_ref(self) -> str | None:
        """Whose order the storefront says it is."""
        ref: str | None = self.body.get("member_ref")
        return ref


def put(
    program_id: bytes, order_ref: str, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Tell one order; the answer and 201 when it was new, 200 otherwise."""
    telling = Telling(order_ref, body)
    return db.in_transaction(lambda connection: _unit(connection, program_id, telling, actor))


def _unit(
    connection: sa.Connection, program_id: bytes, telling: Telling, actor: str | None
) -> tuple[dict[str, Any], int]:
    live = versions.expected(connection, program_id)
    figures.check(telling.body, currency=live.currency)
    old_owner = _lock(connection, program_id, live, telling)
    now, read = _read(connection, program_id, live, telling)
    check_times(telling.body, now)
    _check_owner(telling, read)
    plan = Plan(program_id, live, now, actor, Book(program_id))
    plan.book.load(read.holdings)
    if read.stored is not None:
        load_lots(connection, plan, read.stored)
        if old_owner is not None:
            plan.book.load(ledger.read_holdings(connection, program_id, old_owner.id))
    answer, status = decide_and_plan(connection, plan, telling, read)
    plan.book.write(plan.writes)
    plan.writes.run(connection)
    return answer, status


def _read(
    connection: sa.Connection, program_id: bytes, live: Compiled, telling: Telling
) -> tuple[clock.Instant, Read]:
    """The standing, read with the windows of the live version and by the program's clock."""
    now = clock.system_now()
    telling.item = item_of(telling, live, now)
    [read] = standing.read(connection, program_id, [telling.item])
    if read.live_version != live.version:
        versions.expect(connection, program_id, read.live_version)
        raise db.Restart
    if read.clock_at is not None:
        now = clock.Instant(read.clock_at)
        telling.item = item_of(telling, live, now)
        [read] = standing.read(connection, program_id, [telling.item])
    return now, read


def check_times(body: Mapping[str, Any], now: clock.Instant) -> None:
    """422 for instants more than 5 minutes ahead of the program's clock."""
    errors = [
        FieldError(f"/{name}", "invalid", "is more than 5 minutes in the future")
        for name in ("placed_at", "paid_at", "fulfilled_at", "cancelled_at")
        if (body.get(name) or 0) > now + _FUTURE
    ]
    if errors:
        raise invalid(errors)


def _lock(
    connection: sa.Connection,
    program_id: bytes,
    live: Compiled,
    telling: Telling,
) -> Known | None:
    """Lock the order's member; returns the member it had before, when that is another one."""
    ref = telling.member_ref
    if not telling.is_careful:
        if ref is not None:
            telling.member = members.find(connection, program_id, ref, is_locking=True)
            if telling.member is None:
                telling.member = enrol(connection, live, ref, telling.body["placed_at"])
        return None
    wanted = {telling.owner_id} if telling.owner_id else set()
    named = None
    if ref is not None:
        named = members.find(connection, program_id, ref) or enrol(
            connection, live, ref, telling.body["placed_at"]
        )
        wanted.add(named.id)
    locked = members.lock_ids(connection, program_id, sorted(wanted)) if wanted else {}
    row = _lock_order.first(connection, {"program_id": program_id, "order_ref": telling.order_ref})
    owner_id = bytes(row[0]) if row is not None and row[0] is not None else None
    if owner_id != telling.owner_id:
        telling.owner_id = owner_id
        raise db.Restart
    owner = locked[owner_id] if owner_id is not None else None
    # An order keeps its member when a snapshot names none.
    telling.member = locked[named.id] if named is not None else owner
    is_other = owner is not None and telling.member is not None and owner.id != telling.member.id
    return owner if is_other else None


def enrol(connection: sa.Connection, live: Compiled, ref: str, placed_at: int) -> Known:
    """A member not seen before: enrolled when the program says so, otherwise 422.

    Joined with the order: signup effects belong to a signup and are not paid here.
    """
    if not live.auto_enrol or ids.read_id(members.PREFIX, ref) is not None:
        raise Problem(
            422,
            "validation_failed",
            "/member_ref: this member is not known; PUT the member first, or let the program "
            "enrol with members.auto_enrol.",
            errors=[FieldError("/member_ref", "unknown_member", "no member has this reference")],
        )
    program_id = live.program_id
    _, now = versions.get_live(connection, program_id)
    joined_at = min(placed_at, now)
    plan = Plan(program_id, live, now, None, Book(program_id))
    row = members.insert(plan.writes, program_id, ref, {}, joined_at=joined_at, now=now)
    outbox.add(
        plan.writes,
        program_id,
        type="member.created",
        payload={"member_ref": ref},
        now=now,
        member_id=row["id"],
    )
    plan.writes.run(connection)
    return Known(row["id"], ref, is_enrolled=True, joined_at=joined_at, locale=None, attributes={})


def item_of(telling: Telling, live: Compiled, now: clock.Instant) -> Item:
    """What to read for an order: sums as of its instant, over the windows before it."""
    at = min(telling.body["placed_at"], now)
    window = live.ladder.window
    return Item(
        member_id=telling.member.id if telling.member else None,
        order_ref=telling.order_ref,
        at=at,
        year_from=clock.before(at, YEAR, live.zone),
        window_from=_BEGINNING if window is None else clock.before(at, window, live.zone),
        now_from=_BEGINNING if window is None else clock.before(now, window, live.zone),
    )


def _check_owner(telling: Telling, read: Read) -> None:
    stored = read.stored
    if stored is None or telling.is_careful:
        return
    if telling.member is None or stored.member_id != telling.member.id:
        telling.is_careful, telling.owner_id = True, stored.member_id
        raise db.Restart


def load_lots(connection: sa.Connection, plan: Plan, stored: StoredOrder) -> None:
    """Take up the lots that a stored order made."""
    if stored.decision_id is not None:
        plan.book.load((), ledger.read_lots(connection, plan.program_id, stored.id))


def decide_and_plan(
    connection: sa.Connection, plan: Plan, telling: Telling, read: Read
) -> tuple[dict[str, Any], int]:
    """Decide one order and add what follows to the plan; the answer and its status."""
    stored, body = read.stored, telling.body
    assert telling.item is not None
    plan.adjust(read.sums, telling.item)
    if _is_stale(stored, body):
        assert stored is not None
        return answers.stored_order(connection, plan, telling, read, is_stale=True), 200
    snapshot = _snapshot(body)
    if stored is not None and stored.snapshot == snapshot and _same_member(stored, telling):
        return answers.stored_order(connection, plan, telling, read, is_stale=False), 200
    decided = _decide(connection, plan, telling, read)
    order_id = ids.new_id() if stored is None else stored.id
    decision_id = ids.new_id()
    placed_at = _placed_at(stored, telling)
    made = _move_points(plan, telling, stored, decided, order_id=order_id, decision_id=decision_id)
    row = _order_row(
        plan, telling, stored, decided, order_id=order_id, snapshot=snapshot, placed_at=placed_at
    )
    change = _move_tiers(connection, plan, telling, read, row)
    if decided is None:
        row["decision_id"] = None
    elif _is_news(stored, telling, row, made):
        _write_decision(plan, telling, decided, decision_id)
        row["decision_id"] = decision_id
    (plan.writes.insert if stored is None else plan.writes.replace)(ORDERS, row)
    _tell_world(plan, telling, made, change)
    answer = answers.order(plan, telling, read, row=row, decided=decided, made=made, change=change)
    return answer, 201 if stored is None else 200


def _is_stale(stored: StoredOrder | None, body: Mapping[str, Any]) -> bool:
    revision = body.get("revision")
    return (
        stored is not None
        and revision is not None
        and stored.revision is not None
        and revision < stored.revision
    )


def _same_member(stored: StoredOrder, telling: Telling) -> bool:
    return stored.member_id == (telling.member.id if telling.member else None)


def _snapshot(body: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in body.items() if name not in NOT_STORED}
    return jsontext.sorted_text(kept)


def _placed_at(stored: StoredOrder | None, telling: Telling) -> int:
    """When the order was placed: a time ahead of the clock is taken as the clock, once."""
    assert telling.item is not None
    if stored is not None:
        before = jsontext.parse(stored.snapshot)["placed_at"]
        if before == telling.body["placed_at"]:
            return stored.placed_at
    return telling.item.at


def pinned_of(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> Pinned:
    """What the order's first decision for this member pinned, or what it pins now."""
    stored, member, item = read.stored, telling.member, telling.item
    assert member is not None and item is not None
    if stored is not None and stored.facts is not None and stored.member_id == member.id:
        assert stored.version is not None
        facts = jsontext.parse(stored.facts)
        program = versions.get_compiled(connection, plan.program_id, stored.version)
        tier = facts["tier"]
        return Pinned(program, facts["member"], tier["key"], tier["metric_before"])
    ladder = plan.live.ladder
    level = None
    if ladder.levels:
        if read.sums.later_count:
            before = [
                one
                for one in plan.contributions(connection, member.id, without=telling.order_ref)
                if one.at <= item.at
            ]
            level = tiers.replay(ladder, before, plan.live.zone, at=item.at).level
        else:
            held = level_held(plan, member.id, read)
            level = tiers.assess(ladder, held.level, read.sums.metric(ladder.metric))
    return decide.pin(
        plan.live,
        member,
        read.sums,
        at=item.at,
        level_key=level.key if level else None,
        balance=plan.book.holding(member.id, plan.live.points[0].key).available,
    )


def level_held(plan: Plan, member_id: bytes, read: Read) -> tiers.Standing:
    """The level the member stands on as this unit leaves it."""
    known = plan.levels.get(member_id)
    if known is not None:
        return known
    return tiers.Standing(plan.live.ladder.find(read.level_key), read.level_since or 0)


def _decide(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> Decided | None:
    if telling.member is None:
        return None
    stored = read.stored
    pinned = pinned_of(connection, plan, telling, read)
    order = decide.figure(pinned.program, telling.body)
    stands = decide.is_standing(telling.body["status"], order)
    return decide.decide_order(
        pinned,
        telling.body,
        order=order,
        stands=stands,
        is_first=stands and takes_first(plan, telling, read),
        is_history=_is_history(stored, telling.body),
    )


def takes_first(plan: Plan, telling: Telling, read: Read) -> bool:
    """Whether the order holds or can take the first-purchase claim.

    Kept while it stands; one that did not stand takes it if it is free. One that stands without
    it does not take it later.
    """
    stored = read.stored
    assert telling.member is not None
    if stored is not None and stored.stands and stored.member_id == telling.member.id:
        return stored.is_first
    return plan.first_ref(telling.member.id, read.first_ref) in (None, telling.order_ref)


def _is_history(stored: StoredOrder | None, body: Mapping[str, Any]) -> bool:
    return stored.is_history if stored is not None else bool(body["is_history"])


def _move_points(
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    decided: Decided | None,
    *,
    order_id: bytes,
    decision_id: bytes,
) -> list[dict[str, Any]]:
    body = telling.body
    earned_at = min(body.get("paid_at") or body["placed_at"], plan.now)
    reversal_at = plan.now
    if body["status"] == "cancelled" and body.get("cancelled_at"):
        reversal_at = clock.Instant(min(body["cancelled_at"], plan.now))
    cause = Cause("order", telling.order_ref, decision_id, plan.actor, earned_at, plan.now)
    made: list[dict[str, Any]] = []
    if stored is not None and stored.member_id is not None and not _same_member(stored, telling):
        undo = Cause("order", telling.order_ref, stored.decision_id, plan.actor, plan.now, plan.now)
        for key in plan.book.awarded_keys(order_id, stored.member_id):
            made += plan.book.bring_to(
                0,
                source_id=order_id,
                member_id=stored.member_id,
                points_key=key,
                cause=undo,
                reversal_at=plan.now,
            )
    if decided is None or telling.member is None:
        return made
    deserved = {one.points_key: one.points for one in decided.earning.earned}
    keys = [*deserved, *plan.book.awarded_keys(order_id, telling.member.id)]
    for key in dict.fromkeys(keys):
        made += plan.book.bring_to(
            deserved.get(key, 0),
            source_id=order_id,
            member_id=telling.member.id,
            points_key=key,
            cause=cause,
            reversal_at=reversal_at,
        )
    return made


def _order_row(
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    decided: Decided | None,
    *,
    order_id: bytes,
    snapshot: str,
    placed_at: int,
) -> dict[str, Any]:
    order = decided.figures if decided else decide.figure(plan.live, telling.body)
    body = telling.body
    revision = body.get("revision")
    if revision is None and stored is not None:
        revision = stored.revision
    return {
        "program_id": plan.program_id,
        "id": order_id,
        "order_ref": telling.order_ref,
        "member_id": telling.member.id if telling.member else None,
        "status": body["status"],
        "revision": revision,
        "placed_at": placed_at,
        "snapshot": snapshot,
        "net_minor": 0 if body["status"] == "cancelled" else order.net_minor,
        "refunded_minor": order.refunded_minor,
        "spend_minor": decided.spend_minor if decided else 0,
        "qualifying_points": decided.qualifying_points if decided else 0,
        "stands": decided.stands if decided else decide.is_standing(body["status"], order),
        "is_first": decided.is_first if decided else False,
        "is_history": _is_history(stored, body),
        "decision_id": stored.decision_id if stored else None,
        "created_at": stored.created_at if stored else plan.now,
        "updated_at": plan.now,
    }


def _move_tiers(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    read: Read,
    row: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Record what the order adds now and move levels; returns the member's change of level."""
    stored = read.stored
    old = None
    if stored is not None and stored.stands:
        old = Contribution(stored.placed_at, stored.spend_minor, stored.qualifying_points)
    if stored is not None and stored.member_id is not None and not _same_member(stored, telling):
        plan.record(stored.member_id, telling.order_ref, old, None)
        if stored.is_first:
            plan.first_refs[stored.member_id] = None
        _replay_level(connection, plan, stored.member_id, None)
        old = None
    if telling.member is None:
        return None
    new = None
    if row["stands"]:
        new = Contribution(row["placed_at"], row["spend_minor"], row["qualifying_points"])
    member_id = telling.member.id
    if row["is_first"]:
        plan.first_refs[member_id] = telling.order_ref
    elif plan.first_ref(member_id, read.first_ref) == telling.order_ref:
        plan.first_refs[member_id] = None
    if old == new:
        return None
    plan.record(member_id, telling.order_ref, old, new)
    if old is None and new is not None and not read.sums.later_count:
        change = moved_level(plan, member_id, read, new)
        if change is not None:
            tiers.keep(plan.writes, plan.program_id, member_id, plan.levels[member_id])
        return change
    held = level_held(plan, member_id, read)
    after = _replay_level(connection, plan, member_id, held)
    return tiers.change(held.level, after.level)


def moved_level(
    plan: Plan, member_id: bytes, read: Read, new: Contribution
) -> dict[str, Any] | None:
    """Move the member's level in the plan by the newest order; returns the change."""
    ladder = plan.live.ladder
    held = level_held(plan, member_id, read)
    value = read.sums.metric(ladder.metric)
    level = tiers.assess(ladder, held.level, value)
    level = tiers.assess(ladder, level, value + new.value(ladder.metric))
    if level == held.level:
        return None
    plan.levels[member_id] = tiers.Standing(level, new.at)
    return tiers.change(held.level, level)


def _replay_level(
    connection: sa.Connection, plan: Plan, member_id: bytes, held: tiers.Standing | None
) -> tiers.Standing:
    if not plan.live.ladder.levels:
        return tiers.Standing(None, 0)
    contributions = plan.contributions(connection, member_id)
    after = tiers.Standing(None, 0)
    if contributions:
        after = tiers.replay(
            plan.live.ladder, contributions, plan.live.zone, at=contributions[-1].at
        )
    if held is None or after != held:
        plan.levels[member_id] = after
        tiers.keep(plan.writes, plan.program_id, member_id, after)
    return after


def _is_news(
    stored: StoredOrder | None, telling: Telling, row: Mapping[str, Any], made: list[Any]
) -> bool:
    """Whether a decision must be written: the first one, or one that changed what stands."""
    if stored is None or stored.decision_id is None or not _same_member(stored, telling) or made:
        return True
    return any(
        getattr(stored, name) != row[name]
        for name in ("stands", "spend_minor", "qualifying_points", "is_first", "net_minor")
    )


def _write_decision(plan: Plan, telling: Telling, decided: Decided, decision_id: bytes) -> None:
    assert telling.item is not None and telling.member is not None
    facts = {
        "member": decided.pinned.facts,
        "tier": {"key": decided.pinned.level_key, "metric_before": decided.pinned.metric_before},
        "order": decided.order_facts,
        "lines": [
            [line.line_ref, line.left_quantity, line.left_minor, line.earning_minor]
            for line in decided.figures.lines
        ],
        "shipping_earning_minor": decided.figures.shipping_earning_minor,
    }
    plan.writes.insert(
        DECISIONS,
        {
            "program_id": plan.program_id,
            "id": decision_id,
            "source_type": "order",
            "source_ref": telling.order_ref,
            "member_id": telling.member.id,
            "version": decided.pinned.program.version,
            "facts": jsontext.text(facts),
            "outcomes": jsontext.text(answers.decision_outcomes(decided.earning)),
            "effective_at": telling.item.at,
            "recorded_at": plan.now,
        },
    )


def _tell_world(
    plan: Plan, telling: Telling, made: list[dict[str, Any]], change: dict[str, Any] | None
) -> None:
    if _is_quiet(telling):
        return
    for entry in made:
        outbox.add(
            plan.writes,
            plan.program_id,
            type="points.reversed" if entry["kind"] == "claw_back" else "points.earned",
            payload={
                "order_ref": telling.order_ref,
                "points_key": entry["points_key"],
                "points": entry["points"],
                "entry_id": ids.show_id("ent", entry["id"]),
            },
            now=plan.now,
            member_id=entry["member_id"],
        )
    if change is not None and telling.member is not None:
        outbox.add(
            plan.writes,
            plan.program_id,
            type="tier.changed",
            payload={"order_ref": telling.order_ref, **change},
            now=plan.now,
            member_id=telling.member.id,
        )


def _is_quiet(telling: Telling) -> bool:
    return bool(telling.body["is_history"])

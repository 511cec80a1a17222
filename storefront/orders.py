"""Orders: a storefront tells how an order looks now, and points follow.

Read under the member's lock, decide purely, write once. Telling the same again changes nothing;
telling it late, twice or out of order ends in the state of the newest snapshot.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext, outbox
from loyalty import reading
from loyalty.ledger import Book, Cause
from orders import figures
from orders.models import Order
from orders.schemas import NOT_STORED
from programs import versions
from storefront import answers, decide, decisions, levels
from storefront import telling as tellings
from storefront.decide import Decided, Pinned
from storefront.plan import Plan
from storefront.standing import Read, StoredOrder
from storefront.telling import Telling, is_same_member

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]


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
    old_owner = tellings.lock(connection, program_id, live, telling)
    now, read = tellings.read(connection, program_id, live, telling)
    tellings.check_times(telling.body, now)
    tellings.check_owner(telling, read)
    plan = Plan(program_id, live, now, actor, Book(program_id))
    plan.book.load(read.holdings)
    if read.stored is not None and read.stored.decision_id is not None:
        plan.book.load((), reading.read_lots(connection, program_id, [read.stored.id]))
    if old_owner is not None:
        plan.book.load(reading.read_holdings(connection, program_id, old_owner.id))
    answer, status = decide_and_plan(connection, plan, telling, read)
    plan.book.write(plan.writes)
    plan.writes.run(connection)
    return answer, status


def decide_and_plan(
    connection: sa.Connection, plan: Plan, telling: Telling, read: Read
) -> tuple[dict[str, Any], int]:
    """Decide one order and add what follows to the plan; the answer and its status."""
    stored = read.stored
    assert telling.item is not None
    plan.adjust(read.sums, telling.item)
    if stored is not None and tellings.is_stale(telling.body, stored.revision):
        if is_same_member(stored, telling):
            return answers.stored_order(connection, plan, telling, read, is_stale=True), 200
        # The newer snapshot named nobody; whose order it is, is still news.
        telling.body = jsontext.parse(stored.snapshot) | {"member_ref": telling.member_ref}
    snapshot = _snapshot(telling.body)
    if stored is not None and stored.snapshot == snapshot and is_same_member(stored, telling):
        return answers.stored_order(connection, plan, telling, read, is_stale=False), 200
    decided = _decide(connection, plan, telling, read)
    decision_id = ids.new_id()
    row = _order_row(plan, telling, stored, decided, snapshot=snapshot)
    made = _move_points(plan, telling, stored, decided, row=row, decision_id=decision_id)
    change = levels.move(connection, plan, telling, read, row)
    if decided is None:
        row["decision_id"] = None
    elif made or _is_news(stored, telling, row, decided):
        _write_decision(plan, telling, decided, decision_id)
        row["decision_id"] = decision_id
    (plan.writes.insert if stored is None else plan.writes.replace)(ORDERS, row)
    _tell_world(plan, telling, row, made, change)
    answer = answers.order(plan, telling, read, row=row, decided=decided, made=made, change=change)
    return answer, 201 if stored is None else 200


def _snapshot(body: Mapping[str, Any]) -> str:
    return jsontext.sorted_text({k: v for k, v in body.items() if k not in NOT_STORED})


def pinned_of(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> Pinned:
    """What the order's first decision for this member pinned, or what it pins now."""
    stored, member, item = read.stored, telling.member, telling.item
    assert member is not None and item is not None
    if stored is not None and stored.facts is not None and stored.member_id == member.id:
        return decisions.pinned_before(connection, plan.program_id, stored)
    level = levels.before(connection, plan, telling, read)
    return decide.pin(
        plan.live,
        member,
        read.sums,
        at=item.at,
        level_key=level.key if level else None,
        balance=plan.book.holding(member.id, plan.live.points[0].key).available,
    )


def _decide(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> Decided | None:
    if telling.member is None:
        return None
    pinned = pinned_of(connection, plan, telling, read)
    order = decide.figure(pinned.program, telling.body)
    stands = decide.is_standing(telling.body["status"], order)
    return decide.decide_order(
        pinned,
        telling.body,
        order=order,
        stands=stands,
        is_first=stands and takes_first(plan, telling, read),
        is_history=_is_history(read.stored, telling.body),
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
    """Fixed at first sight."""
    return stored.is_history if stored is not None else bool(body["is_history"])


def _order_row(
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    decided: Decided | None,
    *,
    snapshot: str,
) -> dict[str, Any]:
    body = telling.body
    order = decided.figures if decided else decide.figure(plan.live, body)
    revision = body.get("revision")
    if revision is None and stored is not None:
        revision = stored.revision
    return {
        "program_id": plan.program_id,
        "id": stored.id if stored else ids.new_id(),
        "order_ref": telling.order_ref,
        "member_id": telling.member.id if telling.member else None,
        "status": body["status"],
        "revision": revision,
        "placed_at": _placed_at(stored, telling),
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


def _placed_at(stored: StoredOrder | None, telling: Telling) -> int:
    """When the order was placed: a time ahead of the clock is taken as the clock, once."""
    assert telling.item is not None
    if stored is not None:
        before = jsontext.parse(stored.snapshot)["placed_at"]
        if before == telling.body["placed_at"]:
            return stored.placed_at
    return telling.item.at


def _move_points(
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    decided: Decided | None,
    *,
    row: Mapping[str, Any],
    decision_id: bytes,
) -> list[dict[str, Any]]:
    """Bring what stands of the order to what it deserves; returns the entries made."""
    body, order_id = telling.body, row["id"]
    reversal_at = plan.now
    if body["status"] == "cancelled" and body.get("cancelled_at"):
        reversal_at = clock.Instant(min(body["cancelled_at"], plan.now))
    made: list[dict[str, Any]] = []
    if stored is not None and stored.member_id is not None and not is_same_member(stored, telling):
        undo = _cause(plan, telling, stored.decision_id)
        for key in plan.book.awarded_keys(order_id, stored.member_id):
            award = (order_id, stored.member_id, key)
            made += plan.book.bring_to(0, award, cause=undo, reversal_at=plan.now)
    if decided is None or telling.member is None:
        return made
    deserved = {one.points_key: one.points for one in decided.earning.earned}
    cause = _cause(plan, telling, decision_id)
    for key in dict.fromkeys([*deserved, *plan.book.awarded_keys(order_id, telling.member.id)]):
        made += plan.book.bring_to(
            deserved.get(key, 0),
            (order_id, telling.member.id, key),
            cause=cause,
            reversal_at=reversal_at,
        )
    return made


def _cause(plan: Plan, telling: Telling, decision_id: bytes | None) -> Cause:
    earned_at = min(telling.body.get("paid_at") or telling.body["placed_at"], plan.now)
    return Cause("order", telling.order_ref, decision_id, plan.actor, earned_at, plan.now)


def _is_news(
    stored: StoredOrder | None, telling: Telling, row: Mapping[str, Any], decided: Decided
) -> bool:
    """Whether a decision must be written: the first one, or one that saw something else."""
    if stored is None or stored.facts is None or not is_same_member(stored, telling):
        return True
    if jsontext.parse(stored.facts)["order"] != decided.order_facts:
        return True
    return any(
        getattr(stored, name) != row[name]
        for name in ("stands", "spend_minor", "qualifying_points", "is_first", "net_minor")
    )


def _write_decision(plan: Plan, telling: Telling, decided: Decided, decision_id: bytes) -> None:
    assert telling.item is not None and telling.member is not None
    plan.writes.insert(
        decisions.DECISIONS,
        {
            "program_id": plan.program_id,
            "id": decision_id,
            "source_type": "order",
            "source_ref": telling.order_ref,
            "member_id": telling.member.id,
            "version": decided.pinned.program.version,
            "facts": jsontext.text(answers.decision_facts(decided)),
            "outcomes": jsontext.text(answers.decision_outcomes(decided.earning)),
            "effective_at": telling.item.at,
            "recorded_at": plan.now,
        },
    )


def _tell_world(
    plan: Plan,
    telling: Telling,
    row: Mapping[str, Any],
    made: list[dict[str, Any]],
    change: dict[str, Any] | None,
) -> None:
    if row["is_history"]:
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
    if change is not None:
        outbox.add(
            plan.writes,
            plan.program_id,
            type="tier.changed",
            payload={"order_ref": telling.order_ref, **change},
            now=plan.now,
            member_id=row["member_id"],
        )

"""Orders: a storefront tells how an order looks now, and points follow.

Read under the member's lock, decide purely, write once. Telling the same again changes nothing;
telling it late, twice or out of order ends in the state of the newest snapshot.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import db, ids, jsontext
from loyalty import reading
from members import members
from orders import figures, history
from orders.models import Order
from orders.refunds import Refund
from orders.schemas import NOT_STORED
from programs import versions
from storefront import answers, awarding, cards, decide, decisions, finishing, limiting, stamping
from storefront import telling as tellings
from storefront.decide import Decided, Pinned
from storefront.granting import bringing
from storefront.membership import erasure
from storefront.payables import bringing as payables
from storefront.plan import Plan, begin
from storefront.redeeming import bound
from storefront.referring.review import tracing
from storefront.referring.rewarding import told_orders
from storefront.refunding import refund_shares
from storefront.standing import Read, StoredOrder
from storefront.surprising import chances, showing
from storefront.telling import Telling, is_same_member
from storefront.tiers import levels, tier_entries
from storefront.tiers.tier_entries import Followed
from storefront.vouchers import guessed
from storefront.vouchers import named as named_codes

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]


def put(
    program_id: bytes, order_ref: str, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Tell one order; the answer and 201 when it was new, 200 otherwise."""
    telling = Telling(order_ref, body)
    return db.in_transaction(lambda connection: tell(connection, program_id, telling, actor))


def tell(
    connection: sa.Connection, program_id: bytes, telling: Telling, actor: str | None
) -> tuple[dict[str, Any], int]:
    """The same within a unit of work, which starts again when it must lock more."""
    live = versions.expected(connection, program_id)
    figures.check(telling.body, currency=live.currency)
    old_owner = tellings.lock(connection, program_id, live, telling)
    now, read = tellings.read(connection, program_id, live, telling)
    tellings.check_times(telling.body, now)
    tellings.check_owner(telling, read)
    plan = begin(connection, live, now=now, actor=actor)
    plan.book.load(read.holdings)
    if telling.member is not None:
        plan.settle(telling.member.id)
    if read.stored is not None and read.stored.decision_id is not None:
        plan.book.load((), reading.read_lots(connection, program_id, [read.stored.id]))
    if old_owner is not None:
        plan.book.load(reading.read_holdings(connection, program_id, old_owner.id))
        plan.settle(old_owner.id)
    answer, status = decide_and_plan(connection, plan, telling, read)
    finishing.write(connection, plan)
    return answer, status


def decide_and_plan(
    connection: sa.Connection, plan: Plan, telling: Telling, read: Read
) -> tuple[dict[str, Any], int]:
    """Decide one order and add what follows to the plan; the answer and its status."""
    tracing.note_order(connection, plan, telling)
    refunds = []
    if read.has_refunds:
        refunds = tellings.read_refunds(connection, plan.program_id, telling.order_ref)
    return decide_refunded(connection, plan, telling, read, refunds)


def decide_refunded(
    connection: sa.Connection, plan: Plan, telling: Telling, read: Read, refunds: list[Refund]
) -> tuple[dict[str, Any], int]:
    """The same with these refunds of the order, which are stored as far as they are news."""
    stored = read.stored
    assert telling.item is not None
    telling.start(refunds)
    plan.adjust(read.sums, telling.item)
    if telling.member is not None and telling.member.is_erased:
        telling.body = erasure.reduced_body(connection, plan.program_id, telling.body, read)
    if stored is not None and tellings.is_stale(telling.body, stored.revision):
        if is_same_member(stored, telling):
            return chances.stored_order(connection, plan, telling, read, is_stale=True), 200
        # The newer snapshot named nobody; whose order it is, is still news.
        telling.body = jsontext.parse(stored.snapshot) | {"member_ref": telling.member_ref}
    named_codes.resolve(plan, telling, stored)
    snapshot = _snapshot(telling.body)
    is_told_again = (
        stored is not None and stored.snapshot == snapshot and is_same_member(stored, telling)
    )
    if is_told_again and not telling.has_news and not told_orders.has_news(telling):
        named_codes.remind(plan, telling, stands=bool(stored and stored.stands))
        return chances.stored_order(connection, plan, telling, read, is_stale=False), 200
    told_orders.lock(connection, plan, telling, read)
    folded = telling.fold()
    decided = _decide(connection, plan, telling, read, body=folded.body)
    decision_id = ids.new_id()
    row = _order_row(plan, telling, stored, decided, body=folded.body)
    row["snapshot"] = snapshot
    row["is_first"] = row["is_first"] and _may_claim_first(plan, telling, read)
    has_granted = bringing.follow_order(
        connection, plan, telling, stored, row=row, decided=decided, decision_id=decision_id
    )
    has_owed = payables.follow_order(
        connection, plan, telling, stored, row=row, decided=decided, decision_id=decision_id
    )
    _claim(plan, telling, decided, row)
    was = refund_shares.before(plan, telling, stored)
    order = decided.figures if decided else None
    redeemed = bound.take(connection, plan, telling, stored, folded=folded, order=order)
    made = awarding.undo_for_others(connection, plan, telling, stored)
    made += awarding.move_points(plan, telling, decided, row=row, decision_id=decision_id)
    bound.follow(plan, telling, redeemed, row=row, at=awarding.reversal_at(plan, telling))
    named_codes.follow(connection, plan, telling, folded=folded, row=row)
    guessed.count(connection, plan, telling)
    change, entered = _move_level(connection, plan, telling, read, row)
    stamped = stamping.follow(connection, plan, telling, stored, decided=decided, row=row)
    awarding.follow_time(connection, plan, telling, stored, row=row)
    told_orders.follow(connection, plan, telling, read, folded=folded, decided=decided, row=row)
    is_changed = bool(made) or has_granted or has_owed
    decision = _new_decision(
        plan, telling, stored, decided=decided, row=row, new_id=decision_id, is_changed=is_changed
    )
    made += chances.follow_order(
        connection, plan, telling, stored, row=row, decided=decided, decision=decision
    )
    _keep(plan, telling, stored, row)
    refund_shares.note(plan, telling, stored, folded=folded, row=row, was=was)
    _apply_refunds(plan, telling)
    made += [*(entry for one in entered.values() for entry in one.made), *stamped]
    shown = cards.show_after(connection, plan, telling.member.id) if telling.member else []
    telling.surprises = chances.shown(plan, telling.member.id) if telling.member else []
    telling.surprises_revoked = showing.taken_back(plan)
    answer = answers.order(
        plan, telling, read, row=row, decided=decided, made=made, change=change, cards=shown
    )
    return answer, 201 if stored is None else 200


def _keep(plan: Plan, telling: Telling, stored: StoredOrder | None, row: Mapping[str, Any]) -> None:
    """Write the order's row, and beside it what was told before of one that is told anew."""
    if stored is None:
        plan.writes.insert(ORDERS, row)
        return
    plan.writes.replace(ORDERS, row)
    is_erased = telling.member is not None and telling.member.is_erased
    if stored.snapshot != row["snapshot"] and not is_erased:
        of = stored.member_id
        told = jsontext.parse(stored.snapshot) | {
            # Our own id names nobody once they are erased, whoever has the order by then.
            "member_ref": None if of is None else ids.show_id(members.PREFIX, of)
        }
        history.note(
            plan.writes,
            plan.program_id,
            ("order", telling.order_ref, None),
            body=jsontext.sorted_text(told),
            now=plan.now,
        )


def _move_level(
    connection: sa.Connection, plan: Plan, telling: Telling, read: Read, row: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, dict[bytes, Followed]]:
    """What the order changes of the member's level, and what entering levels brought to whom."""
    change = levels.move(connection, plan, telling, read, row)
    entered = tier_entries.follow(connection, plan)
    if change is not None:
        assert telling.member is not None
        change |= entered.get(telling.member.id, Followed()).shown
    return change, entered


def _claim(plan: Plan, telling: Telling, decided: Decided | None, row: Mapping[str, Any]) -> None:
    """Take of limits what was decided."""
    if decided is None or telling.member is None:
        return
    program = decided.pinned.program
    limiting.take(
        plan,
        program,
        program.rules_of("order"),
        source_id=row["id"],
        member_id=telling.member.id,
        at=row["placed_at"],
        taken=decided.earning.taken,
    )


def _apply_refunds(plan: Plan, telling: Telling) -> None:
    for refund in telling.refunds:
        if refund.is_changed or not refund.is_applied:
            refund.is_applied = True
            write = plan.writes.insert if refund.is_new else plan.writes.replace
            write(tellings.ORDER_REFUNDS, refund.row(plan.program_id))


def _snapshot(body: Mapping[str, Any]) -> str:
    return jsontext.sorted_text({k: v for k, v in body.items() if k not in NOT_STORED})


def pinned_of(connection: sa.Connection, plan: Plan, telling: Telling, read: Read) -> Pinned:
    """What the order's first decision for this member pinned, or what it pins now."""
    stored, member, item = read.stored, telling.member, telling.item
    assert member is not None and item is not None
    if stored is not None and stored.facts is not None and stored.member_id == member.id:
        return decisions.pinned_before(connection, plan.program_id, stored)
    stood = levels.before(connection, plan, telling, read)
    return decide.pin(
        plan.live,
        member,
        read.sums,
        at=item.at,
        stood=stood,
        balance=plan.book.holding(member.id, plan.live.points[0].key).available,
    )


def _decide(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    read: Read,
    *,
    body: Mapping[str, Any],
) -> Decided | None:
    if telling.member is None:
        return None
    pinned = pinned_of(connection, plan, telling, read)
    order = decide.figure(pinned.program, body)
    stands = decide.is_standing(body["status"], order)
    at = _placed_at(read.stored, telling)
    return decide.decide_order(
        pinned,
        body,
        order=order,
        stands=stands,
        is_first=stands and takes_first(plan, telling, read),
        is_history=_is_history(read.stored, body),
        at=at,
        rooms=limiting.rooms(
            connection,
            plan,
            pinned.program,
            pinned.program.rules_of("order") if stands else (),
            member_id=telling.member.id,
            at=at,
            before=limiting.before_order(connection, plan, read.stored, telling.member.id),
        ),
    )


def takes_first(plan: Plan, telling: Telling, read: Read) -> bool:
    """Whether the order holds or can take the first-purchase claim.

    Kept while it stands; one that did not stand takes it if it is free. One that stands without
    it does not take it later.
    """
    stored = read.stored
    assert telling.member is not None
    if stored is not None and stored.stands and stored.member_id == telling.member.id:
        return stored.was_first
    return _may_claim_first(plan, telling, read)


def _may_claim_first(plan: Plan, telling: Telling, read: Read) -> bool:
    """Whether no other order of the member holds the first-purchase claim. Of two that were
    first, each of a member of their own, only one holds it once those are merged."""
    assert telling.member is not None
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
    body: Mapping[str, Any],
) -> dict[str, Any]:
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
        "snapshot": "",
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
        "points_returned": stored.points_returned if stored else 0,
    }


def _placed_at(stored: StoredOrder | None, telling: Telling) -> int:
    """When the order was placed: a time ahead of the clock is taken as the clock, once."""
    assert telling.item is not None
    if stored is not None:
        before = jsontext.parse(stored.snapshot)["placed_at"]
        if before == telling.body["placed_at"]:
            return stored.placed_at
    return telling.item.at


def _is_news(
    stored: StoredOrder | None, telling: Telling, row: Mapping[str, Any], decided: Decided
) -> bool:
    """Whether a decision must be written: the first one, or one that saw something else."""
    if stored is None or stored.facts is None or not is_same_member(stored, telling):
        return True
    before = jsontext.parse(stored.facts)
    if before["order"] != decided.order_facts:
        return True
    if before.get("limits", {}) != limiting.shown_bound(decided.earning):
        return True
    return any(
        getattr(stored, name) != row[name]
        for name in ("stands", "spend_minor", "qualifying_points", "is_first", "net_minor")
    )


def _new_decision(
    plan: Plan,
    telling: Telling,
    stored: StoredOrder | None,
    *,
    decided: Decided | None,
    row: dict[str, Any],
    new_id: bytes,
    is_changed: bool,
) -> dict[str, Any] | None:
    """The decision that stands from now on, written, where something is news."""
    if decided is None:
        row["decision_id"] = None
        return None
    if is_changed or _is_news(stored, telling, row, decided):
        row["decision_id"] = new_id
        return _write_decision(plan, telling, decided, new_id)
    return None


def _write_decision(
    plan: Plan, telling: Telling, decided: Decided, decision_id: bytes
) -> dict[str, Any]:
    assert telling.item is not None and telling.member is not None
    row = {
        "program_id": plan.program_id,
        "id": decision_id,
        "source_type": "order",
        "source_ref": telling.order_ref,
        "member_id": telling.member.id,
        "version": decided.pinned.program.version,
        "switches": decided.pinned.program.switches,
        "facts": jsontext.text(
            answers.decision_facts(decided) | {"status": telling.body["status"]}
        ),
        "outcomes": jsontext.text(answers.decision_outcomes(decided.earning)),
        "effective_at": telling.item.at,
        "recorded_at": plan.now,
    }
    plan.writes.insert(decisions.DECISIONS, row)
    return row

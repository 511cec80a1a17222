"""Refunds: a storefront tells what of an order went back, and the order is decided again.

A refund is told under its own reference and converges as orders do: the same again changes
nothing, another body recomputes, a withdrawn one gives back what it took. Told before its order
it is parked and applied when the order comes. Refuses what is more than is left (409).
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext
from core.errors import FieldError, Problem, invalid, invalid_at, not_found
from loyalty import reading
from members import members
from orders import history
from orders.refunds import Refund, fold
from programs import versions
from storefront import decisions, finishing, orders
from storefront import telling as tellings
from storefront.granting import showing as granting
from storefront.plan import Plan, begin
from storefront.refunding import refunded
from storefront.standing import Read
from storefront.telling import ORDER_REFUNDS, Telling

#: Each refund decides an order with all of its refunds again.
REFUNDS_MAX = 200
#: How long to wait for orders under way when a refund was parked, and between two looks.
_PATIENCE, _PAUSE = 5.0, 0.002


class _Previewed(Exception):  # noqa: N818
    """Ends a unit of work that is not to be kept, with its answer."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


def put(
    program_id: bytes,
    order_ref: str,
    refund_ref: str,
    body: Mapping[str, Any],
    *,
    actor: str | None,
    is_preview: bool = False,
) -> tuple[dict[str, Any], int]:
    """Tell one refund; the answer and 201 when it was new, 202 when its order is not known yet,
    200 otherwise. A preview answers the same with 200, changes nothing, and names no decision that
    is not there."""
    _check(body)
    # Whose codes the order uses: locked with its member when the unit starts again.
    others: set[bytes] = set()

    def unit(connection: sa.Connection) -> tuple[dict[str, Any], int]:
        answer, status = _unit(
            connection, program_id, (order_ref, refund_ref), body, actor=actor, others=others
        )
        if is_preview:
            raise _Previewed(answer)
        return answer, status

    try:
        answer, status = db.in_transaction(unit)
        if status == 202 and _has_come(program_id, order_ref):
            answer, status = db.in_transaction(unit)
    except _Previewed as previewed:
        return _undecided(program_id, previewed.answer), 200
    return answer, status


def _undecided(program_id: bytes, answer: dict[str, Any]) -> dict[str, Any]:
    """A preview without the decisions that it would take, of the order and of what hangs on it."""
    named = set(_decisions(answer))
    gone = db.reading(
        lambda connection: {
            one for one in named if not decisions.is_known(connection, program_id, one)
        }
    )
    if not gone:
        return answer

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: None if name == "decision_id" and one in gone else without(one)
                for name, one in value.items()
            }
        return [without(one) for one in value] if isinstance(value, list) else value

    found: dict[str, Any] = without(answer)
    return found


def _decisions(value: Any) -> Iterator[str]:
    """Every decision that an answer names."""
    if isinstance(value, dict):
        if isinstance(value.get("decision_id"), str):
            yield value["decision_id"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _decisions(one)


def _check(body: Mapping[str, Any]) -> None:
    """422 for a refund of nothing, and for one that says in two ways what it takes."""
    told = [name for name in ("lines", "amount_minor", "shipping_minor") if name in body]
    if not told:
        raise invalid([FieldError("", "required", "needs lines, amount_minor or shipping_minor")])
    errors = []
    if "lines" in told and "amount_minor" in told:
        errors.append(FieldError("/amount_minor", "invalid", "must not come together with lines"))
    seen: set[str] = set()
    for index, line in enumerate(body.get("lines") or ()):
        if line["line_ref"] in seen:
            pointer = f"/lines/{index}/line_ref"
            errors.append(FieldError(pointer, "duplicate", "occurs twice in the refund"))
        seen.add(line["line_ref"])
        if "quantity" not in line and "amount_minor" not in line:
            errors.append(
                FieldError(f"/lines/{index}", "required", "needs amount_minor or quantity")
            )
    if errors:
        raise invalid(errors)
    goods = [line.get("amount_minor") for line in body.get("lines") or ()]
    if None not in goods:
        told_minor = body.get("amount_minor", 0) + body.get("shipping_minor", 0)
        _check_payments(body, told_minor + sum(goods))


def _check_payments(body: Mapping[str, Any], total_minor: int) -> None:
    """422 for more that is said to be paid back than is refunded."""
    paid = sum(payment["amount_minor"] for payment in body.get("payments") or ())
    if paid > total_minor:
        raise invalid_at("/payments", f"add up to {paid}, and {total_minor} are refunded")


def _has_come(program_id: bytes, order_ref: str) -> bool:
    """Whether the order came while its refund was parked.

    An order that was read before the refund was there does not see it, and the refund does not
    see an order that is not committed. Whatever was under way when the refund was is waited for.
    SQLite has one writer at a time: nothing was.
    """
    if db.db.engine.dialect.name == "sqlite":
        return False
    until = db.reading_once(_newest)
    deadline = time.monotonic() + _PATIENCE
    while db.reading_once(_oldest) < until:
        if time.monotonic() > deadline:
            raise db.unavailable("The refund is parked, and orders are still under way.")
        time.sleep(_PAUSE)
    return db.reading_once(
        lambda connection: tellings.find_owner(connection, program_id, order_ref) is not None
    )


def _newest(connection: sa.Connection) -> int:
    return _number(connection, "xmax")


def _oldest(connection: sa.Connection) -> int:
    return _number(connection, "xmin")


def _number(connection: sa.Connection, end: str) -> int:
    sql = f"SELECT pg_snapshot_{end}(pg_current_snapshot())::text"
    return int(connection.exec_driver_sql(sql).scalar_one())


def _unit(
    connection: sa.Connection,
    program_id: bytes,
    refs: tuple[str, str],
    body: Mapping[str, Any],
    *,
    actor: str | None,
    others: set[bytes],
) -> tuple[dict[str, Any], int]:
    order_ref, refund_ref = refs
    live = versions.expected(connection, program_id)
    owner = tellings.find_owner(connection, program_id, order_ref)
    if owner is None:
        return _park(connection, program_id, refs, body)
    telling = Telling(order_ref, {}, others=others)
    wanted = others if owner[0] is None else {owner[0], *others}
    locked = members.lock_ids(connection, program_id, sorted(wanted)) if wanted else {}
    if owner[0] is None:
        owner_now = tellings.find_owner(connection, program_id, order_ref, is_locking=True)
        if owner_now != owner:
            raise db.Restart
    else:
        telling.member = locked.get(owner[0])
    telling.body = _snapshot(connection, program_id, order_ref)
    now, read = tellings.read(connection, program_id, live, telling)
    stored = read.stored
    if stored is None or not tellings.is_same_member(stored, telling):
        raise db.Restart
    plan = begin(connection, live, now=now, actor=actor)
    plan.book.load(read.holdings, reading.read_lots(connection, program_id, [stored.id]))
    if telling.member is not None:
        plan.settle(telling.member.id)
    known = tellings.read_refunds(connection, program_id, order_ref) if read.has_refunds else []
    before = _find(known, refund_ref)
    refund = _refund(refs, body, before, now=now)
    _note(plan, refund, before)
    answer = _tell(connection, plan, telling, read, refund=refund, known=known)
    finishing.write(connection, plan)
    return answer, 201 if before is None else 200


def _snapshot(connection: sa.Connection, program_id: bytes, order_ref: str) -> dict[str, Any]:
    """What the storefront last said of the order."""
    found = connection.execute(
        sa.select(orders.ORDERS.c.snapshot).where(
            orders.ORDERS.c.program_id == program_id, orders.ORDERS.c.order_ref == order_ref
        )
    ).scalar()
    if found is None:
        raise not_found("order")
    snapshot: dict[str, Any] = jsontext.parse(found)
    return snapshot


def _find(known: list[Refund], refund_ref: str) -> Refund | None:
    """The refund of this reference; 409 when it would be one too many."""
    before = next((one for one in known if one.refund_ref == refund_ref), None)
    if before is None and len(known) >= REFUNDS_MAX:
        raise Problem(
            409,
            "state_conflict",
            f"An order has at most {REFUNDS_MAX} refunds; nothing was stored.",
            state="full",
        )
    return before


def _refund(
    refs: tuple[str, str], body: Mapping[str, Any], before: Refund | None, *, now: clock.Instant
) -> Refund:
    """The refund as it is told now; the same as before when nothing of it changed."""
    told = dict(body)
    if before is not None and dict(before.body) == told:
        return before
    if told["refunded_at"] > now + tellings.FUTURE:
        raise invalid([tellings.ahead("/refunded_at", now)])
    refunded_at = min(told["refunded_at"], now)
    if before is not None and before.body["refunded_at"] == told["refunded_at"]:
        refunded_at = before.refunded_at
    return Refund(
        order_ref=refs[0],
        refund_ref=refs[1],
        status=told["status"],
        refunded_at=refunded_at,
        body=told,
        is_applied=False,
        created_at=before.created_at if before else now,
        updated_at=now,
        points_returned=before.points_returned if before else 0,
        suggested_deduction_minor=before.suggested_deduction_minor if before else 0,
        told_id=before.told_id if before else ids.new_id(),
        is_new=before is None,
    )


def _note(plan: Plan, refund: Refund, before: Refund | None) -> None:
    """Keep what was told of a refund before, where it is told anew."""
    if before is None or refund is before:
        return
    history.note(
        plan.writes,
        plan.program_id,
        ("refund", *(refund.order_ref, refund.refund_ref)),
        body=jsontext.sorted_text(before.body),
        now=plan.now,
    )


def _park(
    connection: sa.Connection, program_id: bytes, refs: tuple[str, str], body: Mapping[str, Any]
) -> tuple[dict[str, Any], int]:
    """Keep a refund until its order is told."""
    live, now = versions.get_live(connection, program_id)
    known = tellings.read_refunds(connection, program_id, refs[0])
    before = _find(known, refs[1])
    refund = _refund(refs, body, before, now=now)
    if refund is not before:
        plan = begin(connection, live, now=now)
        _note(plan, refund, before)
        row = refund.row(program_id)
        (plan.writes.insert if refund.is_new else plan.writes.replace)(ORDER_REFUNDS, row)
        finishing.write(connection, plan)
    return refunded.parked(refund), 202


def _tell(
    connection: sa.Connection,
    plan: Plan,
    telling: Telling,
    read: Read,
    *,
    refund: Refund,
    known: list[Refund],
) -> dict[str, Any]:
    """Decide the order again with the refund as it is told now."""
    others = [one for one in known if one.refund_ref != refund.refund_ref]
    if all(one is not refund for one in known):
        _check_order(telling.body, refund, others)
    telling.reversal_at = _reversal_at(plan, telling.body, refund)
    refunds = sorted([*others, refund], key=lambda one: one.refund_ref)
    answer, _ = orders.decide_refunded(connection, plan, telling, read, refunds)
    shown = next(
        one for one in answer["order"]["refunds"] if one["refund_ref"] == refund.refund_ref
    )
    # An order that is told as it is stored answers with its refunds as they are stored.
    told = next(one for one in telling.refunds if one.refund_ref == refund.refund_ref)
    return answer | {
        "refund": shown,
        "points_returned": told.points_returned,
        "suggested_refund_deduction_minor": told.suggested_deduction_minor,
        "grants_revoked": granting.revoked(plan),
    }


def _reversal_at(plan: Plan, body: Mapping[str, Any], refund: Refund) -> int | None:
    """What a refund takes is gone since it was paid; what one gives back comes back now."""
    if not refund.stands:
        return None
    earned_at = min(body.get("paid_at") or body["placed_at"], plan.now)
    at: int = max(refund.refunded_at, earned_at)
    return at


def _check_order(body: Mapping[str, Any], refund: Refund, others: list[Refund]) -> None:
    """422 for lines that the order does not have, 409 for more than is left of it."""
    lines = {line["line_ref"] for line in body["lines"]}
    errors = [
        FieldError(f"/lines/{index}/line_ref", "unknown_line", "the order has no such line")
        for index, line in enumerate(refund.body.get("lines") or ())
        if line["line_ref"] not in lines
    ]
    if errors:
        raise invalid(errors)
    before = fold(body, others)
    after = fold(body, [*others, refund])
    applied = after.applied.get(refund.refund_ref)
    if applied is not None and not applied.missing:
        _check_payments(refund.body, applied.total_minor)
    if after.missing > before.missing:
        taken = sum(one.goods_minor for one in before.applied.values())
        raise Problem(
            409,
            "state_conflict",
            f"The refund is more than is left of the order: other refunds took {taken} of its "
            "goods. Nothing was stored; tell the refund as it was paid, or withdraw another.",
            state=body["status"],
        )

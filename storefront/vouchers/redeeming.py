"""Codes at the addresses of vouchers: shown, redeemed by an order, released, sold.

An order is named by its reference and need not be known: what it uses converges, the same again
changes nothing. Unknown, foreign and used codes take the same way and answer alike. Refuses to
count wrong guesses: the routes do, outside of the unit.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, language
from core.errors import Problem, invalid_at, not_found
from members import members
from members.members import Known
from programs import versions
from rewards import codes, issuing, spending, vouchers
from rewards.carried import Row
from rewards.terms import Terms
from storefront import finishing
from storefront.plan import Plan, begin
from storefront.vouchers import showing, using, voiding

_BP = 10_000


def redeem(
    connection: sa.Connection,
    program_id: bytes,
    code: str,
    body: Mapping[str, Any],
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """Let an order use a code; the answer, and 201 when it did not use it before. 404 for every
    code that it cannot use."""
    plan, voucher, known = _take_up(
        connection, program_id, code, member_ref=body.get("member_ref"), actor=actor
    )
    order_ref, member_id = body["order_ref"], None if known is None else known.id
    before = spending.standing(plan, voucher, order_ref)
    is_theirs = using.is_theirs(voucher, member_id)
    if not is_theirs or not using.begin(connection, plan, voucher, order_ref, at=plan.now):
        raise using.wrong_code()
    minor = body.get("order_minor")
    if before is None:
        _check_least(plan, voucher.frozen, minor)
    # What the order itself has used stays the order's.
    by_hand = before is None or before.is_by_hand
    if vouchers.is_stored_value(voucher):
        if minor is None:
            raise invalid_at("/order_minor", "is needed: the code holds money", code="required")
        if not minor:
            raise invalid_at("/order_minor", "must be at least 1: the code holds money")
        spending.take(
            plan, voucher, order_ref, member_id=member_id, gross_minor=minor, is_by_hand=by_hand
        )
    else:
        off = worth(voucher.frozen, minor)
        spending.use(plan, voucher, order_ref, member_id=member_id, minor=off, is_by_hand=by_hand)
    answer = _answer(plan, voucher, order_ref)
    finishing.write(connection, plan)
    return answer, 201 if before is None else 200


def _check_least(plan: Plan, terms: Terms, order_minor: int | None) -> None:
    """409 for an order that is told to come to less than the reward takes."""
    missing = 0 if order_minor is None else terms.min_order_minor - order_minor
    if missing > 0:
        raise Problem(
            409,
            "state_conflict",
            f"The order needs {language.money(missing, plan.live.currency)} more. Nothing changed.",
            state="condition_not_met",
            missing_minor=missing,
        )


def release(
    connection: sa.Connection, program_id: bytes, code: str, order_ref: str, *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Give back what an order used of a code; the answer and 200. Again changes nothing; 404 where
    the order never used it."""
    plan, voucher, _ = _take_up(connection, program_id, code, member_ref=None, actor=actor)
    if spending.use_of(plan, voucher, order_ref) is None:
        raise using.wrong_code()
    spending.release(plan, voucher, order_ref)
    answer = _answer(plan, voucher, order_ref)
    finishing.write(connection, plan)
    return answer, 200


def show(connection: sa.Connection, program_id: bytes, code: str) -> dict[str, Any]:
    """A voucher by its code, or by our id, with its code: for servers."""
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    found = voiding.find(plan, code)
    if found is None:
        raise not_found("voucher")
    return showing.of(plan, found) | {"code": codes.reveal(program_id, found.id, found.sealed)}


def sell(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Make a gift card or store credit that was paid for; the answer, without its code, and
    201."""
    known = None
    if body.get("member_ref") is not None:
        known = members.find(connection, program_id, body["member_ref"], is_locking=True)
        if known is None or known.is_erased:
            raise not_found("member")
    if known is None and body["kind"] == "store_credit":
        raise invalid_at("/member_ref", "is needed: store credit is a member's", code="required")
    live, now = versions.get_live(connection, program_id)
    expires_at = body.get("expires_at")
    if expires_at is not None and expires_at <= now:
        raise invalid_at("/expires_at", "is over by the program's clock")
    plan = begin(connection, live, now=now, actor=actor)
    voucher = issuing.sell(
        plan,
        body["kind"],
        body["minor"],
        member_id=None if known is None else known.id,
        order_ref=body.get("order_ref"),
        expires_at=expires_at,
    )
    finishing.write(connection, plan)
    return showing.of(plan, voucher), 201


def reveal(program_id: bytes, shown_id: str) -> str | None:
    """The code of a voucher that was made just now, or when its answer is repeated."""

    def read(connection: sa.Connection) -> str | None:
        voucher_id = ids.read_id(vouchers.PREFIX, shown_id)
        assert voucher_id is not None
        live, now = versions.get_live(connection, program_id)
        found = vouchers.peek(begin(connection, live, now=now, is_quote=True), voucher_id)
        return None if found is None else codes.reveal(program_id, found.id, found.sealed)

    return db.reading(read)


def owner_ids(connection: sa.Connection, program_id: bytes, code: str) -> list[bytes]:
    """Whose a code is, if it is anybody's."""
    live, now = versions.get_live(connection, program_id)
    found = vouchers.find_by_code(begin(connection, live, now=now, is_quote=True), code)
    return [] if found is None or found.member_id is None else [found.member_id]


def _take_up(
    connection: sa.Connection,
    program_id: bytes,
    code: str,
    *,
    member_ref: str | None,
    actor: str | None,
) -> tuple[Plan, Row, Known | None]:
    """A voucher by its code, locked behind whom it is of, and the member who is named. A code that
    is none goes the same way, so that it takes the same time."""
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, actor=actor)
    known = None if member_ref is None else members.find(connection, program_id, member_ref)
    seen = vouchers.find_by_code(plan, code)
    owner_id = None if seen is None else using.owner_of(seen)
    using.lock_owners(connection, program_id, [owner_id or ids.new_id()])
    voucher_id = ids.new_id() if seen is None else seen.id
    voucher = vouchers.lock(plan, [voucher_id]).get(voucher_id)
    if voucher is None or voucher.digest not in codes.digests(program_id, code):
        raise using.wrong_code()
    if using.owner_of(voucher) != owner_id:
        # Bound, or handed over, since we looked.
        raise db.Restart
    if member_ref is not None and (known is None or known.is_erased):
        raise using.wrong_code()
    return plan, voucher, known


def worth(terms: Terms, order_minor: int | None) -> int:
    """What a discount takes off an order of which only its value is told."""
    if order_minor is None:
        return 0
    if terms.kind == "discount_amount":
        return min(terms.minor, order_minor)
    if terms.kind != "discount_percent":
        return 0
    minor = order_minor * terms.percent_bp // _BP
    most = terms.max_discount_minor
    return minor if most is None else min(minor, most)


def _answer(plan: Plan, voucher: Row, order_ref: str) -> dict[str, Any]:
    """A voucher and what an order uses of it, without its code: the answer is stored."""
    found = spending.use_of(plan, voucher, order_ref)
    assert found is not None
    return {
        "voucher": showing.of(plan, voucher),
        "use": {
            "order_ref": order_ref,
            "amount_minor": found.amount_minor,
            "returned_minor": found.returned_minor,
            "is_released": found.is_released,
            "used_at": clock.format_instant(found.used_at),
            "released_at": showing.instant(found.released_at),
        },
    }

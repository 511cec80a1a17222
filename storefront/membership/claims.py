"""Claims: a guest's order becomes a member's, once, for whoever brings its token.

The token names the program, the order and when it ends (`answers.claim_token`). A claim is the
same as telling the order again with a member, so it is decided and awarded on that path.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext, signing
from core.errors import Problem, invalid_at
from orders.models import Order
from programs import versions
from storefront import answers, orders
from storefront import telling as tellings
from storefront.granting.showing import hide_codes
from storefront.telling import Telling

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]


def claim(
    program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> Callable[[sa.Connection], tuple[dict[str, Any], int]]:
    """The work of giving the token's order to a member: the answer of the order and 200."""
    # One telling for all attempts: one that is lost tells the next whom else to lock.
    telling = Telling("", {}, is_careful=True)
    return lambda connection: _claim(connection, program_id, telling, body, actor=actor)


def _claim(
    connection: sa.Connection,
    program_id: bytes,
    telling: Telling,
    body: Mapping[str, Any],
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    live, now = versions.get_live(connection, program_id)
    order_id = _read_token(program_id, body["token"], now)
    row = _read(connection, program_id, order_id)
    telling.order_ref, telling.body = row.order_ref, _told(row, body["member_ref"])
    tellings.lock(connection, program_id, live, telling)
    # Read again: only now nobody else tells the order, or claims it.
    row = _read(connection, program_id, order_id)
    member = telling.member
    is_theirs = member is not None and row.member_id == member.id and not member.is_erased
    if row.member_id is not None and not is_theirs:
        raise Problem(
            409,
            "state_conflict",
            "The order is a member's already; it can be claimed once.",
            state="claimed",
        )
    telling.body = _told(row, body["member_ref"])
    answer, _ = orders.tell(connection, program_id, telling, actor)
    # This answer is stored.
    return hide_codes(answer), 200


def _read_token(program_id: bytes, token: str, now: clock.Instant) -> bytes:
    """The order that a token is for; whose it is, or what is wrong with it, nobody is told."""
    try:
        values = signing.read(answers.CLAIM, token, now=now)
    except signing.ExpiredTokenError:
        raise invalid_at(
            "/token", "has expired: an order can be claimed for 90 days", code="expired_token"
        ) from None
    except signing.BadTokenError:
        values = []
    if len(values) == 2 and ids.read_id("prg", values[0]) == program_id:
        order_id = ids.read_id("ord", values[1])
        if order_id is not None:
            return order_id
    raise _invalid()


def _invalid() -> Problem:
    return invalid_at("/token", "is no token of an order of this program", code="invalid_token")


def _read(connection: sa.Connection, program_id: bytes, order_id: bytes) -> Any:
    row = connection.execute(
        sa.select(ORDERS.c.order_ref, ORDERS.c.member_id, ORDERS.c.snapshot).where(
            ORDERS.c.program_id == program_id, ORDERS.c.id == order_id
        )
    ).first()
    if row is None:
        raise _invalid()
    return row


def _told(row: Any, member_ref: str) -> dict[str, Any]:
    """The order as the storefront told it last, with the member."""
    told: dict[str, Any] = jsontext.parse(row.snapshot)
    return told | {"member_ref": member_ref}

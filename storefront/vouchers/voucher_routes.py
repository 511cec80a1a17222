"""Addresses of vouchers, gift cards and pools of codes."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Response

from core import auth, db, http, idempotency, jsontext
from core.errors import Problem
from members import erasing, members
from rewards import guesses
from rewards.guesses import Claim
from storefront.vouchers import importing, listing, redeeming, seeing, voiding, voucher_schemas

routes = http.Routes("vouchers", __name__, url_prefix="/v1", description="Vouchers.")

_REDEEMED = voucher_schemas.RedeemAnswer()
_KEY = (idempotency.PARAMETER,)
T = TypeVar("T")


def _program_id() -> bytes:
    return auth.credential().program_id


def _guessing(
    program_id: bytes, code: str, *, member_ref: str | None = None, ip: str | None = None
) -> Callable[[Callable[[], T]], T]:
    """Run what uses a code, unless too many wrong ones were tried: it is counted as one before it
    is looked at, until it was right."""
    key_id = auth.credential().key_id

    def claim(connection: sa.Connection) -> Claim:
        known = None if member_ref is None else members.find(connection, program_id, member_ref)
        member_id = None if known is None else known.id
        whom = guesses.subjects(member_id=member_id, ip=ip, key_id=key_id)
        return guesses.claim(connection, program_id, whom, [code])

    def run(work: Callable[[], T]) -> T:
        claimed, is_wrong = db.in_transaction(claim), False
        try:
            return work()
        except Problem as problem:
            is_wrong = problem.code == "not_found"
            raise
        finally:
            if not is_wrong:
                guesses.give_back(claimed, [code])

    return run


@routes.operation(
    "GET",
    "/vouchers",
    answers={200: voucher_schemas.VouchersAnswer()},
    query=voucher_schemas.VouchersQuery(),
)
def list_vouchers(query: dict[str, Any]) -> dict[str, Any]:
    """A member's vouchers with their codes, newest first."""
    program_id = _program_id()
    found = db.reading(lambda connection: listing.find_all(connection, program_id, query))
    return seeing.as_seen(found)


@routes.operation("GET", "/vouchers/<code>", answers={200: voucher_schemas.VoucherView()})
def get_voucher(code: str) -> dict[str, Any]:
    """A voucher by its code in any spelling, or by our id: any of the program."""
    program_id = _program_id()
    run: Callable[[Callable[[], dict[str, Any]]], dict[str, Any]] = _guessing(program_id, code)
    found = run(lambda: db.reading(lambda connection: redeeming.show(connection, program_id, code)))
    return seeing.as_seen(found)


@routes.operation(
    "POST",
    "/vouchers/<code>/redeem",
    answers={200: _REDEEMED, 201: _REDEEMED},
    body=voucher_schemas.RedeemBody(),
    problems=(409,),
    parameters=_KEY,
)
def redeem_voucher(code: str, body: dict[str, Any]) -> Response:
    """Use a code with an order: a discount once, money as far as there is; the same order again
    changes nothing. Unknown, foreign and used codes are answered alike."""
    program_id, actor = _program_id(), auth.actor()
    member_ref, ip = body.get("member_ref"), (body.get("visitor") or {}).get("ip")
    run: Callable[[Callable[[], Response]], Response] = _guessing(
        program_id, code, member_ref=member_ref, ip=ip
    )
    return run(
        lambda: idempotency.once(
            lambda connection: redeeming.redeem(connection, program_id, code, body, actor=actor),
            subjects=_concerned(program_id, code, member_ref),
        )
    )


@routes.operation(
    "POST",
    "/vouchers/<code>/release",
    answers={200: _REDEEMED},
    body=voucher_schemas.ReleaseBody(),
    problems=(409,),
    parameters=_KEY,
)
def release_voucher(code: str, body: dict[str, Any]) -> Response:
    """Give back what an order used of a code; again changes nothing."""
    program_id, actor, order_ref = _program_id(), auth.actor(), body["order_ref"]
    run: Callable[[Callable[[], Response]], Response] = _guessing(program_id, code)
    return run(
        lambda: idempotency.once(
            lambda connection: redeeming.release(
                connection, program_id, code, order_ref, actor=actor
            ),
            subjects=_concerned(program_id, code, None),
        )
    )


@routes.operation(
    "POST",
    "/vouchers/<code>/void",
    answers={200: voucher_schemas.VoidAnswer()},
    body=voucher_schemas.VoidBody(),
    problems=(409,),
    parameters=_KEY,
)
def void_voucher(code: str, body: dict[str, Any]) -> Response:
    """Make a code void, or what is left of a card, by the code or our id; again changes nothing."""
    program_id, actor, reason = _program_id(), auth.actor(), body["reason"]
    run: Callable[[Callable[[], Response]], Response] = _guessing(program_id, code)
    return run(
        lambda: idempotency.once(
            lambda connection: voiding.void(connection, program_id, code, reason, actor=actor),
            subjects=lambda connection: voiding.owner_ids(connection, program_id, code),
        )
    )


def _concerned(
    program_id: bytes, code: str, member_ref: str | None
) -> Callable[[sa.Connection], Iterable[bytes]]:
    """Whom the answer tells of: whose code it is, and who used it."""

    def find(connection: sa.Connection) -> list[bytes]:
        named = [] if member_ref is None else [member_ref]
        found = list(erasing.named(program_id, *named)(connection))
        return found + redeeming.owner_ids(connection, program_id, code)

    return find


@routes.operation(
    "POST",
    "/vouchers",
    answers={201: voucher_schemas.SoldAnswer()},
    body=voucher_schemas.SellBody(),
    problems=(409,),
    parameters=_KEY,
)
def sell_voucher(body: dict[str, Any]) -> Response:
    """Make a gift card or store credit that somebody paid for."""
    program_id, actor = _program_id(), auth.actor()
    member_ref = body.get("member_ref")

    def work(connection: sa.Connection) -> tuple[dict[str, Any], int]:
        answer, status = redeeming.sell(connection, program_id, body, actor=actor)
        return {"voucher": answer}, status

    named = () if member_ref is None else (member_ref,)
    response = idempotency.once(work, subjects=erasing.named(program_id, *named))
    # What is stored has no code: it is read from its voucher each time.
    answer = jsontext.parse(response.get_data())
    answer["voucher"]["code"] = redeeming.reveal(program_id, answer["voucher"]["id"])
    response.set_data(jsontext.write(answer))
    return response


@routes.operation(
    "PUT",
    "/voucher-pools/<key>",
    answers={200: voucher_schemas.PoolAnswer()},
    content={
        "application/json": {"schema": voucher_schemas.PoolBody()},
        "text/plain": {"schema": {"type": "string"}},
    },
)
def put_pool(key: str) -> dict[str, Any]:
    """Import codes into a pool, up to 200,000 and 16 MiB at once; the same again adds nothing.

    As JSON, or as text/plain with a code on each line.
    """
    return importing.put(_program_id(), importing.checked(key), importing.read_codes())


@routes.operation("GET", "/voucher-pools/<key>", answers={200: voucher_schemas.PoolView()})
def get_pool(key: str) -> dict[str, Any]:
    """How many codes a pool has, and how many of them nobody has."""
    return importing.show(_program_id(), key)

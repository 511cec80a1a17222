"""The requests of the replay.

Owns how members, orders and batches look on the wire. Refuses to send anything.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from server.replay.dataset import Journey, RefundChoice, order_ref

JOINED_AT: Final = "2017-01-01T00:00:00Z"
BATCH_ORDERS_MAX: Final = 200
# The contract refuses bodies over 1 MiB; a batch of long baskets is closed earlier.
BATCH_BYTES_MAX: Final = 900_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request to send: the references it is about, and how much it carries."""

    method: str
    path: str
    body: bytes | None = None
    refs: tuple[str, ...] = ()
    orders: int = 0
    lines: int = 0


def member_request(ref: str) -> Request:
    """Return the request that enrols a member."""
    body = _encoded({"joined_at": JOINED_AT})
    return Request("PUT", f"/v1/members/{quote(ref, safe='')}", body, (ref,))


def balance_request(ref: str) -> Request:
    """Return the request that reads a member's balances."""
    path = f"/v1/members/{quote(ref, safe='')}/balances"
    return Request("GET", path, refs=(ref,))


def single_requests(
    journey: Journey, indices: Iterable[int], refund: RefundChoice | None
) -> Iterator[Request]:
    """Yield one PUT per order."""
    for index in indices:
        ref = order_ref(journey.basket_ids[index])
        yield Request(
            method="PUT",
            path=f"/v1/orders/{quote(ref, safe='')}",
            body=_encoded(journey.order_body(index, refund=refund)),
            refs=(ref,),
            orders=1,
            lines=len(journey.lines_of(index)),
        )


def batch_requests(
    journey: Journey, indices: Iterable[int], refund: RefundChoice | None
) -> Iterator[Request]:
    """Yield batches of orders, in the order of the indices."""
    bodies: list[bytes] = []
    refs: list[str] = []
    size = lines = 0
    for index in indices:
        ref = order_ref(journey.basket_ids[index])
        body = _encoded({"order_ref": ref, **journey.order_body(index, refund=refund)})
        is_full = size + len(body) > BATCH_BYTES_MAX or len(bodies) == BATCH_ORDERS_MAX
        if bodies and is_full:
            yield _batch(bodies, refs, lines)
            bodies, refs, size, lines = [], [], 0, 0
        bodies.append(body)
        refs.append(ref)
        size += len(body) + 1
        lines += len(journey.lines_of(index))
    if bodies:
        yield _batch(bodies, refs, lines)


def part_of(batch: Request, positions: Sequence[int]) -> Request:
    """Return a batch of some of a batch's orders, in the order they had."""
    assert batch.body is not None
    orders = [json.loads(batch.body)["orders"][position] for position in positions]
    refs = [batch.refs[position] for position in positions]
    return _batch([_encoded(order) for order in orders], refs, 0)


def _batch(bodies: Sequence[bytes], refs: Sequence[str], lines: int) -> Request:
    body = b'{"orders":[' + b",".join(bodies) + b"]}"
    return Request("POST", "/v1/orders/batch", body, tuple(refs), len(refs), lines)


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()

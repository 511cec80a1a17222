"""Which order of a friend a referral qualifies by: the earliest that stands and is enough."""

from typing import Any

import pytest

import storefront.facts
from core import clock
from orders.refunds import Refund
from programs.compiled import Compiled, compile_document
from programs.referrals import Offer
from referrals.qualification import Candidate, Span, judge, judge_one, span_of
from tests.world import document

storefront.facts.install()
DAY = 86_400_000_000


def compiled(**more: Any) -> tuple[Offer, Compiled]:
    """An offer with a minimum of 50,000, and its program."""
    offer = {"key": "friends", "qualifies": {"min_net_minor": 50_000}} | more
    program = compile_document(b"p", 1, document(referral_offers=[offer]))
    found = program.offer("friends")
    assert found is not None
    return found, program


def order(ref: str, net: int, **more: Any) -> Candidate:
    """A paid order on day 1."""
    values: dict[str, Any] = {
        "order_ref": ref,
        "placed_at": DAY,
        "told_at": DAY,
        "status": "paid",
        "stands": True,
        "net_minor": net,
        "whole_minor": net,
    }
    return Candidate(**(values | more))


SPAN = Span(0, 30 * DAY)


def verdict(*orders: Candidate, **more: Any) -> tuple[str | None, str | None, int | None]:
    """Which order qualifies, else why not and how much is missing."""
    found = judge(compiled(**more)[0], orders, SPAN)
    ref = None if found.order is None else found.order.order_ref
    return ref, found.reason, found.missing_minor


def test_the_earliest_order_that_is_enough_qualifies_however_they_are_given() -> None:
    late, early = order("B", 50_000, placed_at=2 * DAY), order("A", 60_000)
    first_told = order("C", 70_000, told_at=DAY - 1)
    assert verdict(late, early) == ("A", None, None)
    assert verdict(early, first_told) == verdict(first_told, early) == ("C", None, None)
    # SEMANTICS F45: 48,000 are 2,000 short; the next order may do.
    assert verdict(order("A", 48_000)) == (None, "BELOW_MIN", 2_000)
    assert verdict(order("A", 48_000), late) == ("B", None, None)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (order("before", 60_000, placed_at=-1), (None, None, None)),
        (order("at the end", 60_000, placed_at=30 * DAY), (None, None, None)),
        (order("just in time", 60_000, placed_at=30 * DAY - 1), ("just in time", None, None)),
        (order("history", 60_000, is_history=True), (None, None, None)),
        (order("pending", 60_000, status="pending", stands=False), (None, None, None)),
        (
            order("cancelled", 0, whole_minor=60_000, status="cancelled", stands=False),
            (None, "ORDER_CANCELLED", None),
        ),
        (
            order("small", 0, whole_minor=40_000, status="cancelled", stands=False),
            (None, None, None),
        ),
        # SEMANTICS F46: 100,000 less 30,000 is enough, less 60,000 is 10,000 short.
        (order("less", 70_000, whole_minor=100_000), ("less", None, None)),
        (order("little", 40_000, whole_minor=100_000), (None, "REFUND_BELOW_MIN", 10_000)),
        (order("nothing", 0, whole_minor=60_000, stands=False), (None, "REFUND_BELOW_MIN", None)),
    ],
)
def test_an_order_by_itself(
    one: Candidate, expected: tuple[str | None, str | None, int | None]
) -> None:
    assert verdict(one) == expected


def test_what_fell_says_why_before_what_falls_short_and_conditions_count() -> None:
    fell = order("A", 0, whole_minor=60_000, status="cancelled", stands=False)
    short = order("B", 10_000, placed_at=2 * DAY)
    assert verdict(fell, short) == verdict(short, fell) == (None, "ORDER_CANCELLED", None)
    # Of those that fall short the one placed last.
    assert verdict(short, order("C", 20_000, placed_at=3 * DAY)) == (None, "BELOW_MIN", 30_000)
    when = {"fact": "order.is_renewal", "op": "=", "value": False}
    more = {"qualifies": {"when": when, "min_net_minor": 10}}
    renewed = order("A", 60_000, facts={"order.is_renewal": True})
    assert verdict(renewed, **more) == (None, "CONDITION_NOT_MET", None)
    assert judge_one(compiled(**more)[0], renewed).about == renewed
    bought = order("A", 60_000, facts={"order.is_renewal": False})
    assert verdict(bought, **more) == ("A", None, None)


def test_the_span_starts_with_the_click_and_ends_with_the_credit_window() -> None:
    start = clock.parse_instant("2026-01-01T00:00:00Z")
    offer, program = compiled(credit_window="P30D")
    end = clock.parse_instant("2026-01-31T00:00:00Z")
    bound_at = start + DAY
    assert span_of(offer, program, clicked_at=start, bound_at=bound_at) == Span(start, end)
    assert span_of(offer, program, clicked_at=None, bound_at=bound_at).since == bound_at
    assert span_of(*compiled(), clicked_at=None, bound_at=start) == Span(start)


def test_an_order_as_of_an_instant_has_the_refunds_that_were_paid_by_then() -> None:
    from storefront.referring.rewarding.judged_orders import Body

    def refund(ref: str, day: int, minor: int) -> Refund:
        body = {"amount_minor": minor}
        return Refund("A", ref, "succeeded", day * DAY, body, True, 0, 0)

    line = {
        "line_ref": "1",
        "quantity": 1,
        "unit_price_minor": 100_000,
        "discount_minor": 0,
        "refunded_quantity": 1,
        "refunded_minor": 100_000,
    }
    snapshot = {"status": "paid", "lines": [line], "discount_minor": 0, "shipping_minor": 0}
    body = Body(snapshot, [refund("r1", 2, 30_000), refund("r2", 5, 30_000)])
    now = order("A", 0, whole_minor=100_000, stands=False)
    assert [body.as_of(day * DAY, now).net_minor for day in (2, 3, 6)] == [100_000, 70_000, 40_000]
    gone = Body(snapshot | {"status": "cancelled", "cancelled_at": 3 * DAY}, [])
    assert [gone.as_of(day * DAY, now).stands for day in (3, 4)] == [True, False]

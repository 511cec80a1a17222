"""Refund resources folded into snapshots. No database; numbers by hand."""

import itertools
import random  # noqa: TID251
from typing import Any

import pytest

from orders.refunds import Folded, Refund, fold
from orders.schemas import OrderSchema
from tests.world import line, order

SCHEMA = OrderSchema()


def _refund(ref: str, *, at: int = 0, status: str = "succeeded", **body: Any) -> Refund:
    return Refund(
        order_ref="A-1",
        refund_ref=ref,
        status=status,
        refunded_at=at,
        body=body,
        is_applied=False,
        created_at=0,
        updated_at=0,
    )


def _fold(lines: list[Any], *refunds: Refund, **more: Any) -> Folded:
    return fold(SCHEMA.load(order(*lines, **more)), refunds)


def _back(folded: Folded) -> list[int]:
    return [one["refunded_minor"] for one in folded.body["lines"]]


def _line(ref: str, **told: int) -> dict[str, Any]:
    return {"line_ref": ref, **told}


def test_a_snapshot_without_refunds_is_left_as_it_was_told() -> None:
    body = SCHEMA.load(order(6000, 4000))
    assert fold(body, []).body is body
    gone = _refund("R-1", status="withdrawn", amount_minor=2000)
    assert fold(body, [gone]).body is body


def test_money_told_by_line_leaves_the_pieces() -> None:
    folded = _fold(
        [line("1", 2000, quantity=3)], _refund("R-1", lines=[_line("1", amount_minor=500)])
    )
    assert _back(folded) == [500]
    assert folded.body["lines"][0]["refunded_quantity"] == 0


def test_pieces_one_by_one_come_to_the_whole_line() -> None:
    # 10.00 for three pieces: 3.33, then 6.67, then 10.00 have gone back.
    refunds = [_refund(f"R-{n}", at=n, lines=[_line("1", quantity=1)]) for n in (1, 2, 3)]
    lines = [line("1", 334, quantity=3, discount_minor=2)]
    assert [_back(_fold(lines, *refunds[:n])) for n in (1, 2, 3)] == [[333], [667], [1000]]
    assert _fold(lines, *refunds).missing == 0


def test_an_amount_is_spread_over_what_is_left_by_value() -> None:
    first = _refund("R-1", at=1, lines=[_line("2", amount_minor=4000)])
    second = _refund("R-2", at=2, amount_minor=1500)
    # Line 2 is gone: 60.00 and 30.00 are left, so 10.00 and 5.00.
    assert _back(_fold([6000, 4000, 3000], first, second)) == [1000, 4000, 500]


def test_refunds_are_taken_by_their_instant_and_then_their_reference() -> None:
    amount = _refund("R-9", at=1, amount_minor=2000)
    whole = _refund("R-1", at=2, lines=[_line("2", amount_minor=3200)])
    # First 12.00 and 8.00, then all that was left of line 2.
    for told in itertools.permutations([amount, whole]):
        assert _back(_fold([6000, 4000], *told)) == [1200, 4000]
    # Equal instants: R-1 comes first, and what is left of line 2 is 8.00 of 68.00.
    early = _refund("R-9", at=2, amount_minor=2000)
    assert _back(_fold([6000, 4000], early, whole)) == [1765, 3435]


def test_an_amount_gives_way_to_what_is_told_of_a_line() -> None:
    amount = _refund("R-1", at=1, amount_minor=3000)  # 18.00 and 12.00
    whole = _refund("R-2", at=2, lines=[_line("1", amount_minor=6000)])
    folded = _fold([6000, 4000], amount, whole)
    assert _back(folded) == [6000, 3000]
    assert folded.missing == 0


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ({"lines": [_line("1", amount_minor=6001)]}, 1),
        ({"lines": [_line("1", quantity=2, amount_minor=0)]}, 1),
        ({"amount_minor": 10500}, 500),
        ({"shipping_minor": 400}, 100),
        ({"lines": [_line("7", amount_minor=50)]}, 50),
    ],
)
def test_what_is_more_than_is_left_is_counted(told: dict[str, Any], missing: int) -> None:
    folded = _fold([6000, 4000], _refund("R-1", **told), shipping_minor=300)
    assert folded.missing == missing
    assert sum(_back(folded)) <= 10000


def test_the_greater_of_snapshot_and_refunds_stands_by_line() -> None:
    lines = [line("1", 6000, refunded_minor=2000), line("2", 4000, refunded_quantity=1), 1000]
    told = _refund("R-1", lines=[_line("1", amount_minor=2500), _line("2", amount_minor=1000)])
    assert _back(_fold(lines, told)) == [2500, 4000, 0]


def test_one_refund_told_as_lines_and_as_an_amount_is_one() -> None:
    lines = [line("1", 6000, refunded_quantity=1), 4000]
    assert _back(_fold(lines, _refund("R-1", amount_minor=6000))) == [6000, 0]


def test_the_greater_total_stands() -> None:
    told = _refund("R-1", lines=[_line("2", amount_minor=1000)])
    # The snapshot's 30.00 in total: 10.00 of line 2 are told, 20.00 over 60.00 and 30.00.
    assert _back(_fold([6000, 4000], told, refunded_minor=3000)) == [1333, 1667]
    assert _back(_fold([6000, 4000], told, refunded_minor=500)) == [0, 1000]


def test_the_same_amount_told_twice_is_one() -> None:
    told = _refund("R-1", amount_minor=2000)
    assert _back(_fold([6000, 4000], told, refunded_minor=2000)) == [1200, 800]


def test_shipping_is_the_greater_too() -> None:
    told = _refund("R-1", shipping_minor=300)
    for snapshot, expected in ((0, 300), (300, 300), (400, 400)):
        folded = _fold([1000], told, shipping_minor=500, shipping_refunded_minor=snapshot)
        assert folded.body["shipping_refunded_minor"] == expected


def test_an_order_discount_is_spread_before_any_refund() -> None:
    # 10.00 off 100.00: lines of 54.00 and 36.00.
    folded = _fold([6000, 4000], _refund("R-1", amount_minor=9000), discount_minor=1000)
    assert _back(folded) == [5400, 3600]
    assert folded.missing == 0


def test_any_refunds_in_any_order_take_what_they_say_and_never_more() -> None:
    # Independent of the code: totals by plain sums, whatever the way there.
    chance = random.Random(11)
    for _ in range(300):
        nets = [chance.randint(0, 5000) for _ in range(chance.randint(1, 4))]
        left, refunds = list(nets), []
        for number in range(chance.randint(1, 5)):
            at = chance.randint(0, 3)
            if chance.random() < 0.5:
                index = chance.randrange(len(nets))
                amount = chance.randint(0, left[index])
                left[index] -= amount
                told: dict[str, Any] = {"lines": [_line(str(index + 1), amount_minor=amount)]}
            else:
                # Kept small enough that what is told of lines is always there.
                amount = chance.randint(0, sum(left) // 8)
                told = {"amount_minor": amount}
            refunds.append((_refund(f"R-{number}", at=at, **told), amount))
        total = sum(amount for _, amount in refunds)
        chance.shuffle(refunds)
        folded = _fold(nets, *(refund for refund, _ in refunds))
        back = _back(folded)
        assert all(0 <= here <= net for here, net in zip(back, nets, strict=True))
        assert sum(back) == min(total, sum(nets))
        assert folded.missing == total - sum(back)
        again = _fold(nets, *(refund for refund, _ in sorted(refunds, key=lambda one: one[1])))
        assert _back(again) == back

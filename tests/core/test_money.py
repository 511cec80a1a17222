"""Whole amounts are shared exactly: nothing is lost, and who gets the odd unit is settled."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import money


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [34, 34, 33]),
        # 10 × 1/6 = 1.67, 10 × 2/6 = 3.33, 10 × 3/6 = 5: the odd one to the largest remainder.
        (10, [1, 2, 3], [2, 3, 5]),
        # SEMANTICS A2: 10 % of 125.50 over 40.00, 60.00 and 25.50.
        (1255, [4000, 6000, 2550], [400, 600, 255]),
        (5, [0, 3, 0, 1], [0, 4, 0, 1]),
        (1, [1, 1], [1, 0]),
        (3, [5, 5, 5, 5], [1, 1, 1, 0]),
        (0, [3, 4], [0, 0]),
        (7, [0, 0], [7, 0]),
        (7, [9], [7]),
        (0, [], []),
        (10**12, [1, 1, 1], [333333333334, 333333333333, 333333333333]),
    ],
)
def test_an_amount_is_shared_by_largest_remainder(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert money.spread(total, weights) == parts


@settings(max_examples=300, deadline=None, database=None)
@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=12))
def test_parts_add_up_and_are_never_a_whole_unit_off(total: int, weights: list[int]) -> None:
    parts = money.spread(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    if whole:
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - Fraction(total * weight, whole)) < 1
            assert part >= 0
            assert weight or part == 0


@pytest.mark.parametrize(
    ("amount", "share", "whole", "expected"),
    [
        (100, 1, 3, 33),
        (100, 2, 3, 67),
        (1, 1, 2, 1),
        (3, 1, 2, 2),
        (5, 1, 4, 1),
        (7, 3, 3, 7),
        (7, 0, 3, 0),
        (7, 0, 0, 0),
    ],
)
def test_a_part_is_rounded_half_up(amount: int, share: int, whole: int, expected: int) -> None:
    assert money.part(amount, share, whole) == expected


def test_minor_units_are_those_of_iso_4217() -> None:
    assert [money.exponent(code) for code in ("EUR", "KRW", "JPY", "BHD", "USD")] == [2, 0, 0, 3, 2]


def test_a_currency_is_three_capitals_that_iso_4217_lists() -> None:
    assert all(money.is_currency(code) for code in ("EUR", "KRW", "USD", "BHD"))
    assert not any(money.is_currency(code) for code in ("eur", "Krw", "ZZZ", "", "EURO", "name"))

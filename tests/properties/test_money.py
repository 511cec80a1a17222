"""Sharing whole amounts: parts add up, are fair to a unit, and depend on the weights alone."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from core.money import AMOUNT_MAX, part, spread

amounts = st.integers(0, AMOUNT_MAX)
weights = st.lists(st.one_of(st.integers(0, 5), amounts), min_size=1, max_size=12)


@given(total=amounts, shares=weights)
def test_parts_add_up_to_the_total(total: int, shares: list[int]) -> None:
    parts = spread(total, shares)
    assert sum(parts) == total
    assert all(one >= 0 for one in parts)


@given(total=amounts, shares=weights.filter(any))
def test_each_part_is_its_exact_share_rounded_down_or_up(total: int, shares: list[int]) -> None:
    for got, share in zip(spread(total, shares), shares, strict=True):
        exact = Fraction(total * share, sum(shares))
        assert exact - 1 < got < exact + 1
        assert share or not got


@given(total=amounts, shares=weights.filter(any))
def test_the_units_left_over_go_to_the_largest_remainders_ties_by_order(
    total: int, shares: list[int]
) -> None:
    exact = [Fraction(total * share, sum(shares)) for share in shares]
    parts = spread(total, shares)
    remainders = [(value - value // 1, -index) for index, value in enumerate(exact)]
    was_raised = [got > value // 1 for got, value in zip(parts, exact, strict=True)]
    raised = [remainder for remainder, up in zip(remainders, was_raised, strict=True) if up]
    left = [remainder for remainder, up in zip(remainders, was_raised, strict=True) if not up]
    assert not raised or not left or min(raised) > max(left)


@given(total=st.integers(0, 10**6), shares=weights.filter(any), factor=st.integers(1, 1000))
def test_only_the_proportion_of_weights_matters(total: int, shares: list[int], factor: int) -> None:
    assert spread(total, shares) == spread(total, [share * factor for share in shares])


@given(shares=weights)
def test_an_amount_spread_over_itself_is_itself(shares: list[int]) -> None:
    assert spread(sum(shares), shares) == shares


@given(total=amounts, shares=weights.filter(any))
def test_no_part_is_more_than_its_weight_while_the_total_is_not(
    total: int, shares: list[int]
) -> None:
    within = min(total, sum(shares))
    assert all(a <= b for a, b in zip(spread(within, shares), shares, strict=True))


@given(amount=amounts, whole=st.integers(1, AMOUNT_MAX), data=st.data())
def test_a_part_is_the_exact_ratio_rounded_half_up(
    amount: int, whole: int, data: st.DataObject
) -> None:
    share = data.draw(st.integers(0, whole))
    exact = Fraction(amount * share, whole)
    got = part(amount, share, whole)
    assert Fraction(-1, 2) < got - exact <= Fraction(1, 2)
    assert 0 <= got <= amount
    assert part(amount, whole, whole) == amount
    assert part(amount, 0, whole) == 0
    assert part(amount, 1, 0) == 0


@given(amount=amounts, whole=st.integers(2, 10**6), data=st.data())
def test_a_larger_share_is_never_a_smaller_part(
    amount: int, whole: int, data: st.DataObject
) -> None:
    small = data.draw(st.integers(0, whole - 1))
    assert part(amount, small, whole) <= part(amount, small + 1, whole)

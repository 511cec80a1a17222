"""Pacing: how much of its probability a surprise's budget can bear, so that it lasts (pure).

What is left is held against what the days left would spend without pacing (SEMANTICS 57). Whole
numbers throughout: who computes a pace again from the same figures comes to the same. Refuses to
read and to know the time.
"""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from core import clock

#: Nothing is lowered.
WHOLE_PPM = 1_000_000
#: What is expected is kept in millionths: a small chance of a small prize is more than nothing.
MICRO = 1_000_000
#: What is expected of a day is the mean of so many whole days before it.
DAYS = 7
#: More than any budget, and still a number that both databases keep.
_EXPECTED_MAX = 2**62


def factor_ppm(*, remaining: int, days_left: int, expected_micro: int) -> int:
    """The share of the probability that a day may have: what is left of the budget over what is
    expected of the days left, which is given in millionths of the unit for each; never more than
    the whole."""
    wanted = days_left * expected_micro
    if wanted <= 0:
        return WHOLE_PPM
    return min(WHOLE_PPM, max(0, remaining) * MICRO * WHOLE_PPM // wanted)


def expected_micro(probability_ppm: int, weights: Sequence[int], costs: Sequence[int]) -> int:
    """What a draw is expected to cost without pacing, in millionths of the unit: its probability
    by the mean cost of its prizes, rounded down."""
    whole = sum(weight * cost for weight, cost in zip(weights, costs, strict=True))
    return min(probability_ppm * whole // sum(weights), _EXPECTED_MAX)


def days_left(today: date, ends_at: int, zone: ZoneInfo) -> int:
    """The local days from today on of which something lies before the end, today included; none
    once the end is over."""
    last = clock.local_date(ends_at - 1, zone)
    return max(0, (last - today).days + 1)

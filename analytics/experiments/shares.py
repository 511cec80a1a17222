"""Shares of members: the difference of two with its interval, and how many members tell it.

Pure. The interval is Newcombe's hybrid score interval without continuity correction (R. G.
Newcombe, Interval estimation for the difference between independent proportions: comparison of
eleven methods, Statistics in Medicine 17, 1998, method 10): each share has its interval by Wilson,
and the two are put together by the squares. It holds its 95 % where members are few and shares are
small, where the textbook interval does not. 540 of 4,500 against 45 of 500 is +3.00 points
[0.02, 5.41].
"""

import math
from dataclasses import dataclass

from analytics.experiments import normal
from analytics.experiments.interval import Interval


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many members."""

    hits: int
    members: int

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self.hits / self.members


def wilson(share: Share) -> tuple[float, float]:
    """The interval of one share by Wilson's score."""
    return _wilson(share.value, share.members)


def _wilson(value: float, count: float) -> tuple[float, float]:
    z = normal.two_sided()
    middle = value + z * z / (2 * count)
    reach = z * math.sqrt(value * (1 - value) / count + z * z / (4 * count * count))
    whole = 1 + z * z / count
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)


def difference(treated: Share, held: Share) -> Interval:
    """What the treated share has more than the held out one."""
    estimate = treated.value - held.value
    return Interval(estimate, estimate - _reach(treated, held), estimate + _reach(held, treated))


def _reach(more: Share, less: Share) -> float:
    """How far below its estimate the difference of one share to another may lie."""
    return math.hypot(more.value - wilson(more)[0], wilson(less)[1] - less.value)


def power(base: float, lift: float, *, members: float, held_share: float) -> float:
    """How often so many members in both arms find a lift of the share above what it is without
    treatment: how often the interval does not reach down to zero. Where the smaller arm is held
    out this is less than the textbook says, as the interval is the wider the nearer to nothing the
    share of a small arm is."""
    raised, treated, held = base + lift, members * (1 - held_share), members * held_share
    reach = math.hypot(raised - _wilson(raised, treated)[0], _wilson(base, held)[1] - base)
    error = math.sqrt(raised * (1 - raised) / treated + base * (1 - base) / held)
    if error == 0:
        return float(lift > reach)
    return normal.below((lift - reach) / error)


def members_needed(base: float, lift: float, *, held_share: float) -> int | None:
    """How many members must be exposed, in both arms together, so that a lift is found with 80 %
    power; None where no number would do, as the share cannot rise so far or nobody is held out."""
    if not (0 < held_share < 1 and lift > 0 and base + lift <= 1):
        return None

    def is_enough(members: int) -> bool:
        return power(base, lift, members=members, held_share=held_share) >= normal.POWER

    high = 2
    while not is_enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def smallest_lift(base: float, *, treated: int, held: int) -> float | None:
    """Which lift so many members find with 80 % power; None where even the largest possible one
    would be missed. Found by halving: the larger the lift the fewer members it takes."""
    share = held / (treated + held)

    def is_found(lift: float) -> bool:
        return power(base, lift, members=treated + held, held_share=share) >= normal.POWER

    low, high = 0.0, 1.0 - base
    if not is_found(high):
        return None
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if is_found(middle) else (middle, high)
    return high

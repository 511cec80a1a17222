"""Means per member: the difference of two with its interval, and the same as a ratio.

Pure, and from sums alone (how many members, the sum of their values, of the squares and of the
cubes), so that a database adds them up and no list of members is ever held. The member is the unit:
whoever buys twice is one observation, since the orders of one person are not independent.
"""

import math
from dataclasses import dataclass

from analytics.experiments import normal
from analytics.experiments.interval import Interval

#: By which number of members a mean is as good as normal: 355 times the squared skewness (Kohavi,
#: Deng, Longbotham, Xu: Seven rules of thumb for web site experimenters, KDD 2014).
_NORMAL_FROM = 355


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one arm: members, the sum of what each has, of its square and of its cube."""

    members: int
    total: int
    squares: float
    cubes: float = 0.0

    @property
    def mean(self) -> float:
        """For each member."""
        return self.total / self.members

    @property
    def variance(self) -> float:
        """Of one member, estimated (n - 1); never below zero by rounding."""
        centred = self.squares - self.total * self.mean
        return max(0.0, centred) / (self.members - 1)

    @property
    def error(self) -> float:
        """The variance of the mean."""
        return self.variance / self.members

    @property
    def skewness(self) -> float:
        """How far single large values pull the mean; 0 where all members are alike."""
        mean, count = self.mean, self.members
        spread = self.squares / count - mean * mean
        if spread <= 0:
            return 0.0
        third = self.cubes / count - 3 * mean * self.squares / count + 2 * mean**3
        return third / float(spread**1.5)

    @property
    def is_heavy_tailed(self) -> bool:
        """Whether there are too few members for a mean with such rare, large values: then its
        interval is a rough one."""
        return self.members < _NORMAL_FROM * self.skewness**2


def difference(treated: Sums, held: Sums) -> Interval:
    """What a treated member has more than one held out, by Welch: arms of other sizes and spreads
    (B. L. Welch, Biometrika 34, 1947)."""
    estimate = treated.mean - held.mean
    variance = treated.error + held.error
    if variance == 0:
        return Interval(estimate, estimate, estimate)
    freedom = variance**2 / (
        treated.error**2 / (treated.members - 1) + held.error**2 / (held.members - 1)
    )
    reach = normal.student_two_sided(freedom) * math.sqrt(variance)
    return Interval(estimate, estimate - reach, estimate + reach)


def lift(treated: Sums, held: Sums) -> Interval | None:
    """The same as a part of what a member held out has, by the delta method on the logarithm of
    the ratio of the means; None where a mean is not above zero."""
    if treated.mean <= 0 or held.mean <= 0:
        return None
    variance = treated.error / treated.mean**2 + held.error / held.mean**2
    middle, reach = math.log(treated.mean / held.mean), normal.two_sided() * math.sqrt(variance)
    return Interval(
        math.expm1(middle), math.expm1(middle - reach), math.expm1(min(middle + reach, 50))
    )


def smallest_difference(treated: Sums, held: Sums) -> float:
    """Which true difference so many members find with 80 % power."""
    return normal.detection() * math.sqrt(treated.error + held.error)

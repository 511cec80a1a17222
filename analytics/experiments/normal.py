"""What the normal distribution and Student's say of chance: quantiles, tails, sample sizes' terms.

Pure. Owns the confidence that every report speaks with. Numbers in here are floats, because they
are estimates: what answers show of them is rounded to whole basis points and minor units.
"""

import math
from statistics import NormalDist

_STANDARD = NormalDist()
#: Of a hundred intervals of experiments without effect, five miss zero.
CONFIDENCE = 0.95
#: Of a hundred experiments with the effect that was planned for, eighty find it.
POWER = 0.80


def quantile(probability: float) -> float:
    """Below which value a standard normal variable lies with a probability."""
    return _STANDARD.inv_cdf(probability)


def below(value: float) -> float:
    """How often a standard normal variable is smaller."""
    return _STANDARD.cdf(value)


def two_sided(confidence: float = CONFIDENCE) -> float:
    """How many standard errors an interval reaches to either side."""
    return quantile((1 + confidence) / 2)


def student_two_sided(freedom: float, confidence: float = CONFIDENCE) -> float:
    """The same where the spread is estimated with so many degrees of freedom.

    The expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5), right to three
    digits from ten degrees on; with fewer nothing is told anyway.
    """
    z = two_sided(confidence)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def chi_square_tail(value: float) -> float:
    """How often a chi-square variable of one degree of freedom is larger: it is the square of a
    standard normal one, so this is exact."""
    return math.erfc(math.sqrt(value / 2))


def detection(confidence: float = CONFIDENCE, power: float = POWER) -> float:
    """How many standard errors away from zero an effect must lie to be found with a power."""
    return two_sided(confidence) + quantile(power)

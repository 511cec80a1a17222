"""Whether the arms have the sizes that assignment says: the sample-ratio check.

Pure. Chi-square goodness of fit of the two arms against the declared share. 4,400 treated and 600
held out at 90 : 10 happen by chance in 2.4 of a million experiments: then assignment, exposure or
the log of it is broken, and no difference between the arms means anything.
"""

from decimal import Decimal

from analytics.experiments import normal

_WHOLE_BP = 10_000
#: Below it results are withheld: strict, since every look at every experiment asks again.
BROKEN_BELOW = 0.001
#: Which count must be expected in the smaller arm before chi-square says anything.
_LEAST_EXPECTED = 5
_SHOWN_FROM = 1e-12


def sample_ratio_p(treated: int, held: int, *, holdout_bp: int) -> float | None:
    """How often chance alone brings arms as uneven as these; None where members are too few to
    say, or the share holds out nobody or everybody."""
    count = treated + held
    expected_held = count * holdout_bp / _WHOLE_BP
    expected_treated = count - expected_held
    if min(expected_held, expected_treated) < _LEAST_EXPECTED:
        return None
    value = (treated - expected_treated) ** 2 / expected_treated
    value += (held - expected_held) ** 2 / expected_held
    return normal.chi_square_tail(value)


def shown(probability: float) -> str:
    """A probability as decimal text of two digits."""
    return format(Decimal(f"{max(probability, _SHOWN_FROM):.2g}"), "f")

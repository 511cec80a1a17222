"""An estimated difference with the interval around it, and what may be said of it.

Pure. Refuses to call a difference real whose interval holds zero.
"""

from dataclasses import dataclass
from typing import Literal

#: `unclear` is no proof that nothing happened: the interval says what is still possible.
Verdict = Literal["higher", "lower", "unclear"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Treated less held out: the estimate, and the bounds of its 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Judged before anything is rounded."""
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else "unclear"


def nearest(value: float) -> int:
    """The nearest whole number; halves go away from zero."""
    return int(value + 0.5) if value >= 0 else -int(-value + 0.5)

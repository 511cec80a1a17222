"""The fraud score of a referral: what speaks against it, weighed and put together.

Pure: signals come in, an assessment goes out. Each signal is taken as independent of the others,
so the score is 1 - (1 - w1)(1 - w2)…, exact in whole numbers and rounded down to a basis point
once, at the end: a score reaches a threshold only when it is really reached. What a household
shares (network, browser, postal address) asks for a reviewer at most, however it is weighed.

Whoever clears a referral clears what they could see of two people: the score without what time
brings by itself (`PASSING`). It is asked about again when that score is higher than it was, by a
signal of another kind or by more weight of one that was there; never because the friend bought
soon, or others came the same hour.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from programs.referrals import Review

WHOLE_BP = 10_000
#: What neighbours and families share: never enough to refuse somebody unseen.
SHARED = frozenset({"ip_prefix", "user_agent", "address"})
#: What is held against nobody once a reviewer trusts that two people share a household.
OF_HOUSEHOLD = SHARED | {"device", "name"}
#: What comes of when something was done, and says nothing further of who the two are.
PASSING = frozenset({"new_account", "velocity"})
#: More friends than this within an hour or a day before (the one in question counted in) are many.
HOUR_MOST = 5
DAY_MOST = 20

REFUSED = "SELF_REFERRAL"
BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True)
class Signal:
    """What speaks against a referral; `detail` says where it came from and when it was seen,
    never what was seen."""

    name: str
    weight_bp: int
    detail: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """The signal as it is stored and shown."""
        return {"signal": self.name, "weight_bp": self.weight_bp, "detail": dict(self.detail)}


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the signals come to: a `reason` refuses the referral, otherwise it may need a review."""

    score_bp: int
    signals: list[Signal]
    reason: str | None
    needs_review: bool


def combine(weights: Iterable[int]) -> int:
    """Weights in basis points put together: 2500 and 3500 are 5125."""
    left = whole = 1
    for weight in weights:
        left *= WHOLE_BP - min(weight, WHOLE_BP)
        whole *= WHOLE_BP
    return (whole - left) * WHOLE_BP // whole


def are_many(*, hour: int, day: int) -> bool:
    """Whether an advocate brought so many friends within an hour, or a day, that it is a signal."""
    return hour > HOUR_MOST or day > DAY_MOST


def clearance(signals: Sequence[Signal], review: Review) -> int:
    """Up to which score somebody clears a referral who approves it with these signals, but for
    those that pass: a ring is cleared with whatever a review needs, and a cleared score is never
    nothing."""
    score = combine(one.weight_bp for one in signals if one.name not in PASSING)
    return max(1, level(score, signals, review))


def level(score_bp: int, signals: Sequence[Signal], review: Review) -> int:
    """A score as thresholds see it: a ring is always worth a review."""
    is_ring = any(one.name == "ring" for one in signals)
    return max(score_bp, review.review_at_bp) if is_ring else score_bp


def assess(
    signals: Sequence[Signal], review: Review, *, cleared_bp: int, is_blocked: bool = False
) -> Assessment:
    """What becomes of a referral with these signals, as far as nobody has cleared it."""
    found = sorted(signals, key=lambda one: (-one.weight_bp, one.name))
    score = combine(one.weight_bp for one in found)
    if is_blocked:
        return Assessment(score, found, BLOCKED, needs_review=False)
    if clearance(found, review) <= cleared_bp:
        return Assessment(score, found, None, needs_review=False)
    seen = level(score, found, review)
    is_shared = all(one.name in SHARED for one in found if one.weight_bp)
    if seen >= review.block_at_bp and not is_shared:
        return Assessment(score, found, REFUSED, needs_review=False)
    # A threshold of refusing below that of reviewing asks for a review of what is only shared.
    needs_review = seen >= min(review.review_at_bp, review.block_at_bp)
    return Assessment(score, found, None, needs_review=needs_review)

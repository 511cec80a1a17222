"""One experiment put into words: both arms, the checks that come first, and the differences.

Pure. Refuses to show a difference where the sizes of the arms say that assignment is broken, or
where members are too few: then no figure of either arm is shown, since who sees them compares them.
"""

from dataclasses import dataclass
from typing import Any, Literal

from analytics.experiments import balance, means, normal, shares
from analytics.experiments.interval import Interval, nearest
from analytics.experiments.means import Sums
from analytics.experiments.shares import Share

_WHOLE_BP = 10_000
#: Members whom each arm must have.
MINIMUM = 100
WHY_MINIMUM = {
    "en": "With fewer than 100 members in an arm one or two large orders decide the means, and"
    " intervals no longer hold what they promise; of a repeat rate of 10 % and one member in ten"
    " held out, lifts below ten points would often be missed.",
    "ko": "한쪽 집단이 100명보다 적으면 큰 주문 한두 건이 평균을 좌우하고 신뢰구간을 믿을 수"
    " 없으며, 재구매율이 10 %이고 열 명 중 한 명을 제외할 때 10%포인트보다 작은 상승은 자주"
    " 놓칩니다.",
}
#: What a comparison shows, and what it does not.
MEANING = {
    "en": "Chance put members into the arms before anything happened, and both are counted from the"
    " first time they could have had it: what differs by more than chance is what the offer caused,"
    " on average over everybody who was not held out, whether they won or not. It does not say what"
    " winning did to those who won, nor what it would do to other members or at another time."
    " One interval in twenty misses the truth: with three figures, several experiments and frequent"
    " looks some differences are chance. Unclear is no proof that nothing happened.",
    "ko": "회원은 처음부터 무작위로 두 집단에 배정되었고 두 집단 모두 처음 받을 수 있었던 때부터"
    " 집계하므로, 우연을 넘는 차이는 이 혜택이 일으킨 것입니다. 당첨 여부와 관계없이 제외되지 않은"
    " 회원 전체의 평균이며, 당첨이 당첨자에게 준 효과나 다른 회원 또는 다른 시기의 효과를 말하지는"
    " 않습니다. 신뢰구간 스무 개 중 하나는 참값을 놓치므로, 지표와 실험이 여럿이고 자주 들여다보면"
    " 우연한 차이도 나타납니다. 불분명은 효과가 없다는 증거가 아닙니다.",
}

Withheld = Literal["sample_ratio", "too_few"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: how many of its members came back, their orders, and the net value of these."""

    repeated: int
    orders: Sums
    net: Sums

    @property
    def members(self) -> int:
        """Who is in it."""
        return self.orders.members

    @property
    def share(self) -> Share:
        """Who came back."""
        return Share(self.repeated, self.members)


NOBODY = Arm(0, Sums(0, 0, 0.0), Sums(0, 0, 0.0))


def compare(treated: Arm, held: Arm, *, holdout_bp: int, detect_bp: int) -> dict[str, Any]:
    """What can be said of an experiment that holds out such a share; `detect_bp` is the lift of
    the repeat rate that somebody would like to find."""
    p = balance.sample_ratio_p(treated.members, held.members, holdout_bp=holdout_bp)
    is_broken = p is not None and p < balance.BROKEN_BELOW
    withheld: Withheld | None = None
    if is_broken:
        withheld = "sample_ratio"
    elif min(treated.members, held.members) < MINIMUM:
        withheld = "too_few"
    told = withheld is None
    return {
        "members": {"treated": treated.members, "held_out": held.members},
        "sample_ratio": {
            "holdout_bp": holdout_bp,
            "held_out_bp": _of(held.members, treated.members + held.members),
            "p": None if p is None else balance.shown(p),
            "is_broken": is_broken,
        },
        "minimum": {"members": MINIMUM, "why": WHY_MINIMUM},
        "withheld": withheld,
        "repeat_rate": _repeat_rate(treated, held) if told else None,
        "orders_by_member": _orders(treated.orders, held.orders) if told else None,
        "net_by_member": _net(treated.net, held.net) if told else None,
        "power": None
        if is_broken
        else _power(treated, held, holdout_bp=holdout_bp, detect_bp=detect_bp),
        "meaning": MEANING,
    }


def _repeat_rate(treated: Arm, held: Arm) -> dict[str, Any]:
    found = shares.difference(treated.share, held.share)
    return {
        "treated_bp": nearest(treated.share.value * _WHOLE_BP),
        "held_out_bp": nearest(held.share.value * _WHOLE_BP),
        **_bounds(found, "bp", scale=_WHOLE_BP),
        "verdict": found.verdict,
    }


def _orders(treated: Sums, held: Sums) -> dict[str, Any]:
    found = means.difference(treated, held)
    return {
        "treated_bp": nearest(treated.mean * _WHOLE_BP),
        "held_out_bp": nearest(held.mean * _WHOLE_BP),
        **_bounds(found, "bp", scale=_WHOLE_BP),
        "lift": _lift(treated, held),
        "verdict": found.verdict,
        "is_rough": treated.is_heavy_tailed or held.is_heavy_tailed,
    }


def _net(treated: Sums, held: Sums) -> dict[str, Any]:
    found = means.difference(treated, held)
    return {
        "treated_minor": nearest(treated.mean),
        "held_out_minor": nearest(held.mean),
        **_bounds(found, "minor", scale=1),
        "lift": _lift(treated, held),
        "smallest_minor": nearest(means.smallest_difference(treated, held)),
        "all_treated": _bounds(found, "minor", scale=treated.members),
        "verdict": found.verdict,
        "is_rough": treated.is_heavy_tailed or held.is_heavy_tailed,
    }


def _bounds(found: Interval, unit: str, *, scale: int) -> dict[str, int]:
    return {
        f"difference_{unit}": nearest(found.estimate * scale),
        f"low_{unit}": nearest(found.low * scale),
        f"high_{unit}": nearest(found.high * scale),
    }


def _lift(treated: Sums, held: Sums) -> dict[str, int] | None:
    found = means.lift(treated, held)
    return None if found is None else _bounds(found, "bp", scale=_WHOLE_BP)


def _power(treated: Arm, held: Arm, *, holdout_bp: int, detect_bp: int) -> dict[str, Any]:
    """By the repeat rate of both arms together, which tells nothing of their difference."""
    count, repeated = treated.members + held.members, treated.repeated + held.repeated
    base = repeated / count if count else None
    smallest = needed = None
    if base is not None:
        share = holdout_bp / _WHOLE_BP
        needed = shares.members_needed(base, detect_bp / _WHOLE_BP, held_share=share)
        if treated.members and held.members:
            smallest = shares.smallest_lift(base, treated=treated.members, held=held.members)
    return {
        "confidence_bp": nearest(normal.CONFIDENCE * _WHOLE_BP),
        "power_bp": nearest(normal.POWER * _WHOLE_BP),
        "repeat_rate_bp": None if base is None else nearest(base * _WHOLE_BP),
        "smallest_lift_bp": None if smallest is None else nearest(smallest * _WHOLE_BP),
        "lift_bp": detect_bp,
        "members_needed": needed,
    }


def _of(part: int, whole: int) -> int | None:
    return nearest(part * _WHOLE_BP / whole) if whole else None

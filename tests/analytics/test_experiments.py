"""Statistics of experiments against published figures and figures worked out another way."""

import math
from itertools import pairwise
from statistics import NormalDist, fmean, variance

import pytest

from analytics.experiments import balance, comparison, means, normal, shares
from analytics.experiments.comparison import Arm
from analytics.experiments.means import Sums
from analytics.experiments.shares import Share


def _sums(values: list[int]) -> Sums:
    return Sums(
        len(values),
        sum(values),
        float(sum(one * one for one in values)),
        float(sum(one**3 for one in values)),
    )


def _arm(members: int, repeated: int, *, net: int = 50_00) -> Arm:
    """Whoever comes back buys once for `net`."""
    orders = Sums(members, repeated, float(repeated), float(repeated))
    paid = Sums(members, repeated * net, float(repeated * net**2), float(repeated * net**3))
    return Arm(repeated, orders, paid)


def test_quantiles_are_those_of_the_tables() -> None:
    assert round(normal.two_sided(), 6) == 1.959964
    # Student's t, two-sided 95 %, as printed in any table.
    for freedom, told in ((10, 2.228), (30, 2.042), (60, 2.000), (120, 1.980)):
        assert round(normal.student_two_sided(freedom), 3) == told
    # Chi-square with one degree of freedom: 3.841 and 10.828 are its upper 5 % and 0.1 %.
    assert round(normal.chi_square_tail(3.841459), 6) == 0.05
    assert round(normal.chi_square_tail(10.827566), 6) == 0.001


@pytest.mark.parametrize(
    "treated, held, low, high",
    [
        # Newcombe 1998, table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        # The issue's: +3.0 points [0.02, 5.41].
        ((540, 4500), (45, 500), 0.0002, 0.0541),
    ],
)
def test_the_interval_of_a_difference_of_shares_is_newcombes(
    treated: tuple[int, int], held: tuple[int, int], low: float, high: float
) -> None:
    found = shares.difference(Share(*treated), Share(*held))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    back = shares.difference(Share(*held), Share(*treated))
    assert math.isclose(back.low, -found.high) and math.isclose(back.high, -found.low)


def test_how_many_members_a_lift_takes_and_which_lift_members_find() -> None:
    # The textbook: (1.959964 + 0.841621)² = 7.8489, times 0.5 × 0.5 and 0.6 × 0.4, over 0.1²:
    # 384.6 in each arm. The wider interval takes a little more.
    assert shares.members_needed(0.5, 0.1, held_share=0.5) == 775
    # Where one in ten is held out it is a tenth more than the textbook's 7.8489 × (0.12 × 0.88 /
    # 0.9 + 0.09 × 0.91 / 0.1) / 0.03² = 8,166: with these 74 of 100 would find it.
    needed = shares.members_needed(0.09, 0.03, held_share=0.1)
    assert needed is not None and 8_800 < needed < 9_400
    for members, low, high in ((needed, 0.78, 0.81), (8_166, 0.72, 0.76)):
        exact = _exact_power(0.12, 0.09, treated=round(members * 0.9), held=round(members * 0.1))
        assert low < exact < high
        told = shares.power(0.09, 0.03, members=members, held_share=0.1)
        assert abs(told - exact) < 0.02
    found = shares.smallest_lift(0.09, treated=needed - needed // 10, held=needed // 10)
    assert found is not None and round(found, 3) == 0.03
    assert shares.members_needed(0.98, 0.03, held_share=0.5) is None
    assert shares.members_needed(0.5, 0.1, held_share=0.0) is None
    assert shares.smallest_lift(0.5, treated=3, held=2) is None


def _exact_power(treated_share: float, held_share: float, *, treated: int, held: int) -> float:
    """Every way in which two arms can end, by its chance, where the interval is above zero."""
    found = 0.0
    more, less = _binomial(treated, treated_share), _binomial(held, held_share)
    for hits, chance in less.items():
        for other, its in more.items():
            if shares.difference(Share(other, treated), Share(hits, held)).low > 0:
                found += chance * its
    return found


def _binomial(count: int, share: float) -> dict[int, float]:
    """How often each number of hits comes; those that never do are left out."""
    middle, reach = round(count * share), 5 * math.sqrt(count * share * (1 - share))
    return {
        hits: math.exp(
            math.lgamma(count + 1)
            - math.lgamma(hits + 1)
            - math.lgamma(count - hits + 1)
            + hits * math.log(share)
            + (count - hits) * math.log(1 - share)
        )
        for hits in range(max(0, math.floor(middle - reach)), math.ceil(middle + reach))
    }


def test_means_are_those_of_the_lists_they_were_summed_from() -> None:
    treated, held = [0, 0, 1, 2, 2, 7, 3, 1] * 20, [0, 1, 1, 0, 2, 0] * 20
    found = means.difference(_sums(treated), _sums(held))
    error = math.sqrt(variance(treated) / len(treated) + variance(held) / len(held))
    assert math.isclose(found.estimate, fmean(treated) - fmean(held))
    # 0.02830 and 0.00467 are the errors of the means: 208 degrees of freedom, t is 1.9714.
    assert math.isclose(found.high - found.estimate, 1.9714 * error, rel_tol=1e-4)
    assert found.verdict == "higher"
    # The mean is 3 times the other one: 2 : 2/3. Its logarithm's error, by the delta method.
    lift = means.lift(_sums(treated), _sums(held))
    relative = variance(treated) / len(treated) / 4 + variance(held) / len(held) / (4 / 9)
    assert lift is not None and math.isclose(lift.estimate, 2.0)
    assert math.isclose(math.log((1 + lift.high) / 3), 1.959964 * math.sqrt(relative), rel_tol=1e-6)
    assert means.lift(_sums(treated), _sums([0] * 10)) is None
    # One in a hundred spends: skewness 0.98 / sqrt(0.0099) = 9.85, so 34,443 members are needed.
    rare = _sums([0] * 9_900 + [1] * 100)
    assert round(rare.skewness, 2) == 9.85 and rare.is_heavy_tailed
    assert not _sums([0, 1] * 100).is_heavy_tailed


def test_uneven_arms_are_called_broken() -> None:
    # (100² / 4,500 + 100² / 500) = 22.22: 2.4 in a million.
    p = balance.sample_ratio_p(4400, 600, holdout_bp=1000)
    assert p is not None and balance.shown(p) == "0.0000024"
    tail = 2 * (1 - NormalDist().cdf(math.sqrt(200 / 9)))
    assert math.isclose(p, tail, rel_tol=1e-6)
    even = balance.sample_ratio_p(4500, 500, holdout_bp=1000)
    assert even == 1.0 and balance.shown(even) == "1"
    # Four are expected: nothing to say.
    assert balance.sample_ratio_p(400, 0, holdout_bp=100) is None
    assert balance.sample_ratio_p(400, 0, holdout_bp=10_000) is None
    assert balance.shown(1e-300) == "0.000000000001"


def test_a_comparison_tells_what_arms_bear_and_nothing_else() -> None:
    good = comparison.compare(_arm(4500, 540), _arm(500, 45), holdout_bp=1000, detect_bp=300)
    assert (good["withheld"], good["sample_ratio"]["p"]) == (None, "1")
    assert good["repeat_rate"] == {
        "treated_bp": 1200,
        "held_out_bp": 900,
        "difference_bp": 300,
        "low_bp": 2,
        "high_bp": 541,
        "verdict": "higher",
    }
    # Orders of 50.00: 6.00 against 4.50 for each member; 637 degrees of freedom.
    net = good["net_by_member"]
    error = 50_00 * math.sqrt(0.12 * 0.88 / 4499 + 0.09 * 0.91 / 499)
    assert (net["treated_minor"], net["held_out_minor"], net["difference_minor"]) == (600, 450, 150)
    assert net["low_minor"] == round(150 - normal.student_two_sided(637) * error)
    assert net["all_treated"]["difference_minor"] == 150 * 4500
    assert net["lift"]["difference_bp"] == 3333
    assert good["power"]["members_needed"] == shares.members_needed(0.117, 0.03, held_share=0.1)
    broken = comparison.compare(_arm(4400, 540), _arm(600, 45), holdout_bp=1000, detect_bp=300)
    assert (broken["withheld"], broken["sample_ratio"]["is_broken"]) == ("sample_ratio", True)
    # Everybody treated though one in ten was to be held out is broken, not few.
    none = comparison.compare(_arm(1000, 90), comparison.NOBODY, holdout_bp=1000, detect_bp=300)
    assert none["withheld"] == "sample_ratio"
    few = comparison.compare(_arm(891, 90), _arm(99, 2), holdout_bp=1000, detect_bp=300)
    assert few["withheld"] == "too_few" and few["power"]["members_needed"] > 9000
    for one in (broken, none, few):
        assert [one[name] for name in ("repeat_rate", "orders_by_member", "net_by_member")] == [
            None
        ] * 3
    assert (broken["power"], none["power"]) == (None, None)
    empty = comparison.compare(comparison.NOBODY, comparison.NOBODY, holdout_bp=1000, detect_bp=300)
    assert (empty["withheld"], empty["power"]["members_needed"]) == ("too_few", None)
    floats = [one for one in _leaves([good, broken, none, few, empty]) if isinstance(one, float)]
    assert floats == []


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one)]
    return [value]


def test_more_members_find_smaller_lifts() -> None:
    found = [shares.smallest_lift(0.1, treated=9 * one, held=one) or 1 for one in (100, 400, 1600)]
    assert all(later < before for before, later in pairwise(found))

"""Earning as a pure function: exact sums, one rounding, groups, breakdowns."""

import random  # noqa: TID251
import signal
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from loyalty import earning, exact
from loyalty.exact import NO_TIER_FACTOR, Earned, Earner, TierFactor
from programs.compiled import Compiled, compile_document
from storefront import facts as standing_facts
from tests.world import document, per_euro, rule


@dataclass(frozen=True)
class Line:
    """A line as earning sees it."""

    line_ref: str
    earning_minor: int
    earning_quantity: int = 1


def _program(*rules: dict[str, Any], rounding: str = "floor", **more: Any) -> Compiled:
    standing_facts.install()
    body = document(earning={"rules": list(rules), "rounding": rounding}, **more)
    return compile_document(bytes(16), 1, body)


def _earner(
    *amounts: int,
    skus: tuple[str, ...] = (),
    shipping: int = 0,
    left: int = 0,
    whole: int = 0,
    quantity: int = 1,
) -> Earner:
    lines = [Line(str(i), minor, quantity) for i, minor in enumerate(amounts, start=1)]
    line_facts = [{"line.sku": sku} for sku in skus] or [{} for _ in amounts]
    return Earner(lines, line_facts, shipping, {}, {}, left or sum(amounts), whole or sum(amounts))


def _settle(
    program: Compiled, order: Earner, tier: TierFactor = NO_TIER_FACTOR
) -> tuple[list[Earned], int]:
    chosen = earning.choose(program, program.rules["order"], order, lambda _: tier)
    result = earning.settle(program, chosen, order, tier)
    return result.earned, result.qualifying_points


def _times(factor_bp: int, **more: Any) -> dict[str, Any]:
    return {"do": "multiply_points", "factor_bp": factor_bp} | more


def _sku(sku: str) -> dict[str, Any]:
    return {"lines": {"when": {"fact": "line.sku", "op": "=", "value": sku}}}


QUARTER_MORE = TierFactor(12500, 10000, "× 1.25")


@pytest.mark.parametrize(
    ("rounding", "numerator", "scale", "expected"),
    [
        ("floor", 199, 100, 1),
        ("floor", 200, 100, 2),
        ("ceil", 101, 100, 2),
        ("ceil", 100, 100, 1),
        ("half_up", 149, 100, 1),
        ("half_up", 150, 100, 2),
        ("half_up", 1, 3, 0),
        ("half_up", 3, 2, 2),
        ("floor", -1, 100, 0),
        ("ceil", -1, 100, 0),
    ],
)
def test_rounding_by_policy(rounding: str, numerator: int, scale: int, expected: int) -> None:
    assert exact.round_points(numerator, scale, rounding) == expected


def test_one_rounding_after_campaign_and_tier() -> None:
    program = _program(rule("base", per_euro()), rule("campaign", _times(15000)))
    [award], qualifying = _settle(program, _earner(1999), QUARTER_MORE)
    # 19.99 × 1.5 × 1.25 = 37.48125 = 5997/160; before tier and campaign 19 qualify.
    assert (award.points, award.exact, qualifying) == (37, "5997/160", 19)
    # base 19.99, campaign 9.995, tier 7.49625: floors 19 + 9 + 7, then the largest remainders
    # (.995, .99) take the two that are left.
    shares = [(one.rule, one.points) for one in award.breakdown]
    assert shares == [("base", 20), ("campaign", 10), ("tier", 7)]


def test_lines_share_the_total_by_largest_remainder() -> None:
    program = _program(rule("base", per_euro()))
    [award], _ = _settle(program, _earner(3340, 3333, 3327))
    # 33.40 + 33.33 + 33.27 = 100: the one left over goes to .40.
    assert award.by_line == (("1", 34), ("2", 33), ("3", 33))


def test_the_default_multiplies_only_its_lines() -> None:
    program = _program(rule("base", per_euro()), rule("a", _times(20000, **_sku("A"))))
    [award], _ = _settle(program, _earner(3600, 2295, skus=("A", "C")))
    assert award.points == 94
    assert award.by_line == (("1", 72), ("2", 22))


def test_fixed_points_are_not_multiplied() -> None:
    program = _program(
        rule("base", per_euro()),
        rule("twice", _times(20000)),
        rule("bonus", {"do": "add_points", "points": 100}),
    )
    [award], _ = _settle(program, _earner(5000), TierFactor(15000, 10000, ""))
    assert award.points == 250


@pytest.mark.parametrize(("left", "expected"), [(12000, 200), (9000, 150), (1, 0), (6001, 100)])
def test_prorated_points_follow_what_is_left(left: int, expected: int) -> None:
    # 200 × left / 120.00, floored: 60.01 → 100.016….
    bonus = rule("bonus", {"do": "add_points", "points": 200}, on_refund="prorate")
    awards, _ = _settle(_program(bonus), _earner(left, left=left, whole=12000))
    assert sum(one.points for one in awards) == expected


def test_shipping_earns_with_rules_about_all_lines_only() -> None:
    every, some = rule("base", per_euro()), rule("a", per_euro() | _sku("A"))
    order = _earner(1000, skus=("A",), shipping=500)
    assert _settle(_program(every), order)[0][0].points == 15
    assert _settle(_program(some), order)[0][0].points == 10


def test_units_count_what_is_left() -> None:
    program = _program(rule("units", {"do": "points_per_unit", "points": 3}))
    assert _settle(program, _earner(100, 100, quantity=4))[0][0].points == 24
    assert _settle(program, _earner(100, quantity=0))[0] == []


def test_nothing_below_one_point_is_an_award() -> None:
    assert _settle(_program(rule("base", per_euro())), _earner(99))[0] == []


def test_qualifying_points_are_of_the_default_kind_before_the_tier() -> None:
    stars = per_euro() | {"points_key": "stars"}
    program = _program(
        rule("base", per_euro()),
        rule("stars", stars),
        rule("campaign", _times(20000, counts_for_tier=True)),
        rule("bonus", {"do": "add_points", "points": 9}),
        points=[{"key": "points"}, {"key": "stars"}],
    )
    awards, qualifying = _settle(program, _earner(1000), QUARTER_MORE)
    # Points 10 × 2 × 1.25 + 9; stars 10 × 1.25; qualifying 10 × 2.
    assert {one.points_key: one.points for one in awards} == {"points": 34, "stars": 12}
    assert qualifying == 20


def test_random_orders_earn_what_exact_fractions_say() -> None:
    dice = random.Random(7)
    for _ in range(200):
        rounding = dice.choice(["floor", "half_up", "ceil"])
        per_minor, rate = dice.choice([100, 300, 700, 999]), dice.randint(1, 9)
        factors = [dice.choice([10001, 12500, 13333, 20000, 5000]) for _ in range(3)]
        bonus, tier_bp = dice.randint(1, 50), dice.choice([10000, 11111, 17500])
        amounts = [dice.randint(0, 99999) for _ in range(dice.randint(1, 5))]
        effect = {"do": "points_per_amount", "points": rate, "per_minor": per_minor}
        program = _program(
            rule("base", effect),
            rule("units", {"do": "points_per_unit", "points": 2}),
            *(rule(f"f{i}", _times(bp)) for i, bp in enumerate(factors)),
            rule("bonus", {"do": "add_points", "points": bonus}),
            rounding=rounding,
        )
        [award], _ = _settle(program, _earner(*amounts), TierFactor(tier_bp, 10000, "tier"))
        exact = Fraction(sum(amounts) * rate, per_minor) + 2 * len(amounts)
        for bp in (*factors, tier_bp):
            exact *= Fraction(bp, 10000)
        exact += bonus
        expected = {
            "floor": exact.__floor__(),
            "ceil": exact.__ceil__(),
            "half_up": (exact + Fraction(1, 2)).__floor__(),
        }[rounding]
        assert (award.points, Fraction(award.exact)) == (expected, exact)
        assert sum(one.points for one in award.breakdown) == expected
        # What belongs to no line (the bonus) may round with the lines by at most one.
        assert abs(sum(part for _, part in award.by_line) + bonus - expected) <= 1


def test_an_order_beyond_all_bounds_is_capped_at_once() -> None:
    # 10¹² minor units × 10⁶ points: more than an order may earn. Sharing must not count in ones.
    program = _program(rule("base", {"do": "points_per_amount", "points": 10**6, "per_minor": 1}))
    before = signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(2)
    try:
        [award], _ = _settle(program, _earner(10**12))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert award.points == exact.AWARD_MAX
    assert sum(one.points for one in award.breakdown) == exact.AWARD_MAX


def _too_slow(*_: Any) -> None:
    raise AssertionError("sharing the points did not end")

"""How rules stand to each other: what adds, what multiplies, and who wins a group."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World, line, order, per_euro, points, rule

Make = Callable[..., World]
SHOES = {"when": {"fact": "line.categories", "op": "contains", "value": "shoes"}}


def _times(factor_bp: int, **more: Any) -> dict[str, Any]:
    return {"do": "multiply_points", "factor_bp": factor_bp} | more


def _add(number: int) -> dict[str, Any]:
    return {"do": "add_points", "points": number}


def _in_group(key: str, effect: dict[str, Any], group: str = "g", **more: Any) -> dict[str, Any]:
    return rule(key, effect, stacking={"mode": "exclusive", "group": group}, **more)


def _world(make_world: Make, *rules: dict[str, Any], tier_bp: int | None = None) -> World:
    levels = [{"key": "silver", "enter_at": 1, "multiplier_bp": tier_bp}] if tier_bp else []
    world = make_world(earning={"rules": list(rules)}, tiers={"levels": levels})
    world.member()
    if tier_bp:
        # 0.01 makes Mina silver without earning a point by amount; fixed points are not hers yet.
        world.order("A-0", 1, placed_at="2026-02-01T10:00:00Z")
    return world


def test_factors_multiply_and_fixed_points_are_added_after_the_tier(make_world: Make) -> None:
    world = _world(
        make_world,
        rule("base", per_euro()),
        rule("shoes", _times(20000, lines=SHOES)),
        rule("bonus", _add(100)),
        tier_bp=15000,
    )
    # A3: 50 × 2 × 1.5 + 100.
    told = world.order("A-1", line("1", 5000, categories=["shoes"]))
    assert points(told) == 250
    [award] = told["earned"]
    shares = {one["rule"]: one["points"] for one in award["breakdown"]}
    # 50 by amount, 50 by the doubling, 50 by the tier, 100 fixed.
    assert shares == {"base": 50, "shoes": 50, "tier": 50, "bonus": 100}


def test_of_an_exclusive_group_the_best_for_the_member_counts(make_world: Make) -> None:
    world = _world(
        make_world,
        rule("base", per_euro()),
        _in_group("shoes", _times(20000, lines=SHOES)),
        _in_group("happy", _times(30000)),
        rule("bonus", _add(100)),
        tier_bp=15000,
    )
    # A3: 50 × 3 × 1.5 + 100 = 325.
    told = world.order("A-1", line("1", 5000, categories=["shoes"]))
    assert points(told) == 325
    outcomes = world.outcomes(told)
    assert outcomes["happy"]["is_fired"]
    assert not outcomes["shoes"]["is_fired"]
    assert outcomes["shoes"]["reason"] == "excluded"
    assert "happy" in outcomes["shoes"]["detail"]


def test_the_best_depends_on_the_cart(make_world: Make) -> None:
    world = _world(
        make_world,
        rule("base", per_euro()),
        _in_group("double", _times(20000)),
        _in_group("bonus", _add(60)),
    )
    assert world.earned("A-1", 5000) == 110  # 50 + 60 against 50 × 2
    assert world.earned("A-2", 7000) == 140  # 70 × 2 against 70 + 60


def test_the_tier_is_part_of_what_is_best_for_the_member(make_world: Make) -> None:
    world = _world(
        make_world,
        rule("base", per_euro()),
        _in_group("half", _times(15000)),
        _in_group("bonus", _add(60)),
        tier_bp=20000,
    )
    # 100.00: 100 × 1.5 × 2 = 300 against 100 × 2 + 60 = 260; without the tier 150 against 160.
    told = world.order("A-1", 10000)
    assert points(told) == 300
    assert world.outcomes(told)["bonus"]["reason"] == "excluded"


def test_points_that_are_worth_no_money_are_compared_by_their_number(make_world: Make) -> None:
    world = make_world(
        points=[{"key": "points", "value": {"points": 1, "minor": 0}}],
        earning={
            "rules": [
                rule("base", per_euro()),
                _in_group("alpha", _times(20000)),
                _in_group("beta", _times(30000)),
            ]
        },
    )
    world.member()
    assert world.earned("A-1", 1000) == 30


def test_kinds_of_points_are_compared_by_what_they_are_worth(make_world: Make) -> None:
    # 10 stars at 0.50 are worth 5.00; 100 points at 0.01 are worth 1.00.
    stars = _add(10) | {"points_key": "stars"}
    world = make_world(
        points=[{"key": "points"}, {"key": "stars", "value": {"points": 1, "minor": 50}}],
        earning={"rules": [_in_group("many", _add(100)), _in_group("worth", stars)]},
    )
    world.member()
    told = world.order("A-1", 1000)
    assert (points(told), points(told, "stars")) == (0, 10)


def test_ties_go_to_the_smaller_priority_then_the_key(make_world: Make) -> None:
    by_priority = _world(
        make_world,
        rule("base", per_euro()),
        _in_group("alpha", _times(20000), priority=2),
        _in_group("beta", _times(20000), priority=1),
    )
    told = by_priority.order("A-1", 1000)
    assert points(told) == 20
    assert by_priority.outcomes(told)["alpha"]["reason"] == "excluded"
    by_key = _world(
        make_world,
        rule("base", per_euro()),
        _in_group("beta", _times(20000)),
        _in_group("alpha", _times(20000)),
    )
    assert by_key.outcomes(by_key.order("A-1", 1000))["beta"]["reason"] == "excluded"


def test_groups_are_chosen_together(make_world: Make) -> None:
    world = _world(
        make_world,
        _in_group("amount", per_euro(), "earn"),
        _in_group("units", {"do": "points_per_unit", "points": 90}, "earn"),
        _in_group("double", _times(20000), "more"),
        _in_group("bonus", _add(95), "more"),
    )
    # One piece of 100.00: 100 × 2 = 200, 100 + 95, 90 × 2, 90 + 95.
    assert world.earned("A-1", 10000) == 200
    # Two pieces of 40.00: (80 or 180) × 2 or + 95: 360.
    assert world.earned("A-2", line("1", 4000, quantity=2)) == 360


def test_every_choice_of_groups_agrees_with_trying_all(make_world: Make) -> None:
    factors = {"a": 11000, "b": 13500, "c": 20000}
    bonuses = {"d": 10, "e": 25}
    world = _world(
        make_world,
        rule("base", per_euro()),
        *(_in_group(key, _times(bp), "one") for key, bp in factors.items()),
        *(_in_group(key, _add(number), "two") for key, number in bonuses.items()),
    )
    for number, minor in enumerate((1, 99, 1999, 8473)):
        # minor / 100 × factor / 10,000 + bonus, floored.
        best = max(
            (minor * bp + bonus * 1_000_000) // 1_000_000
            for bp, bonus in itertools.product(factors.values(), bonuses.values())
        )
        assert world.earned(f"A-{number}", minor) == best


def test_a_rule_whose_condition_fails_takes_no_part_in_its_group(make_world: Make) -> None:
    big = {"fact": "order.net_minor", "op": ">=", "value": 100000}
    world = _world(
        make_world,
        rule("base", per_euro()),
        _in_group("triple", _times(30000), when=big),
        _in_group("double", _times(20000)),
    )
    told = world.order("A-1", 5000)
    assert points(told) == 100
    assert world.outcomes(told)["triple"]["reason"] == "condition_not_met"


def test_multipliers_of_no_group_multiply_each_other_on_their_lines(make_world: Make) -> None:
    world = _world(
        make_world,
        rule("base", per_euro()),
        rule("half", _times(15000)),
        rule("shoes", _times(20000, lines=SHOES)),
    )
    # 20.00 shoes × 1.5 × 2 = 60; 9.99 × 1.5 = 14.985 → 74.985.
    lines = (line("1", 2000, categories=["shoes"]), line("2", 999))
    assert world.earned("A-1", *lines) == 74


def test_a_factor_below_one_takes_away(make_world: Make) -> None:
    world = _world(make_world, rule("base", per_euro()), rule("less", _times(5000)))
    told = world.order("A-1", 999)
    assert points(told) == 4  # 9.99 / 2 = 4.995
    assert sum(one["points"] for one in told["earned"][0]["breakdown"]) == 4


def test_amounts_add_up(make_world: Make) -> None:
    world = _world(
        make_world, rule("base", per_euro()), rule("shoes", per_euro(2) | {"lines": SHOES})
    )
    # 33.33 + 2 × 33.33 + 10.50 = 110.49.
    lines = (line("1", 3333, categories=["shoes"]), line("2", 1050))
    assert world.earned("A-1", *lines) == 110


def test_a_paused_rule_earns_nothing_and_says_so(make_world: Make) -> None:
    world = _world(make_world, rule("base", per_euro()), rule("bonus", _add(100), state="paused"))
    told = world.order("A-1", 1000)
    assert points(told) == 10
    outcome = world.outcomes(told)["bonus"]
    assert (outcome["is_fired"], outcome["reason"]) == (False, "not_live")


@pytest.mark.parametrize("tier_at", ["order_time", "new_tier", "split"])
@pytest.mark.parametrize("rounding", ["floor", "half_up", "ceil"])
def test_quotes_agree_with_awards_under_groups_and_tiers(
    make_world: Make, tier_at: str, rounding: str
) -> None:
    world = make_world(
        earning={
            "rounding": rounding,
            "tier_multiplier_at": tier_at,
            "rules": [
                rule("base", per_euro()),
                _in_group("shoes", _times(23333, lines=SHOES)),
                _in_group("bonus", _add(37)),
                rule("welcome", _add(5), when={"fact": "order.is_first", "op": "=", "value": True}),
            ],
        },
        tiers={
            "levels": [
                {"key": "silver", "enter_at": 5000, "multiplier_bp": 12500},
                {"key": "gold", "enter_at": 20000, "multiplier_bp": 17777},
            ]
        },
    )
    world.member()
    for number, minor in enumerate((1999, 3333, 4501, 12345, 777, 50000)):
        lines = (line("1", minor, categories=["shoes"]), line("2", minor // 3))
        at = f"2026-03-0{number + 1}T10:00:00Z"
        quote = world.quote(*lines, at=at)
        told = world.order(f"A-{number}", *lines, placed_at=at)
        assert points(quote) == points(told)
        assert quote["earned"][0]["breakdown"] == told["earned"][0]["breakdown"]
        assert quote["tier"] == told["tier"]


def test_a_quote_for_a_guest_earns_nothing(make_world: Make) -> None:
    world = _world(make_world, rule("base", per_euro()))
    cart = {"currency": "EUR", "lines": order(1000)["lines"]}
    assert world.post("/quotes", {"member_ref": None, "cart": cart})["earned"] == []

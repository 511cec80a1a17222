"""The impact of a draft: tiers counted, orders decided again, nothing written."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.checking import problem, rows
from tests.world import World, document, order, per_euro, rule

Make = Callable[..., World]
NOW = "2026-06-01T03:00:00Z"
TIERS: dict[str, Any] = {
    "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
    "term": {"policy": "from_entry", "duration": "P12M"},
    "grace": "P30D",
    "downgrade": "one_down",
}
SILVER, GOLD = {"key": "silver", "enter_at": 30_000}, {"key": "gold", "enter_at": 100_000}
LADDER = TIERS | {"levels": [SILVER, GOLD]}


def shop(make_world: Make, **changes: Any) -> World:
    """Mina has gold by 1,200.00, jun silver by 900.00, ara nothing by 200.00; sol is new."""
    world = make_world(**({"tiers": LADDER} | changes))
    world.set_clock(NOW)
    for ref, minor in {"mina": 120_000, "jun": 90_000, "ara": 20_000}.items():
        world.member(ref)
        world.order(f"A-{ref}", minor, member_ref=ref)
    world.member("sol")
    return world


def preview(world: World, body: dict[str, Any] | None = None, **changes: Any) -> Any:
    world.put("/program/draft", document(**changes))
    before = rows(world)
    answer = world.call("POST", "/program/draft/impact", body or {})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert rows(world) == before
    return answer.json


def move(before: str | None, after: str | None, members: int = 1) -> dict[str, Any]:
    return {"from": before, "to": after, "members": members}


def level(key: str, *members: int) -> dict[str, Any]:
    names = ("before", "after", "at_term_end_before", "at_term_end_after")
    return {"key": key} | {f"members_{name}": n for name, n in zip(names, members, strict=True)}


def test_the_same_ladder_changes_nobody(make_world: Make) -> None:
    found = preview(shop(make_world), tiers=LADDER)
    assert found["version"] == 1
    assert (found["tiers"]["now"], found["tiers"]["at_term_end"]) == ([], [])
    # Bought on 1 March 2026 and judged a year later: one down for gold, nothing for silver.
    assert found["tiers"]["levels"] == [level("silver", 1, 1, 1, 1), level("gold", 1, 1, 0, 0)]


def test_a_lowered_ladder_lifts_at_once_for_a_term_of_its_own(make_world: Make) -> None:
    lower = [{"key": "silver", "enter_at": 20_000}, {"key": "gold", "enter_at": 90_000}]
    found = preview(shop(make_world), tiers=TIERS | {"levels": lower})
    assert found["tiers"]["now"] == [move(None, "silver"), move("silver", "gold")]
    # Jun's term begins on 1 June, when the order of March is past its year: one down to silver.
    assert found["tiers"]["at_term_end"] == [move(None, "silver")]
    assert found["tiers"]["levels"] == [level("silver", 1, 1, 1, 2), level("gold", 1, 2, 0, 0)]


def test_a_raised_ladder_takes_effect_when_terms_are_over(make_world: Make) -> None:
    basis = {"basis": {"metric": "spend", "window": "lifetime"}}
    world = shop(make_world, tiers=LADDER | basis)
    raised = [SILVER, {"key": "gold", "enter_at": 150_000}]
    found = preview(world, tiers=TIERS | basis | {"levels": raised})
    assert found["tiers"]["now"] == []
    assert found["tiers"]["at_term_end"] == [move("gold", "silver")]
    assert found["tiers"]["levels"] == [level("silver", 1, 1, 1, 2), level("gold", 1, 1, 1, 0)]


def test_what_the_preview_counts_is_what_publishing_does(make_world: Make) -> None:
    world = shop(make_world)
    levels = [{"key": "silver", "enter_at": 20_000}, {"key": "black", "enter_at": 110_000}]
    found = preview(world, tiers=TIERS | {"levels": levels})
    assert found["tiers"]["now"] == [move(None, "silver"), move("gold", "black")]
    world.post("/program/draft/publish", {"note": "test"})
    world.post("/test-clock", {"advance": "PT1S"})
    assert [world.tier(ref)["key"] for ref in ("mina", "jun", "ara", "sol")] == [
        "black",
        "silver",
        "silver",
        None,
    ]
    # After terms and grace: mina is one down, jun and ara are at the bottom.
    world.post("/test-clock", {"now": "2027-12-01T00:00:00Z"})
    end = {one["key"]: one["members_at_term_end_after"] for one in found["tiers"]["levels"]}
    assert end == {"silver": 1, "gold": 0, "black": 0}
    assert [world.tier(ref)["key"] for ref in ("mina", "jun", "ara")] == ["silver", None, None]


def test_levels_given_by_hand_count_as_they_are_seen(make_world: Make) -> None:
    world = shop(make_world)
    given = {"key": "gold", "until": "2030-01-01T00:00:00Z", "reason": "press"}
    world.post("/members/sol/tier", given)
    raised = [SILVER, {"key": "gold", "enter_at": 500_000}]
    found = preview(world, tiers=TIERS | {"levels": raised})
    assert found["tiers"]["now"] == []
    assert found["tiers"]["levels"] == [level("silver", 1, 1, 1, 1), level("gold", 2, 2, 1, 1)]


def test_rules_win_and_lose_over_the_newest_orders(make_world: Make) -> None:
    world = make_world(earning={"rules": [rule("base", per_euro())]})
    world.set_clock(NOW)
    world.member()
    # 10, 20 and 30 points on three days, of which the first is not looked at.
    for number, (minor, day) in enumerate(((1_000, "01"), (2_000, "02"), (3_000, "04"))):
        world.order(f"A-{number}", minor, placed_at=f"2026-03-{day}T10:00:00Z")
    over_25 = {"fact": "order.net_minor", "op": ">=", "value": 2_500}
    draft = [
        rule("base", per_euro(2), when=over_25),
        rule("gift", {"do": "add_points", "points": 5}),
    ]
    found = preview(world, {"orders": 2}, earning={"rules": draft})
    assert (found["orders"], found["from"], found["to"]) == (
        2,
        "2026-03-02T10:00:00Z",
        "2026-03-04T10:00:00Z",
    )
    names = ("key", "fired_before", "fired_after", "points_before", "points_after", "won", "lost")
    expected = [("base", 2, 1, 50, 60, 0, 1), ("gift", 0, 2, 0, 10, 2, 0)]
    assert found["rules"] == [dict(zip(names, one, strict=True)) for one in expected]
    # Three days: 50 points are 16 a day, 70 are 23.
    assert found["points"] == [
        {
            "points_key": "points",
            "per_day_before": 16,
            "per_day_after": 23,
            "total_before": 50,
            "total_after": 70,
        }
    ]
    assert preview(world, {"orders": 0}, earning={"rules": draft})["rules"] == []


def test_limits_bind_the_orders_that_are_looked_at(make_world: Make) -> None:
    world = make_world(earning={"rules": [rule("base", per_euro())]})
    world.set_clock(NOW)
    for ref in ("mina", "jun"):
        world.member(ref)
    told = [("A-1", "mina", "01T10"), ("A-2", "mina", "01T11"), ("A-3", "mina", "02T10")]
    for ref, member, at in [*told, ("A-4", "jun", "01T10")]:
        world.order(ref, 10_000, member_ref=member, placed_at=f"2026-03-{at}:00:00Z")
    limits = [{"per": "member", "period": "day", "points": 150}]
    found = preview(world, earning={"rules": [rule("base", per_euro(), limits=limits)]})
    # 100 and 50 of mina's first day, 100 of her second, 100 of jun's.
    [base] = found["rules"]
    assert (base["points_before"], base["points_after"]) == (400, 350)
    assert any("limits" in note for note in found["notes"])


def test_orders_are_judged_as_they_stand_now(make_world: Make) -> None:
    world = make_world(earning={"rules": [rule("base", per_euro())]})
    world.set_clock(NOW)
    world.member()
    world.order("A-1", 10_000)
    refund = {"status": "succeeded", "amount_minor": 4_000, "refunded_at": "2026-03-05T10:00:00Z"}
    world.put("/orders/A-1/refunds/R-1", refund)
    world.put("/orders/A-2", order(5_000, status="cancelled"))
    found = preview(world, earning={"rules": [rule("base", per_euro(2))]})
    [points] = found["points"]
    assert (points["total_before"], points["total_after"]) == (60, 120)
    assert found["rules"][0]["fired_before"] == 1


@pytest.mark.parametrize("orders", [5_001, -1, "5"])
def test_the_number_of_orders_is_bounded(make_world: Make, orders: Any) -> None:
    world = make_world()
    answer = world.call("POST", "/program/draft/impact", {"orders": orders})
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/orders"


def test_what_a_switch_paused_stays_paused_in_the_preview(make_world: Make) -> None:
    bonus = rule("bonus", {"do": "add_points", "points": 7})
    earning = {"rules": [rule("base", per_euro()), bonus]}
    world = shop(make_world, earning=earning)
    world.post(
        "/switches", {"section": "rules", "key": "bonus", "state": "paused", "reason": "too much"}
    )
    found = preview(world, tiers=LADDER, earning=earning)
    # Three orders would win by it; as it is paused it is not in the comparison at all.
    assert [one["key"] for one in found["rules"]] == ["base"]

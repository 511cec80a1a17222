"""Tiers with terms, grace and calendar years: what time, late orders and refunds make of them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import BASE_RULE, World, document, line, order, points

#: Spend in cents: silver from 500.00, gold from 1,000.00, kept from 800.00.
LEVELS: list[dict[str, Any]] = [
    {"key": "silver", "enter_at": 50_000, "multiplier_bp": 15_000},
    {
        "key": "gold",
        "enter_at": 100_000,
        "retain_at": 80_000,
        "multiplier_bp": 20_000,
        "perks": [{"key": "lounge"}],
    },
]
TIERS: dict[str, Any] = {
    "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
    "term": {"policy": "from_entry", "duration": "P12M"},
    "grace": "P30D",
    "downgrade": "one_down",
    "levels": LEVELS,
}
YEAR: dict[str, Any] = {
    "basis": {"window": "calendar_year"},
    "term": {"policy": "calendar_year"},
    "downgrade": "full",
    "levels": LEVELS,
}
MARCH, OCTOBER = "2026-03-15T03:00:00Z", "2026-10-10T03:00:00Z"
Make = Callable[..., World]


def _shop(make_world: Make, tiers: dict[str, Any], now: str = "2026-01-05T00:00:00Z") -> World:
    made = make_world(tiers=tiers)
    made.post("/test-clock", {"now": now})
    made.member("mina")
    return made


def _go(world: World, now: str, *, is_worked: bool = True) -> dict[str, Any]:
    """Go to an instant, with the worker or without; the tier there."""
    if is_worked:
        world.post("/test-clock", {"now": now})
    else:
        world.set_clock(now)
    return _seen(world)


def _seen(world: World, ref: str = "mina") -> dict[str, Any]:
    names = ("key", "until", "grace_until", "at_risk")
    shown = world.tier(ref)
    return {name: shown[name] for name in names}


def _is(key: str | None, until: str | None, grace: str | None, risk: bool) -> dict[str, Any]:
    """A tier whose days end at midnight in Seoul, 15:00 of the day in UTC."""
    days = [None if day is None else f"{day}T15:00:00Z" for day in (until, grace)]
    return {"key": key, "until": days[0], "grace_until": days[1], "at_risk": risk}


def _clean(world: World) -> None:
    assert world.verify()["mismatches"] == []


def _buy_gold(world: World) -> dict[str, Any]:
    """D28: 600 on 15 March and 500 on 10 October 2026, noon in Seoul."""
    world.set_clock(MARCH)
    first = world.order("A-1", 60_000, placed_at=MARCH)
    assert first["tier"]["key"] == "silver"
    world.set_clock(OCTOBER)
    told: dict[str, Any] = world.order("A-2", 50_000, placed_at=OCTOBER)["tier"]
    return told


@pytest.mark.parametrize("is_worked", [True, False])
def test_window_and_term(make_world: Make, is_worked: bool) -> None:
    world = _shop(make_world, TIERS)
    told = _buy_gold(world)
    assert (told["key"], told["until"]) == ("gold", "2027-10-10T15:00:00Z")
    assert told["change"]["from"] == "silver"
    for now, expected in (
        ("2027-03-15T02:59:59Z", _is("gold", "2027-10-10", None, False)),
        ("2027-03-15T03:00:00Z", _is("gold", "2027-10-10", None, True)),
        ("2027-10-10T14:59:59Z", _is("gold", "2027-10-10", None, True)),
        ("2027-10-10T15:00:00Z", _is("gold", "2027-10-10", "2027-11-09", True)),
        ("2027-11-09T14:59:59Z", _is("gold", "2027-10-10", "2027-11-09", True)),
        ("2027-11-09T15:00:00Z", _is("silver", "2028-11-09", None, True)),
        ("2030-01-01T00:00:00Z", _is(None, None, None, False)),
    ):
        assert _go(world, now, is_worked=is_worked) == expected
        _clean(world)
    member = world.get("/members/mina")
    assert member["tier"]["key"] is None and member["entitlements"] == []


def test_full_leads_to_what_is_reached(make_world: Make) -> None:
    world = _shop(make_world, TIERS | {"downgrade": "full"})
    _buy_gold(world)
    assert _go(world, "2027-11-09T14:59:59Z")["key"] == "gold"
    assert _go(world, "2027-11-09T15:00:00Z") == _is(None, None, None, False)
    _clean(world)


def test_what_is_missing_and_what_comes_is_told(make_world: Make) -> None:
    world = _shop(make_world, TIERS)
    _buy_gold(world)
    _go(world, "2027-01-10T00:00:00Z")
    shown = world.tier()
    # 1,100 are in the window, and none of them on 10 October 2027 at the end of the day.
    [progress] = shown["progress"]
    assert (progress["value"], progress["next"]) == (110_000, None)
    assert progress["retain"] == {"missing": 80_000, "by": "2027-10-10T15:00:00Z"}
    assert (shown["projected"], shown["is_manual"]) == ("silver", False)
    told = world.order("A-3", 30_000, placed_at="2027-01-10T00:00:00Z")["tier"]
    assert told["progress"][0]["retain"]["missing"] == 50_000
    quoted = world.quote(20_000, at="2027-01-10T00:00:00Z")["tier"]
    assert quoted["progress"][0]["retain"]["missing"] == 30_000
    told = world.order("A-4", 50_000, placed_at="2027-01-10T00:00:00Z")["tier"]
    assert (told["progress"][0]["retain"]["missing"], told["projected"]) == (0, "gold")
    # The renewal starts at the old end, and the member is told nothing of 10 January.
    assert _go(world, "2027-10-10T15:00:00Z") == _is("gold", "2028-10-10", None, False)
    _clean(world)


def test_within_grace_the_level_is_kept_and_renewed(make_world: Make) -> None:
    world = _shop(make_world, TIERS)
    _buy_gold(world)
    assert _go(world, "2027-10-20T03:00:00Z")["grace_until"] == "2027-11-09T15:00:00Z"
    perks = world.get("/members/mina")["entitlements"]
    assert [(one["perk"], one["until"]) for one in perks] == [("lounge", "2027-11-09T15:00:00Z")]
    # Gold still: 500.00 at two points.
    half = world.order("A-3", 50_000, placed_at="2027-10-20T03:00:00Z")
    assert points(half) == 1_000
    [progress] = half["tier"]["progress"]
    assert progress["retain"] == {"missing": 30_000, "by": "2027-11-09T15:00:00Z"}
    _go(world, "2027-10-25T03:00:00Z")
    told = world.order("A-4", 30_000, placed_at="2027-10-25T03:00:00Z")["tier"]
    assert (told["key"], told["until"]) == ("gold", "2028-10-25T15:00:00Z")
    assert (told["grace_until"], told["at_risk"]) == (None, False)
    assert told["since"] == OCTOBER
    _clean(world)


@pytest.mark.parametrize("is_worked", [True, False])
def test_an_order_of_the_old_year_told_in_the_new_one(make_world: Make, is_worked: bool) -> None:
    # D29: 1,000 on 1 December 2026 are gold through 2027.
    world = _shop(make_world, YEAR)
    world.set_clock("2026-12-01T03:00:00Z")
    told = world.order("A-1", 100_000, placed_at="2026-12-01T03:00:00Z")["tier"]
    assert (told["key"], told["until"]) == ("gold", "2027-12-31T15:00:00Z")
    # 1 January in Seoul begins at 15:00: the window of the year is empty.
    assert _go(world, "2026-12-31T15:00:00Z", is_worked=is_worked)["at_risk"] is True
    world.set_clock("2027-11-01T03:00:00Z")
    world.order("A-2", 50_000, placed_at="2027-11-01T03:00:00Z")
    # 500 are not 800: gold is lost with the year; they reached silver, through the following year.
    lost = _go(world, "2028-01-03T03:00:00Z", is_worked=is_worked)
    assert lost == _is("silver", "2028-12-31", None, True)
    # But 300 of 28 December were still to be told.
    late = world.order("A-3", 30_000, placed_at="2027-12-28T03:00:00Z")
    assert points(late) == 600
    # Written by the worker or not, it was seen to be lost, and is not.
    assert ("change" in late["tier"]) is is_worked
    assert _seen(world) == _is("gold", "2028-12-31", None, True)
    assert world.tier()["since"] == "2026-12-01T03:00:00Z"
    _clean(world)


def test_a_late_order_within_the_term_earns_at_the_level_of_its_day(make_world: Make) -> None:
    world = _shop(make_world, TIERS)
    _buy_gold(world)
    # In August silver stood, though gold stands now.
    late = world.order("A-0", 10_000, placed_at="2026-08-01T03:00:00Z")
    assert points(late) == 150
    assert _seen(world) == _is("gold", "2027-10-10", None, False)
    _clean(world)


@pytest.mark.parametrize(
    ("on_refund", "kept", "later"),
    [("until_term_end", "gold", "silver"), ("immediate", "silver", "silver")],
)
def test_a_refund_after_an_upgrade(make_world: Make, on_refund: str, kept: str, later: str) -> None:
    # D30: of 1,100 the 500 that made gold are refunded.
    world = _shop(make_world, TIERS | {"on_refund": on_refund})
    _buy_gold(world)
    told = world.order("A-2", line("1", 50_000, refunded_minor=50_000), placed_at=OCTOBER)
    assert told["tier"]["key"] == kept
    assert told["tier"]["at_risk"] is (kept == "gold")
    _clean(world)
    # Given back in term, silver's own year runs on from March.
    seen = _go(world, "2027-10-10T14:59:59Z")
    assert seen["key"] == kept if on_refund == "until_term_end" else seen["key"] is None
    # Its term and grace over, nothing keeps gold: one down.
    assert _go(world, "2027-11-09T15:00:00Z")["key"] == (
        later if on_refund == "until_term_end" else None
    )
    _clean(world)


def test_bought_again_the_level_is_entered_again(make_world: Make) -> None:
    world = _shop(make_world, TIERS | {"on_refund": "immediate"})
    _buy_gold(world)
    world.order("A-2", line("1", 50_000, refunded_minor=50_000), placed_at=OCTOBER)
    world.set_clock("2026-10-20T03:00:00Z")
    told = world.order("A-3", 40_000, placed_at="2026-10-20T03:00:00Z")["tier"]
    assert (told["key"], told["until"]) == ("gold", "2027-10-20T15:00:00Z")
    _clean(world)


def test_a_raised_ladder_keeps_members_to_the_end_of_their_term(make_world: Make) -> None:
    # D31: gold now takes 2,000, and 1,500 to be kept.
    world = _shop(make_world, TIERS)
    _buy_gold(world)
    raised = [LEVELS[0], LEVELS[1] | {"enter_at": 200_000, "retain_at": 150_000}]
    world.publish(tiers=TIERS | {"levels": raised})
    world.set_clock("2026-11-01T00:00:00Z")
    assert _seen(world)["key"] == "gold"
    assert world.order("A-3", 1_000, placed_at="2026-11-01T00:00:00Z")["tier"]["key"] == "gold"
    # Neither a refund nor a late order takes what was promised.
    world.order("A-3", line("1", 1_000, refunded_minor=1_000), placed_at="2026-11-01T00:00:00Z")
    late = world.order("A-4", 1_000, placed_at="2026-08-01T00:00:00Z")["tier"]
    assert (late["key"], late["until"]) == ("gold", "2027-10-10T15:00:00Z")
    assert _go(world, "2027-11-09T15:00:00Z")["key"] == "silver"
    _clean(world)


def test_a_lowered_ladder_lifts_whoever_is_looked_at(make_world: Make) -> None:
    world = _shop(make_world, TIERS)
    world.set_clock(MARCH)
    world.order("A-1", 60_000, placed_at=MARCH)
    lowered = [LEVELS[0], LEVELS[1] | {"enter_at": 60_000, "retain_at": 60_000}]
    world.publish(tiers=TIERS | {"levels": lowered})
    world.set_clock("2026-04-01T00:00:00Z")
    assert _seen(world)["key"] == "gold"
    quoted = world.quote(10_000, at="2026-04-01T00:00:00Z")
    told = world.order("A-2", 10_000, placed_at="2026-04-01T00:00:00Z")
    assert points(told) == points(quoted) == 200
    _clean(world)


def test_a_ladder_that_gets_terms_begins_them_when_it_is_looked_at(make_world: Make) -> None:
    world = _shop(make_world, {"levels": LEVELS})
    world.set_clock(MARCH)
    world.order("A-1", 120_000, placed_at=MARCH)
    assert _seen(world) == _is("gold", None, None, False)
    world.publish(tiers=TIERS)
    assert world.tier()["key"] == "gold"
    _clean(world)


def test_several_metrics_are_required_together(make_world: Make) -> None:
    levels = [{"key": "gold", "enter_at": {"spend": 100_000, "orders": 3}}]
    tiers = {"basis": {"metric": ["spend", "orders"]}, "levels": levels}
    world = _shop(make_world, tiers)
    world.set_clock(MARCH)
    told = world.order("A-1", 150_000, placed_at=MARCH)["tier"]
    assert told["key"] is None
    assert [(one["metric"], one["value"]) for one in told["progress"]] == [
        ("spend", 150_000),
        ("orders", 1),
    ]
    assert [one["next"]["missing"] for one in told["progress"]] == [0, 2]
    world.order("A-2", 100, placed_at=MARCH)
    assert world.order("A-3", 100, placed_at=MARCH)["tier"]["key"] == "gold"
    decision = world.get(f"/decisions/{world.get('/orders/A-3')['decision_id']}")
    assert decision["tier"]["metric_before"] == [150_100, 2]
    gone = world.order("A-2", line("1", 100, refunded_minor=100), placed_at=MARCH)
    assert gone["tier"]["key"] is None
    _clean(world)


def test_one_of_several_metrics_may_be_enough(make_world: Make) -> None:
    levels = [{"key": "gold", "enter_at": {"spend": 100_000, "orders": 2}}]
    basis = {"metric": ["spend", "orders"], "require": "any"}
    world = _shop(make_world, {"basis": basis, "levels": levels})
    world.set_clock(MARCH)
    world.order("A-1", 100, placed_at=MARCH)
    assert world.order("A-2", 100, placed_at=MARCH)["tier"]["key"] == "gold"
    _clean(world)


def test_merged_members_keep_the_better_tier_to_its_end(make_world: Make) -> None:
    world = _shop(make_world, TIERS)
    world.member("jun")
    _buy_gold(world)
    world.set_clock("2026-12-01T03:00:00Z")
    world.order("B-1", 50_000, placed_at="2026-12-01T03:00:00Z", member_ref="jun")
    merged = world.post("/members/mina/merge", {"into_member_ref": "jun"})["member"]
    assert merged["tier"]["key"] == "gold"
    assert merged["tier"]["until"] == "2027-10-10T15:00:00Z"
    _clean(world)
    # The 500 of December alone are in the window then: grace, and one down.
    assert _go(world, "2027-11-09T15:00:00Z") | {"key": "x"} == _is("x", None, None, False) | {
        "until": world.tier("jun")["until"],
        "at_risk": world.tier("jun")["at_risk"],
    }
    assert world.tier("jun")["key"] == "silver"
    _clean(world)


def test_the_past_is_seen_as_it_was(make_world: Make) -> None:
    world = _shop(make_world, TIERS)
    _buy_gold(world)
    _go(world, "2027-12-01T00:00:00Z")
    seen = [
        world.get(f"/members/mina/tier?as_of={at}")["key"]
        for at in (MARCH, OCTOBER, "2027-10-20T00:00:00Z", "2027-11-20T00:00:00Z")
    ]
    assert seen == ["silver", "gold", "gold", "silver"]


def test_a_paused_level_is_not_entered_and_gives_nothing_until_it_is_live(
    make_world: Make,
) -> None:
    world = _shop(make_world, TIERS)
    _buy_gold(world)
    world.member("jun")
    pause = {"section": "levels", "key": "gold", "state": "paused", "reason": "the lounge burned"}
    world.post("/switches", pause)
    assert _seen(world)["key"] == "gold"
    assert world.get("/members/mina")["entitlements"] == []
    world.set_clock("2026-10-11T03:00:00Z")
    own = {"placed_at": "2026-10-11T03:00:00Z"}
    assert points(world.order("A-3", 10_000, **own)) == 100
    jun = world.order("B-1", 150_000, member_ref="jun", **own)["tier"]
    assert (jun["key"], jun["progress"][0]["next"]) == ("silver", None)
    _clean(world)
    world.post("/switches", pause | {"state": "live"})
    assert _seen(world, "jun")["key"] == "gold"
    assert points(world.order("A-4", 10_000, **own)) == 200
    _clean(world)


def test_a_batch_is_decided_as_its_orders_alone_are(make_world: Make) -> None:
    together, alone = (_shop(make_world, TIERS, "2028-02-01T00:00:00Z") for _ in range(2))
    told = [
        (MARCH, 60_000),
        (OCTOBER, 50_000),
        ("2027-10-20T03:00:00Z", 50_000),
        ("2027-10-25T03:00:00Z", 30_000),
        ("2027-10-26T03:00:00Z", 10_000),
    ]
    for number, (at, minor) in enumerate(told):
        alone.order(f"A-{number}", minor, placed_at=at)
    orders = [
        {"order_ref": f"A-{number}"} | order(minor, placed_at=at)
        for number, (at, minor) in enumerate(told)
    ]
    together.post("/orders/batch", {"orders": orders})
    expected = _is("gold", "2028-10-25", None, False)
    assert _seen(alone) == _seen(together) == expected
    # 600 + 500 × 1.5 + (500 + 300 + 100) × 2: the level of each day multiplies.
    assert alone.balance() == together.balance() == 600 + 750 + 1_800
    _clean(alone)
    _clean(together)


@pytest.mark.parametrize(
    ("tiers", "pointer"),
    [
        ({"downgrade": "one_down", "levels": LEVELS}, "/tiers/downgrade"),
        ({"grace": "P30D", "levels": LEVELS}, "/tiers/grace"),
        (TIERS | {"grace": "PT5H"}, "/tiers/grace"),
        (TIERS | {"term": {"policy": "from_entry", "duration": "P0D"}}, "/tiers/term/duration"),
        (
            TIERS | {"basis": {"window": "rolling", "duration": "PT0S"}},
            "/tiers/basis/duration",
        ),
        (
            {"basis": {"metric": ["spend", "orders"]}, "levels": [{"key": "gold", "enter_at": 5}]},
            "/tiers/levels/0/enter_at",
        ),
        (
            {
                "basis": {"metric": ["spend", "orders"]},
                "levels": [
                    {"key": "silver", "enter_at": {"spend": 5, "orders": 9}},
                    {"key": "gold", "enter_at": {"spend": 9, "orders": 5}},
                ],
            },
            "/tiers/levels/1/enter_at",
        ),
        ({"levels": [{"key": "vip", "retain_at": 5}]}, "/tiers/levels/0/retain_at"),
    ],
)
def test_a_ladder_that_means_nothing_is_refused(
    make_world: Make, tiers: dict[str, Any], pointer: str
) -> None:
    world = make_world()
    answer = world.call("PUT", "/program/draft", document(tiers=tiers))
    assert answer.status_code == 422
    assert pointer in [one["pointer"] for one in answer.json["errors"]]


def test_no_order_is_split_between_several_metrics(make_world: Make) -> None:
    levels = [{"key": "gold", "enter_at": {"spend": 9, "orders": 5}}]
    tiers = {"basis": {"metric": ["spend", "orders"]}, "levels": levels}
    earning = {"rules": [BASE_RULE], "tier_multiplier_at": "split"}
    answer = make_world().call("PUT", "/program/draft", document(tiers=tiers, earning=earning))
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json["errors"]] == ["/earning/tier_multiplier_at"]

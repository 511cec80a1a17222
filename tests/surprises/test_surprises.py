"""Surprises of orders: guards in their order, prizes that stand with what caused them."""

from typing import Any

from tests.world import World, points

NOTE = {"en": "Thank you! {{points}} points for you.", "ko": "감사합니다! {{points}}점을 드려요."}


def surprise(key: str = "luck", **more: Any) -> dict[str, Any]:
    """One that always gives 7 points, changed where a test says so."""
    prizes = [{"effects": [{"do": "add_points", "points": 7}], "note": NOTE}]
    return {"key": key, "prizes": prizes} | more


def won(answer: Any) -> list[str]:
    """The keys of the surprises that an answer tells of."""
    return [one["key"] for one in answer["surprises"]]


def test_a_surprise_comes_with_its_order_and_goes_with_it(make_world: Any) -> None:
    world: World = make_world(surprises=[surprise()])
    world.member()
    told = world.order("A-1", 1000)
    assert won(told) == ["luck"]
    [one] = told["surprises"]
    assert one["prize"] == 0
    assert [award["points"] for award in one["awards"]] == [7]
    assert one["draw_id"].startswith("drw_")
    assert points(told) == 10
    assert world.balance() == 17
    # Told again it answers the same, and nothing is drawn.
    again = world.order("A-1", 1000)
    assert again["surprises"] == told["surprises"]
    assert world.balance() == 17
    # A partial refund leaves it, a cancelled order takes it, a re-paid one gives it back.
    world.put(
        "/orders/A-1/refunds/R-1",
        {
            "refunded_at": "2026-03-02T10:00:00Z",
            "amount_minor": 400,
        },
    )
    assert world.balance() == 13
    gone = world.order("A-1", 1000, status="cancelled", revision=2)
    assert gone["surprises"] == []
    assert world.balance() == 0
    back = world.order("A-1", 1000, revision=3)
    assert [one["draw_id"] for one in back["surprises"]] == [one["draw_id"]]
    assert world.balance() == 13
    assert world.verify()["mismatches"] == []


def test_one_of_a_group_is_won_and_the_others_keep_their_cooldown(make_world: Any) -> None:
    # SEMANTICS 58: birthday (10), fifth order (20), luck (30).
    world: World = make_world(
        surprises=[
            surprise("luck", priority=30, group="luck", cooldown="P30D"),
            surprise(
                "birthday",
                priority=10,
                group="luck",
                when={"fact": "order.channel", "op": "=", "value": "birthday"},
            ),
            surprise("fifth", priority=20, group="luck", cooldown="P30D"),
        ]
    )
    world.member()
    assert won(world.order("A-1", 1000, channel="birthday")) == ["birthday"]
    # The cool-down of those that were excluded has not begun.
    assert won(world.order("A-2", 1000, channel="web")) == ["fifth"]
    assert won(world.order("A-3", 1000, channel="web")) == ["luck"]
    assert won(world.order("A-4", 1000, channel="web")) == []


def test_a_cooldown_is_half_open(make_world: Any) -> None:
    world: World = make_world(surprises=[surprise(cooldown="P30D")])
    world.member()
    assert won(world.order("A-1", 1000, placed_at="2026-01-01T10:00:00Z")) == ["luck"]
    assert won(world.order("A-2", 1000, placed_at="2026-01-31T09:59:59Z")) == []
    assert won(world.order("A-3", 1000, placed_at="2026-01-31T10:00:00Z")) == ["luck"]


def test_a_budget_is_never_overspent(make_world: Any) -> None:
    world: World = make_world(
        surprises=[surprise(budget={"unit": "points", "total": 20}, limits=[])]
    )
    world.member()
    got = [won(world.order(f"A-{number}", 1000)) for number in range(4)]
    assert got == [["luck"], ["luck"], [], []]
    # What falls gives its part back to whoever comes next.
    world.order("A-0", 1000, status="cancelled", revision=2)
    assert won(world.order("A-5", 1000)) == ["luck"]
    # The one that stands again finds it taken.
    assert won(world.order("A-0", 1000, revision=3)) == []
    assert world.verify()["mismatches"] == []

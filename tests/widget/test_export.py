"""The export: everything that is held on a member, whole and for them alone."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.widget.browsing import ask, mine, token, told
from tests.world import World, line
from widget import export

MakeWorld = Callable[..., World]


def test_everything_that_was_told_and_came_of_it_is_there(make_world: MakeWorld) -> None:
    world = make_world(
        rewards=[
            {
                "key": "card",
                "kind": "gift_card",
                "value": {"minor": 1000},
                "cost_points": 40,
                "voucher": {"valid_for": "P30D"},
            }
        ],
        tiers={"basis": {"metric": "points"}, "levels": [{"key": "silver", "enter_at": 50}]},
    )
    world.set_clock("2026-03-02T10:00:00Z")
    consent = {"purpose": "terms", "is_granted": True, "at": "2026-01-01T00:00:00Z", "source": "x"}
    world.member(
        "mina", email="m@example.org", phone="+82101234", attributes={"a": 1}, consents=[consent]
    )
    world.order("A-1", line("1", 6000, name="Mug"), attributes={"gift": True}, codes=["SPRING"])
    world.put(
        "/orders/A-1/refunds/R-1", {"refunded_at": "2026-03-02T09:00:00Z", "amount_minor": 100}
    )
    visit = {"member_ref": "mina", "kind": "visit", "occurred_at": "2026-03-01T10:00:00Z"}
    world.put("/activities/V-1", visit | {"facts": {"minutes": 20}})
    answer = ask(world, "POST", "/me/redemptions", {"reward": "card"}, credential=token(world))
    redemption = told(answer, 201)["redemption"]
    world.post(f"/redemptions/{redemption['id']}/capture", {})
    held = token(world)
    response = ask(world, "GET", "/me/export", credential=held)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Disposition"] == "attachment; filename=member-data.json"
    found = told(response)
    assert found["exported_at"] == "2026-03-02T10:00:00Z"
    member = found["member"]
    assert (member["email"], member["phone"]) == ("m@example.org", "+82101234")
    assert (member["attributes"], member["earlier_refs"]) == ({"a": 1}, [])
    assert len(member["consents"]) == 1
    [order] = found["orders"]
    assert (order["order_ref"], order["status"]) == ("A-1", "paid")
    assert order["placed_at"] == "2026-03-01T10:00:00Z"
    assert order["lines"][0]["name"] == "Mug"
    assert (order["attributes"], order["codes"]) == ({"gift": True}, ["SPRING"])
    assert (order["net_minor"], order["refunded_minor"]) == (5900, 100)
    [refund] = order["refunds"]
    assert (refund["refund_ref"], refund["amount_minor"]) == ("R-1", 100)
    assert refund["refunded_at"] == "2026-03-02T09:00:00Z"
    [activity] = found["activities"]
    assert (activity["activity_ref"], activity["facts"]) == ("V-1", {"minutes": 20})
    # 60 earned, one taken back, 40 held and then spent.
    kinds = [one["kind"] for one in found["entries"]]
    assert kinds == ["earn", "claw_back", "hold", "capture"]
    assert [one["remaining"] for one in found["lots"]] == [19]
    assert [one["to"] for one in found["tier_changes"]] == ["silver"]
    assert [one["id"] for one in found["redemptions"]] == [redemption["id"]]
    [voucher] = found["vouchers"]
    assert voucher["code"] == redemption["voucher"]["code"]
    assert (voucher["state"], voucher["remaining_minor"]) == ("active", 1000)
    sources = [(one["source"]["type"], one["source"]["ref"]) for one in found["decisions"]]
    assert ("order", "A-1") in sources and ("activity", "V-1") in sources
    assert found["decisions"][0]["facts"]["member.joined_on"] == "2026-01-01"


def test_lists_longer_than_a_read_come_whole(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    for ref in ("mina", "jun"):
        world.member(ref)
        for number in range(7):
            world.order(f"{ref}-{number}", 100, member_ref=ref)
    whole = mine(world, "/export")
    for rows in (1, 2, 7, 8):
        monkeypatch.setattr(export, "_ROWS", rows)
        again = mine(world, "/export")
        assert again | {"exported_at": None} == whole | {"exported_at": None}
    assert [one["order_ref"] for one in whole["orders"]] == [f"mina-{one}" for one in range(7)]
    assert len(whole["entries"]) == len(whole["lots"]) == 7


def test_whoever_was_merged_into_a_member_is_in_their_export(make_world: MakeWorld) -> None:
    world = make_world()
    for ref in ("mina", "jun"):
        world.member(ref)
        world.order(f"A-{ref}", 1000, member_ref=ref)
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    found = mine(world, "/export", "jun")
    assert found["member"]["earlier_refs"] == ["mina"]
    assert {one["order_ref"] for one in found["orders"]} == {"A-mina", "A-jun"}
    assert found["balances"][0]["available"] == 20


def test_a_member_of_nothing_has_empty_lists(make_world: MakeWorld) -> None:
    world = make_world()
    world.member("mina")
    found: Any = mine(world, "/export")
    for name in ("entries", "lots", "orders", "activities", "redemptions", "vouchers"):
        assert found[name] == []

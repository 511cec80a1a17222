"""Pools of imported codes: told apart in any spelling, bound once, back when given up."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World

Make = Callable[..., World]
POOLED = {
    "key": "partner",
    "kind": "custom",
    "cost_points": 10,
    "voucher": {"pool": "cinema", "valid_for": "P10D"},
}


@pytest.fixture
def shop(make_world: Make) -> World:
    """Mina and Jun with 1,000 points each, and a reward of a pool."""
    world = make_world(rewards=[POOLED])
    world.set_clock("2026-03-01T12:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
        world.post(
            "/adjustments", {"member_ref": ref, "points": 1000, "reason": "start"}, status=201
        )
    return world


def put_text(world: World, text: bytes, key: str = "cinema", **more: Any) -> Any:
    """Import lines."""
    return world.app.test_client().put(
        f"/v1/voucher-pools/{key}",
        data=text,
        content_type=more.get("content_type", "text/plain"),
        headers={"Authorization": f"Bearer {world.key}"},
    )


def held(world: World, member_ref: str = "mina", *, status: int = 201) -> Any:
    """Hold the reward of the pool."""
    body = {"member_ref": member_ref, "reward": "partner"}
    answer = world.post("/redemptions", body, status=status)
    return answer["redemption"] if status == 201 else answer


def test_an_import_says_what_is_new_and_the_same_again_adds_nothing(shop: World) -> None:
    codes = ["AAAA-1111", "BBBB-2222", "aaaa lll1", "", "CCCC-3333"]
    told = shop.put("/voucher-pools/cinema", {"codes": codes})
    assert told == {
        "pool": "cinema",
        "added": 3,
        "already_there": 0,
        "duplicates": [{"line": 3, "code": "aaaa lll1", "reason": "repeated"}],
        "total": 3,
        "free": 3,
    }
    again = shop.put("/voucher-pools/cinema", {"codes": codes})
    assert (again["added"], again["already_there"], again["total"]) == (0, 3, 3)
    other = shop.put("/voucher-pools/other", {"codes": ["BBBB2222", "DDDD-4444"]})
    assert (other["added"], other["already_there"]) == (1, 0)
    assert other["duplicates"] == [{"line": 1, "code": "BBBB2222", "reason": "taken"}]
    assert shop.get("/voucher-pools/cinema") == {"pool": "cinema", "total": 3, "free": 3}


def test_pools_of_programs_do_not_meet(shop: World, make_world: Make) -> None:
    shop.put("/voucher-pools/cinema", {"codes": ["AAAA-1111"]})
    told = make_world().put("/voucher-pools/cinema", {"codes": ["AAAA-1111"]})
    assert (told["added"], told["duplicates"]) == (1, [])


def test_lines_are_read_as_text(shop: World) -> None:
    told = put_text(shop, "\ufeffAAAA-1111\r\nBBBB-2222\n\n  CCCC-3333 \nAAAA1111".encode())
    assert told.status_code == 200, told.get_data(as_text=True)
    assert told.json["added"] == 3
    assert told.json["duplicates"] == [{"line": 5, "code": "AAAA1111", "reason": "repeated"}]
    assert shop.get("/vouchers/CCCC3333")["code"] == "CCCC-3333"


@pytest.mark.parametrize("bad", ["A-1", "x" * 129, "AB\x07CD", "-" * 20])
def test_what_is_no_code_is_named_by_its_line_and_nothing_is_added(shop: World, bad: str) -> None:
    told = put_text(shop, f"AAAA-1111\n{bad}\n".encode())
    assert told.status_code == 422
    assert told.json["errors"][0]["pointer"] == "/codes/1"
    assert shop.call("GET", "/voucher-pools/cinema").status_code == 404


def test_other_bodies_are_refused(shop: World) -> None:
    assert put_text(shop, b"AAAA-1111", content_type="text/csv").status_code == 415
    assert put_text(shop, b"AAAA-1111", "Bad Key").status_code == 422
    large = b"AAAA-1111\n" * (17 * 1024 * 1024 // 10)
    told = put_text(shop, large)
    assert (told.status_code, told.json["code"]) == (413, "payload_too_large")
    assert put_text(shop, b"AAAA-\xff111").status_code == 422


def test_a_hundred_thousand_codes_of_more_than_a_mebibyte(shop: World) -> None:
    if not shop.is_postgresql:
        pytest.skip("the hundred thousand are for the database of production")
    lines = b"\n".join(b"CINEMA-%08d" % number for number in range(100_000))
    assert len(lines) > 1024 * 1024
    told = put_text(shop, lines)
    assert told.status_code == 200, told.get_data(as_text=True)
    assert (told.json["added"], told.json["free"]) == (100_000, 100_000)
    # The same that were cut off in the middle: the rest is added.
    again = put_text(shop, lines[: 16 * 5000] + b"CINEMA-X0000001")
    assert (again.json["added"], again.json["already_there"]) == (1, 5000)
    assert held(shop)["voucher"]["code"].startswith("CINEMA-")


def test_codes_are_bound_while_held_and_go_back_when_given_up(shop: World) -> None:
    shop.put("/voucher-pools/cinema", {"codes": ["AAAA-1111", "BBBB-2222"]})
    first, second = held(shop), held(shop, "jun")
    assert {one["voucher"]["code"] for one in (first, second)} == {"AAAA-1111", "BBBB-2222"}
    assert shop.get("/voucher-pools/cinema")["free"] == 0
    told = held(shop, status=409)
    assert told["code"] == "out_of_stock" and shop.balance() == 990
    shop.post(f"/redemptions/{first['id']}/release")
    assert shop.get("/voucher-pools/cinema")["free"] == 1
    assert shop.get("/vouchers/aaaa1111")["state"] == "frozen"
    assert shop.get(f"/redemptions/{first['id']}")["voucher"] is None
    third = held(shop, "jun")
    assert third["voucher"]["code"] == first["voucher"]["code"]
    # 1 March in Seoul: through 11 March.
    assert third["voucher"]["expires_at"] == "2026-03-11T15:00:00Z"
    shop.set_clock("2026-03-01T13:00:00Z")
    assert held(shop)["voucher"]["code"] in ("AAAA-1111", "BBBB-2222")


def test_a_code_that_waits_in_its_pool_cannot_be_used(shop: World) -> None:
    shop.put("/voucher-pools/cinema", {"codes": ["AAAA-1111"]})
    shop.post("/vouchers/AAAA-1111/redeem", {"order_ref": "A-1"}, status=404)
    told = shop.order("A-1", 1000, codes=["AAAA-1111"])
    assert [one["code"] for one in told["problems"]] == ["not_found"]


def test_a_captured_code_is_used_and_one_that_is_reversed_is_void(shop: World) -> None:
    shop.put("/voucher-pools/cinema", {"codes": ["AAAA-1111"]})
    found = held(shop)
    shop.post(f"/redemptions/{found['id']}/capture", {})
    assert shop.get("/vouchers/AAAA1111")["state"] == "active"
    shop.post(f"/redemptions/{found['id']}/reverse", {"reason": "x"})
    # Its owner has seen it: nobody else gets it.
    assert shop.get("/vouchers/AAAA1111")["state"] == "void"
    assert held(shop, status=409)["code"] == "out_of_stock"


def test_an_unknown_pool_is_not_found(shop: World) -> None:
    assert shop.call("GET", "/voucher-pools/nowhere").status_code == 404
    assert held(shop, status=409)["code"] == "out_of_stock"

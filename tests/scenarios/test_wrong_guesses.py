"""Wrong guesses are counted by member, address and key, and end in 429 (SEMANTICS E38)."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core import clock
from rewards import guesses
from tests.contract import checking
from tests.world import World

Make = Callable[..., World]
REWARD = {
    "key": "tenner",
    "kind": "discount_amount",
    "value": {"minor": 1000},
    "cost_points": 0,
    "voucher": {},
}
_numbers = itertools.count()


@pytest.fixture
def shop(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> World:
    """Mina and Jun, and a machine's clock that stands still."""
    world = make_world(rewards=[REWARD])
    for ref in ("mina", "jun"):
        world.member(ref)
    stand(monkeypatch, 1_800_000_000)
    return world


def stand(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let the machine's clock of the guesses stand still."""

    class Still:
        SECOND = clock.SECOND
        Instant = clock.Instant

        @staticmethod
        def system_now() -> int:
            return seconds * clock.SECOND

    monkeypatch.setattr(guesses, "clock", Still)


def wrong() -> str:
    """A code that is none, each time another."""
    return f"NONE-{next(_numbers):08d}"


def code_of(world: World, member_ref: str = "mina") -> str:
    """A live code."""
    body = {"member_ref": member_ref, "reward": "tenner"}
    held = world.post("/redemptions", body, status=201)["redemption"]
    found: str = held["voucher"]["code"]
    return found


def guess(world: World, code: str, **more: Any) -> Any:
    """Try a code at the address of vouchers."""
    body = {"order_ref": f"A-{next(_numbers)}"} | more
    return world.call(
        "POST",
        f"/vouchers/{code}/redeem",
        body,
        headers={"Idempotency-Key": f"guess-{next(_numbers)}"},
    )


def test_after_ten_wrong_codes_a_member_is_refused_right_or_wrong(shop: World) -> None:
    right = code_of(shop)
    for _ in range(10):
        assert guess(shop, wrong(), member_ref="mina").status_code == 404
    for code in (right, wrong()):
        told = guess(shop, code, member_ref="mina")
        checking.problem(told, 429, "rate_limited")
        assert told.headers["Retry-After"] == "900"
    # Under our own id they are the same member; others are others.
    member_id = shop.get("/members/mina")["id"]
    assert guess(shop, wrong(), member_ref=member_id).status_code == 429
    assert guess(shop, wrong(), member_ref="jun").status_code == 404
    assert shop.get(f"/vouchers/{right}")["state"] == "frozen"


def test_a_window_moves_on(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    right, start = code_of(shop), 1_800_000_000
    for minute in range(10):
        stand(monkeypatch, start + 60 * minute)
        guess(shop, wrong(), member_ref="mina")
    stand(monkeypatch, start + 14 * 60)
    told = guess(shop, right, member_ref="mina")
    # The first one is fifteen minutes ago a minute from now.
    assert (told.status_code, told.headers["Retry-After"]) == (429, "60")
    stand(monkeypatch, start + 15 * 60)
    assert guess(shop, right, member_ref="mina").status_code == 201


def test_the_same_wrong_code_again_is_no_further_guess(shop: World) -> None:
    code = wrong()
    for _ in range(15):
        assert guess(shop, code, member_ref="mina").status_code == 404
    for _ in range(9):
        assert guess(shop, wrong(), member_ref="mina").status_code == 404
    assert guess(shop, code, member_ref="mina").status_code == 429


def test_addresses_are_counted_beside_members(shop: World) -> None:
    for number in range(10):
        who = "mina" if number % 2 else "jun"
        guess(shop, wrong(), member_ref=who, visitor={"ip": "203.0.113.9"})
    assert guess(shop, wrong(), visitor={"ip": "203.0.113.9"}).status_code == 429
    assert guess(shop, wrong(), visitor={"ip": "::ffff:203.0.113.9"}).status_code == 429
    assert guess(shop, wrong(), visitor={"ip": "203.0.113.10"}).status_code == 404
    # Each of them has tried five.
    assert guess(shop, wrong(), member_ref="mina").status_code == 404


def test_addresses_of_one_household_are_one() -> None:
    assert guesses.address("2001:db8::1") == guesses.address("2001:db8::ffff:1")
    assert guesses.address("2001:db8::1") != guesses.address("2001:db8:0:1::1")
    assert guesses.address("fe80::1%eth0") == guesses.address("fe80::2")
    # Whoever makes addresses up is no one of many.
    assert guesses.address("nonsense") is None and guesses.address("203.0.113.9:80") is None


def test_used_and_foreign_codes_are_guesses_too(shop: World) -> None:
    used = code_of(shop)
    assert guess(shop, used, member_ref="mina").status_code == 201
    others = [code_of(shop, "jun") for _ in range(9)]
    for code in (used, *others):
        assert guess(shop, code, member_ref="mina").status_code == 404
    assert guess(shop, code_of(shop), member_ref="mina").status_code == 429


def test_quotes_count_what_they_are_asked(make_world: Make, shop: World) -> None:
    right = code_of(shop)
    for _ in range(4):
        told = shop.quote(2000, codes=[wrong(), wrong(), right])["codes"]
        assert [one["is_valid"] for one in told] == [False, False, True]
    # Two more are looked at, and nobody learns what the third one is.
    told = shop.quote(2000, codes=[wrong(), wrong(), right])["codes"]
    assert [one["reason"] for one in told] == ["NOT_FOUND", "NOT_FOUND", "RATE_LIMITED"]
    cart = {"currency": "EUR", "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 5}]}
    asked = {"member_ref": "mina", "cart": cart | {"codes": [right]}}
    checking.problem(shop.call("POST", "/quotes", asked), 429, "rate_limited")
    # Without a code the checkout goes on.
    assert shop.call("POST", "/quotes", {"member_ref": "mina", "cart": cart}).status_code == 200


def test_codes_that_rules_ask_for_are_no_guesses(make_world: Make) -> None:
    rule = {
        "key": "spring",
        "trigger": "order",
        "when": {"fact": "order.codes", "op": "contains", "value": "SPRING"},
        "effect": {"do": "add_points", "points": 5},
    }
    world = make_world(earning={"rules": [rule]})
    world.member("mina")
    world.quote(2000, codes=["Spring", wrong()])
    assert len(checking.rows(world)["wrong_guesses"]) == 2


def test_orders_tell_facts_and_are_no_guesses(shop: World) -> None:
    shop.order("A-1", 5000, codes=[wrong() for _ in range(20)])
    assert checking.rows(shop)["wrong_guesses"] == []


def test_a_key_that_names_nobody_is_counted_more_generously(shop: World) -> None:
    settings = shop.app.extensions["dangol.settings"]
    shop.app.extensions["dangol.settings"] = replace(settings, voucher_guesses_per_key=12)
    try:
        for _ in range(12):
            assert shop.call("GET", f"/vouchers/{wrong()}").status_code == 404
        right = code_of(shop)
        checking.problem(shop.call("GET", f"/vouchers/{right}"), 429, "rate_limited")
        assert guess(shop, right, member_ref="mina").status_code == 201
    finally:
        shop.app.extensions["dangol.settings"] = settings


def test_what_is_counted_names_nobody_and_is_forgotten(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = wrong()
    guess(shop, code, member_ref="mina", visitor={"ip": "203.0.113.9"})
    stored = checking.rows(shop)["wrong_guesses"]
    assert len(stored) == 4
    assert code not in repr(stored) and "203.0" not in repr(stored)
    stand(monkeypatch, 1_800_000_000 + 3600)
    with shop.app.app_context():
        guesses.forget_old(clock.Instant((1_800_000_000 + 3600) * clock.SECOND))
    assert checking.rows(shop)["wrong_guesses"] == []


def ours() -> str:
    """A code that reads like one that the program made, and is none; each time another."""
    return f"ZZZZ-ZZZZ-{next(_numbers):05d}"


def test_an_order_is_no_way_to_try_codes(shop: World) -> None:
    for number in range(5):
        told = shop.order(f"A-{number}", 5000, codes=[ours(), ours()], status="pending")
        assert told["problems"] == []
    # No order is refused for it, and nothing else tells of codes any more.
    checking.problem(guess(shop, wrong(), member_ref="mina"), 429, "rate_limited")
    shop.order("A-9", 5000, codes=[ours()])
    assert guess(shop, wrong(), member_ref="jun").status_code == 404


def test_foreign_and_used_codes_in_orders_are_guesses(shop: World) -> None:
    used = code_of(shop)
    assert guess(shop, used, member_ref="mina").status_code == 201
    shop.order("A-1", 5000, codes=[used, code_of(shop, "jun")])
    # Two codes, and twice that it was Mina.
    assert sorted(row[-1] for row in checking.rows(shop)["wrong_guesses"]) == [1, 1, 2]
    # The same told again are the same.
    shop.order("A-1", 5001, codes=[used])
    assert sorted(row[-1] for row in checking.rows(shop)["wrong_guesses"]) == [1, 1, 2]


def test_codes_that_an_order_uses_and_the_shops_own_are_no_guesses(shop: World) -> None:
    told = shop.order("A-1", 5000, codes=[code_of(shop), "SPRING", "WELCOME-20"])
    assert told["problems"] == []
    old = {"codes": [ours()], "is_history": True}
    shop.order("A-0", 5000, **old)
    assert checking.rows(shop)["wrong_guesses"] == []


def test_a_visitor_of_an_order_is_counted_by_a_readable_address(shop: World) -> None:
    for ip in ("203.0.113.9", "nonsense"):
        for number in range(5):
            codes = [ours(), ours()]
            shop.order(f"{ip}-{number}", 5000, member_ref=None, codes=codes, visitor={"ip": ip})
    assert guess(shop, wrong(), visitor={"ip": "203.0.113.9"}).status_code == 429
    assert guess(shop, wrong(), visitor={"ip": "203.0.113.10"}).status_code == 404
    assert len(checking.rows(shop)["wrong_guesses"]) == 13


@pytest.mark.parametrize(
    "ip", ["nonsense", "203.0.113.9:80", "[2001:db8::1]", "fe80::1%eth0", "203.0.113.09", " ::1"]
)
def test_who_asks_has_an_address_that_can_be_read(shop: World, ip: str) -> None:
    cart = {"currency": "EUR", "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 5}]}
    quoted = shop.call("POST", "/quotes", {"cart": cart, "visitor": {"ip": ip}})
    for told in (quoted, guess(shop, wrong(), visitor={"ip": ip})):
        assert checking.pointers(checking.problem(told, 422, "validation_failed")) == [
            "/visitor/ip"
        ]
    # A fact is not refused for it.
    shop.order("A-1", 5000, visitor={"ip": ip})
    shop.member("mina", visitor={"ip": ip})


def test_a_cart_that_is_refused_takes_no_room(shop: World) -> None:
    cart = {"currency": "USD", "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 5}]}
    asked = {"member_ref": "mina", "cart": cart | {"codes": [wrong() for _ in range(10)]}}
    assert shop.call("POST", "/quotes", asked).status_code == 422
    assert checking.rows(shop)["wrong_guesses"] == []


def test_two_spellings_of_a_code_are_one_guess(shop: World) -> None:
    told = shop.quote(2000, codes=["NONE-1234", "none1234", "N0NE 1234"])["codes"]
    assert [one["reason"] for one in told] == ["NOT_FOUND"] * 3
    assert sorted(row[-1] for row in checking.rows(shop)["wrong_guesses"]) == [1, 1]

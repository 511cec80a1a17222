"""Guests' orders claimed with their token: once, by one member, while it lasts."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from core import clock, signing
from tests.concurrency.parallel import assert_sound, at_once, statuses
from tests.world import World, line, order, per_euro, points, rule

Make = Callable[..., World]


@pytest.fixture(autouse=True)
def _keys_stay(app: Flask) -> Iterator[None]:
    settings = app.extensions["dangol.settings"]
    yield
    app.extensions["dangol.settings"] = settings


def guest(world: World, ref: str = "G-1", **more: Any) -> str:
    """A guest's order of 19.99; its token."""
    token: str = world.order(ref, 1999, **{"member_ref": None} | more)["claim_token"]
    return token


def claim(world: World, token: str, member_ref: str = "mina", *, status: int = 200) -> Any:
    return world.post("/claims", {"token": token, "member_ref": member_ref}, status=status)


def refused(world: World, token: str) -> list[tuple[str, str]]:
    """Pointers and codes of what was wrong with a token."""
    world.set_clock("2026-03-10T00:00:00Z")
    found = claim(world, token, status=422)
    return [(error["pointer"], error["code"]) for error in found["errors"]]


@pytest.fixture
def shop(world: World) -> World:
    """The world on 2 March 2026, a day after the orders of the tests."""
    world.set_clock("2026-03-02T00:00:00Z")
    return world


def test_a_guests_order_says_a_token_and_a_members_does_not(shop: World) -> None:
    token = guest(shop)
    assert token
    assert shop.get("/orders/G-1")["claim_token"] == token
    # Told again the same: the same answer.
    assert guest(shop) == token
    assert "claim_token" not in shop.order("A-1", 1000)


def test_a_claim_awards_the_order_as_a_put_with_the_member_would(shop: World) -> None:
    told = claim(shop, guest(shop))
    assert (points(told), told["order"]["member_ref"]) == (19, "mina")
    assert "claim_token" not in told
    assert shop.balance() == 19
    [entry] = shop.entries()
    assert entry["source"] == {"type": "order", "ref": "G-1"}
    assert entry["effective_at"] == "2026-03-01T10:00:00Z"
    assert_sound(shop)
    # The storefront's own PUT with the member finds nothing left to do.
    again = shop.order("G-1", 1999)
    assert (points(again), again["reversed"], len(shop.entries())) == (19, [], 1)


def test_claimed_again_by_the_same_member_it_answers_the_same(shop: World) -> None:
    token = guest(shop)
    first = claim(shop, token)
    assert claim(shop, token) == first
    assert shop.balance() == 19


def test_a_claimed_order_is_not_claimed_by_another(shop: World) -> None:
    token = guest(shop)
    claim(shop, token)
    found = claim(shop, token, "jun", status=409)
    assert (found["code"], found["state"]) == ("state_conflict", "claimed")
    assert (shop.balance(), shop.balance("jun")) == (19, 0)


def test_an_order_told_with_its_member_meanwhile_is_not_claimed(shop: World) -> None:
    token = guest(shop)
    shop.order("G-1", 1999, member_ref="jun")
    assert claim(shop, token, status=409)["code"] == "state_conflict"
    assert (shop.balance(), shop.balance("jun")) == (0, 19)


def test_what_was_told_of_the_order_meanwhile_counts(shop: World) -> None:
    token = guest(shop)
    shop.order("G-1", line("1", 1999, refunded_minor=999), member_ref=None)
    assert points(claim(shop, token)) == 10


def test_an_order_not_paid_yet_can_be_claimed(shop: World) -> None:
    token = guest(shop, status="pending")
    assert points(claim(shop, token)) == 0
    # The storefront goes on telling it as a guest's.
    assert points(shop.order("G-1", 1999, member_ref=None)) == 19
    assert shop.balance() == 19


def test_a_token_lasts_90_days_from_when_the_order_was_placed(shop: World) -> None:
    token = guest(shop)
    # 1 March 10:00 UTC is 19:00 in Seoul; 90 days later is 30 May, at the same time.
    shop.set_clock("2026-05-30T10:00:00Z")
    found = claim(shop, token, status=422)
    assert found["errors"][0]["code"] == "expired_token"
    assert shop.get("/orders/G-1")["claim_token"] is None
    shop.set_clock("2026-05-30T09:59:59Z")
    assert points(claim(shop, token)) == 19


def test_what_is_no_token_of_this_program_is_refused_alike(make_world: Make, shop: World) -> None:
    other = make_world()
    other.member()
    token = guest(shop)
    assert refused(other, token) == [("/token", "invalid_token")]
    middle = len(token) // 2
    changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for wrong in (changed, token[:-1], token + "x", "x", "a.b", ".", f"{token}.{token}"):
        assert refused(shop, wrong) == [("/token", "invalid_token")], wrong


def test_a_token_for_another_purpose_is_refused(shop: World) -> None:
    guest(shop)
    order_id = shop.get("/orders/G-1")["order"]["id"]
    with shop.app.app_context():
        later = clock.parse_instant("2027-01-01T00:00:00Z")
        values = [shop.program_id, order_id]
        other = signing.sign("referral", values, expires_at=later)
        unknown = signing.sign("claim", [shop.program_id, "ord_x"], expires_at=later)
        mine = signing.sign("claim", values, expires_at=later)
    assert refused(shop, other) == [("/token", "invalid_token")]
    assert refused(shop, unknown) == [("/token", "invalid_token")]
    assert points(claim(shop, mine)) == 19


def test_keys_can_be_rotated_and_given_up(shop: World) -> None:
    token = guest(shop)
    settings = shop.app.extensions["dangol.settings"]
    new = "tests-only-9876543210-zyxwvutsrqponm"
    shop.app.extensions["dangol.settings"] = replace(settings, secret_key=new)
    assert refused(shop, token) == [("/token", "invalid_token")]
    shop.app.extensions["dangol.settings"] = replace(
        settings, secret_key=new, secret_key_fallbacks=(settings.secret_key,)
    )
    # New tokens are signed with the new key; old ones are still believed.
    fresh = guest(shop, "G-2")
    assert points(claim(shop, token)) == 19
    shop.app.extensions["dangol.settings"] = replace(settings, secret_key=new)
    assert points(claim(shop, fresh)) == 19


def test_a_claim_for_nobody_known_is_refused_and_the_token_stays_good(shop: World) -> None:
    token = guest(shop)
    found = claim(shop, token, "nobody", status=422)
    assert found["errors"][0]["pointer"] == "/member_ref"
    assert points(claim(shop, token)) == 19


def test_a_claim_enrols_when_the_program_does(make_world: Make) -> None:
    world = make_world(members={"auto_enrol": True})
    world.set_clock("2026-03-02T00:00:00Z")
    assert points(claim(world, guest(world), "new")) == 19
    assert world.balance("new") == 19


def test_the_member_is_judged_when_claiming_by_what_they_were_at_the_order(
    make_world: Make,
) -> None:
    levels = [{"key": "gold", "enter_at": 10000, "multiplier_bp": 20000}]
    world = make_world(tiers={"levels": levels}, earning={"rules": [rule("base", per_euro())]})
    world.member()
    world.set_clock("2026-03-20T00:00:00Z")
    token = guest(world)
    # Gold only since 10 March: the guest's order of 1 March came before.
    world.order("A-1", 10000, placed_at="2026-03-10T10:00:00Z")
    assert points(claim(world, token)) == 19
    assert_sound(world)


def test_of_many_who_claim_at_once_one_gets_it(shop: World) -> None:
    refs = [f"m-{number}" for number in range(8)]
    for ref in refs:
        shop.member(ref)
    token = guest(shop)

    def claiming(ref: str, number: int) -> Callable[[], Any]:
        def send() -> Any:
            return shop.call(
                "POST",
                "/claims",
                {"token": token, "member_ref": ref},
                headers={"Idempotency-Key": f"at-once-{ref}-{number}"},
            )

        return send

    responses = at_once([claiming(ref, number) for ref in refs for number in range(2)])
    found = statuses(responses)
    # The one who was first, each time they asked; everybody else is told that it is gone.
    assert found == {200: 2, 409: 14}, found
    assert sorted(shop.balance(ref) for ref in refs) == [0] * 7 + [19]
    assert_sound(shop)


def test_claiming_needs_the_scope_of_orders(shop: World) -> None:
    token = guest(shop)
    made = shop.post("/keys", {"name": "till", "scopes": ["members", "read"]}, status=201)
    response = shop.app.test_client().post(
        "/v1/claims",
        json={"token": token, "member_ref": "mina"},
        headers={"Authorization": f"Bearer {made['key']}", "Idempotency-Key": "k"},
    )
    assert response.status_code == 403


def test_a_batch_says_tokens_too(shop: World) -> None:
    body = order(1999, member_ref=None) | {"order_ref": "G-9"}
    [result] = shop.post("/orders/batch", {"orders": [body]})["results"]
    assert points(claim(shop, result["claim_token"])) == 19


def test_an_order_paid_with_another_members_card_is_claimed(make_world: Make) -> None:
    card = {"key": "card", "kind": "gift_card", "value": {"minor": 1000}, "voucher": {}}
    world = make_world(rewards=[card | {"cost_points": 0}])
    world.set_clock("2026-03-02T00:00:00Z")
    for ref in ("mina", "jun"):
        world.member(ref)
    held = world.post("/redemptions", {"member_ref": "mina", "reward": "card"}, status=201)
    redemption = held["redemption"]
    code = redemption["voucher"]["code"]
    world.post(f"/redemptions/{redemption['id']}/capture", {})
    paid = [{"kind": "gift_card", "amount_minor": 400, "code": code}]
    told = world.order("G-1", 1000, member_ref=None, codes=[code], payments=paid)
    assert told["problems"] == []
    claimed = claim(world, told["claim_token"], "jun")
    assert (claimed["order"]["member_ref"], claimed["problems"]) == ("jun", [])
    assert world.get(f"/vouchers/{code}")["remaining_minor"] == 600
    assert claim(world, told["claim_token"], "jun") == claimed
    assert_sound(world)

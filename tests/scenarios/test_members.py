"""Signup effects once per person, enrolment, and who earns."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.world import World, order, per_euro, points, rule

Make = Callable[..., World]
WELCOME = {
    "key": "welcome",
    "trigger": "signup",
    "effect": {"do": "add_points", "points": 200},
}


def _world(make_world: Make, *more: dict[str, Any], **changes: Any) -> World:
    return make_world(earning={"rules": [rule("base", per_euro()), WELCOME, *more]}, **changes)


def test_signing_up_pays_once_on_creation(make_world: Make) -> None:
    world = _world(make_world)
    made = world.put("/members/mina", {"email": "mina@example.com"}, status=201)
    assert points(made) == 200
    assert made["balances"][0]["available"] == 200
    again = world.put("/members/mina", {"email": "mina@example.com", "name": "Mina"}, status=200)
    assert again["earned"] == []
    assert world.balance() == 200
    [entry] = world.entries()
    assert (entry["kind"], entry["source"]) == ("earn", {"type": "signup", "ref": "mina"})


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ({"email": "mina@example.com"}, {"email": "MINA@Example.COM"}, True),
        ({"email": "mi.na@gmail.com"}, {"email": "mina+shop@googlemail.com"}, True),
        ({"email": "Min.Ji@naver.com"}, {"email": "minji@naver.com"}, False),
        ({"phone": "+82 10-1234-5678"}, {"phone": "+821012345678"}, True),
        ({"phone": "+821012345678"}, {"phone": "+821012345679"}, False),
        ({"email": "a@example.com", "phone": "+821012345678"}, {"phone": "+821012345678"}, True),
        ({"email": "a@example.com"}, {"email": "b@example.com"}, False),
        ({}, {}, False),
    ],
)
def test_signup_effects_are_paid_once_per_contact(
    make_world: Make, first: dict[str, Any], second: dict[str, Any], is_same: bool
) -> None:
    world = _world(make_world)
    assert points(world.put("/members/one", first)) == 200
    assert points(world.put("/members/two", second)) == (0 if is_same else 200)
    if is_same:
        assert world.balance("two") == 0
    # Still members in full: orders earn.
    assert world.earned("A-1", 1000, member_ref="two") == 10


def test_a_contact_added_later_by_a_paid_member_is_not_paid_again(make_world: Make) -> None:
    world = _world(make_world)
    world.put("/members/one", {})
    world.put("/members/one", {"email": "mina@example.com"})
    assert points(world.put("/members/two", {"email": "mina@example.com"})) == 0


def test_programs_pay_signups_of_the_same_person_each_for_itself(make_world: Make) -> None:
    contact = {"email": "mina@example.com"}
    assert points(_world(make_world).put("/members/mina", contact)) == 200
    assert points(_world(make_world).put("/members/mina", contact)) == 200


def test_signup_rules_may_ask_about_the_member(make_world: Make) -> None:
    korean = {"fact": "member.locale", "op": "=", "value": "ko"}
    more = WELCOME | {"key": "korean", "when": korean, "effect": {"do": "add_points", "points": 7}}
    world = _world(make_world, more)
    assert points(world.put("/members/mina", {"locale": "ko"})) == 207
    assert points(world.put("/members/jun", {"locale": "en"})) == 200


def test_who_is_not_enrolled_earns_nothing_and_the_decision_says_so(make_world: Make) -> None:
    world = _world(make_world)
    made = world.put("/members/mina", {"is_enrolled": False})
    assert made["earned"] == []
    told = world.order("A-1", 1000)
    assert told["earned"] == []
    assert world.outcomes(told)["base"]["reason"] == "no_member"
    assert points(world.quote(1000)) == 0
    assert world.balance() == 0
    world.put("/members/mina", {"is_enrolled": True})
    assert world.earned("A-2", 1000) == 10


def test_an_order_of_an_unknown_member_is_refused(make_world: Make) -> None:
    world = make_world()
    answer = world.call("PUT", "/orders/A-1", order(1000, member_ref="nobody"))
    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
    assert answer.json["errors"][0]["pointer"] == "/member_ref"
    assert world.call("GET", "/orders/A-1").status_code == 404
    assert world.call("GET", "/members/nobody").status_code == 404


def test_an_order_enrols_when_the_program_says_so(make_world: Make) -> None:
    world = _world(make_world, members={"auto_enrol": True})
    cart = {"currency": "EUR", "lines": order(1000)["lines"]}
    quote = world.post("/quotes", {"member_ref": "new", "cart": cart})
    assert world.call("GET", "/members/new").status_code == 404
    told = world.order("A-1", 1000, member_ref="new")
    assert points(told) == points(quote) == 10
    member = world.get("/members/new")
    assert member["is_enrolled"] is True
    assert member["joined_at"] == "2026-03-01T10:00:00Z"
    assert world.balance("new") == 10


def test_facts_of_the_member_decide(make_world: Make) -> None:
    year = {"fact": "member.days_since_joined", "op": ">=", "value": 365}
    vip = {"fact": "member.attributes.vip", "op": "=", "value": True}
    either = {"any": [year, vip]}
    bonus = rule("bonus", {"do": "add_points", "points": 50}, when=either)
    world = make_world(earning={"rules": [rule("base", per_euro()), bonus]})
    # 2025-03-01 in Seoul to 2026-03-01 in Seoul: 365 days; one day less for Jun.
    world.put("/members/mina", {"joined_at": "2025-02-28T15:00:00Z"})
    world.put("/members/jun", {"joined_at": "2025-03-01T15:00:00Z"})
    assert world.earned("A-1", 1000) == 60
    assert world.earned("B-1", 1000, member_ref="jun") == 10
    world.put("/members/jun", {"attributes": {"vip": True}})
    assert world.earned("B-2", 1000, member_ref="jun") == 60


def test_the_day_is_the_programs_day(make_world: Make) -> None:
    new_year = {"fact": "member.joined_on", "op": "=", "value": "2026-01-01"}
    bonus = rule("bonus", {"do": "add_points", "points": 50}, when=new_year)
    world = make_world(earning={"rules": [bonus]})
    # 23:30 on 31 December in Los Angeles is 16:30 on 1 January in Seoul.
    world.put("/members/mina", {"joined_at": "2025-12-31T23:30:00-08:00"})
    assert world.earned("A-1", 1000) == 50


def test_two_programs_with_the_same_references_do_not_meet(make_world: Make) -> None:
    here, there = make_world(), make_world()
    here.member()
    there.member()
    here.order("A-1", 1000)
    assert there.call("GET", "/orders/A-1").status_code == 404
    there.order("A-1", 7000)
    assert (here.balance(), there.balance()) == (10, 70)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("phone", "+82 10 1234 5678", "+82 010 1234 5678"),
        ("phone", "+82 10 1234 5678", "0082 010-1234-5678"),
        ("phone", "+82 10 1234 5678", "+82 (010) 1234 5678"),
        ("phone", "0082 2 123 4567", "+82-02-123-4567"),
        ("email", "kim@icloud.com", "kim+x@me.com"),
        ("email", "kim@icloud.com", "Kim@mac.com"),
        ("email", "kim@proton.me", "kim@protonmail.com"),
        ("email", "kim@proton.me", "kim+tag@pm.me"),
    ],
)
def test_spellings_of_one_contact_are_one(
    make_world: Make, kind: str, one: str, other: str
) -> None:
    world = make_world()
    world.member(**{kind: one})
    world.member("jun", **{kind: "+82 10 9999 9999" if kind == "phone" else "jun@me.com"})
    found = world.post("/members/search", {kind: other})["data"]
    assert [row["member_ref"] for row in found] == ["mina"]


@pytest.mark.parametrize(
    "symbol",
    "\u034f\ufe00\ufe0f\u3164\u115f\u1160\u17b4\u17b5\u180b\u180e\u180f\uffa0",
)
def test_an_address_with_invisible_letters_is_none(make_world: Make, symbol: str) -> None:
    world = make_world()
    body = {"email": f"ki{symbol}m@example.com"}
    refused = world.put("/members/mina", body, status=422)
    assert [one["pointer"] for one in refused["errors"]] == ["/email"]

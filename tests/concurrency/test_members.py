"""Members told at the same moment: one member, and what a signup pays is paid once."""

from collections.abc import Callable

import pytest

from tests.concurrency.parallel import assert_sound, at_once, entries, put, statuses
from tests.world import BASE_RULE, World, order, points

HELLO = {"key": "hello", "trigger": "signup", "effect": {"do": "add_points", "points": 100}}


@pytest.fixture
def greeting(make_world: Callable[..., World]) -> World:
    """A program that pays 100 points for signing up."""
    return make_world(earning={"rules": [BASE_RULE, HELLO]}, members={"auto_enrol": True})


def test_a_new_member_told_16_times_at_once_signs_up_once(greeting: World) -> None:
    body = {"email": "mina@example.com", "name": "Mina"}
    responses = at_once([put(greeting, "/members/mina", body)] * 16)
    assert statuses(responses) == {201: 1, 200: 15}
    assert len({response.json["member"]["id"] for response in responses}) == 1
    assert sorted(points(response.json) for response in responses) == [0] * 15 + [100]
    assert greeting.balance() == 100
    assert len(entries(greeting, "mina")) == 1
    assert_sound(greeting)


def test_one_person_under_16_references_at_once_is_paid_once(greeting: World) -> None:
    spellings = ["Mina.Kim@gmail.com", "minakim@googlemail.com", "mina.kim+x@gmail.com"]
    works = [
        put(greeting, f"/members/m{number}", {"email": spellings[number % 3]})
        for number in range(16)
    ]
    responses = at_once(works)
    assert statuses(responses) == {201: 16}
    assert sum(points(response.json) for response in responses) == 100
    assert sum(greeting.balance(f"m{number}") for number in range(16)) == 100
    assert_sound(greeting)


def test_a_person_known_by_two_contacts_told_crosswise_is_paid_once(greeting: World) -> None:
    contacts = [
        {"email": "a@example.com", "phone": "+821012345678"},
        {"phone": "+821012345678", "email": "b@example.com"},
        {"email": "a@example.com", "phone": "+821012345679"},
    ]
    works = [put(greeting, f"/members/m{n}", contacts[n % 3]) for n in range(15)]
    responses = at_once(works)
    # The first shares the telephone with the second and the address with the third. When it comes
    # second or third in time it is paid nothing, and its other contact counts as used as well.
    paid = sorted(n % 3 for n in range(15) if points(responses[n].json))
    assert paid in ([0], [1], [2], [1, 2])
    assert_sound(greeting)


def test_first_orders_of_a_member_not_seen_before_enrol_them_once(greeting: World) -> None:
    works = [put(greeting, f"/orders/A-{n}", order(1000, member_ref="new")) for n in range(16)]
    responses = at_once(works)
    assert statuses(responses) == {201: 16}
    assert len({response.json["order"]["member_ref"] for response in responses}) == 1
    assert greeting.balance("new") == 160
    assert greeting.verify()["members"] == 1
    assert_sound(greeting)


def test_a_signup_and_first_orders_at_once_make_one_member(greeting: World) -> None:
    works = [put(greeting, "/members/new", {"email": "new@example.com"})] * 4
    works += [put(greeting, f"/orders/A-{n}", order(1000, member_ref="new")) for n in range(8)]
    at_once(works)
    assert greeting.verify()["members"] == 1
    # Signup effects belong to the signup that creates the member; an order that came first did.
    assert greeting.balance("new") in (80, 180)
    assert greeting.get("/members/new")["email"] == "new@example.com"
    assert_sound(greeting)

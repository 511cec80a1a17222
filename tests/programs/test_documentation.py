"""The documents of docs/program.md: each can be published as it stands, and does what it says."""

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from programs import checking, versions
from storefront import facts
from tests.world import World, line, points

Make = Callable[..., World]
PAGE = (Path(__file__).parents[2] / "docs/program.md").read_text()
facts.install()


def blocks() -> list[str]:
    """What the page sets off by indentation."""
    found = re.findall(r"(?:^ {4,}\S.*\n)+", PAGE, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def documents() -> dict[str, Any]:
    """The whole documents, by name."""
    found = [json.loads(block) for block in blocks() if block.startswith('{"name"')]
    return {one["name"]: one for one in found}


def shop(make_world: Make, name: str, at: str) -> World:
    """A program by one of the documents, at an instant of Seoul, with Mina in it."""
    world = make_world(**documents()[name])
    world.set_clock(f"{at}+09:00")
    world.member()
    return world


def buy(world: World, ref: str, at: str, *lines: Any) -> Any:
    """An order of Mina's at an instant of Seoul, which it then is."""
    placed_at = f"{at}+09:00"
    world.post("/test-clock", {"now": placed_at})
    return world.order(ref, *lines, currency="KRW", placed_at=placed_at)


def test_every_document_of_the_page_is_publishable_and_has_no_finding() -> None:
    names = {"Bloom", "Hanok Books", "Maru Coffee", "Onggi House", "Seoul Garden"}
    assert set(documents()) == names
    for told in documents().values():
        versions.validate(told)
        assert checking.check(told) == ([], [])


def test_nothing_on_the_page_that_looks_like_json_is_left_out() -> None:
    known = ('{"name"', '{"section"', '{"key"', '"points": [')
    told = [block for block in blocks() if block.startswith(("{", '"', "["))]
    assert [block for block in told if not block.startswith(known)] == []
    # The switch is thrown in test_approval, the terms are looked at in test_docs.
    assert len(told) == len(documents()) + 3


def test_the_ladder_of_the_page_keeps_its_dates(make_world: Make) -> None:
    world = shop(make_world, "Hanok Books", "2027-03-01T12:00:00")
    told = buy(world, "A", "2027-03-10T12:00:00", 250_000)
    assert (points(told), world.balance()) == (2_500, 3_500)
    tier = world.tier()
    assert (tier["key"], tier["until"]) == ("silver", "2028-03-10T15:00:00Z")
    world.post("/test-clock", {"now": "2028-03-10T15:00:00Z"})
    tier = world.tier()
    assert (tier["key"], tier["grace_until"]) == ("silver", "2028-04-09T15:00:00Z")
    buy(world, "B", "2028-04-01T12:00:00", 150_000)
    tier = world.tier()
    assert (tier["key"], tier["until"]) == ("silver", "2029-04-01T15:00:00Z")
    # Renewed, not entered: what silver brings on entering is not paid again.
    assert world.balance() == 3_500 + 1_650


def test_grace_that_is_not_used_steps_one_level_down(make_world: Make) -> None:
    world = shop(make_world, "Hanok Books", "2027-03-01T12:00:00")
    buy(world, "A", "2027-03-10T12:00:00", 250_000)
    world.post("/test-clock", {"now": "2028-04-09T14:59:59Z"})
    assert world.tier()["key"] == "silver"
    world.post("/test-clock", {"now": "2028-04-09T15:00:00Z"})
    assert world.tier()["key"] is None


def test_skipped_levels_pay_nothing(make_world: Make) -> None:
    world = shop(make_world, "Hanok Books", "2027-03-01T12:00:00")
    buy(world, "A", "2027-03-10T12:00:00", 600_000)
    assert (world.tier()["key"], world.balance()) == ("gold", 6_000 + 5_000)


def test_the_level_by_invitation_is_given_by_hand(make_world: Make) -> None:
    world = shop(make_world, "Hanok Books", "2027-03-01T12:00:00")
    [text] = [block for block in blocks() if block.startswith('{"key"')]
    body = json.loads(text)
    given = world.post("/members/mina/tier", body)["tier"]
    assert (given["key"], given["until"]) == ("circle", "2027-12-31T15:00:00Z")
    world.post("/members/mina/tier", {"key": "circle", "reason": "x"}, status=422)
    # 1.5 points for each 100.
    assert points(buy(world, "A", "2027-03-10T12:00:00", 250_000)) == 3_750
    ended = world.post("/members/mina/tier", {"key": None, "reason": "moved away"})["tier"]
    assert ended["key"] == "silver"


def test_the_cards_of_the_page_fill_as_it_says(make_world: Make) -> None:
    world = shop(make_world, "Maru Coffee", "2030-04-01T08:00:00")
    for number in range(1, 10):
        buy(world, f"A-{number}", f"2030-04-01T09:{number:02}:00", 2_000, 2_000)
    assert world.balance() == 9 * 40
    told = buy(world, "A-10", "2030-04-01T10:00:00", 4_000)
    assert world.balance() == 10 * 40 + 1_000
    coffee = next(card for card in told["cards"] if card["key"] == "coffee")
    assert (coffee["completed_count"], coffee["stamps"]) == (1, 0)
    gone = buy(world, "A-11", "2030-04-01T10:01:00", 3_999)
    assert next(card["stamps"] for card in gone["cards"] if card["key"] == "coffee") == 0
    world.order("A-10", 4_000, currency="KRW", status="cancelled")
    assert world.balance() == 9 * 40 + 39


def visit(world: World, day: int) -> None:
    """A visit of Mina's on a day of April 2030 in Seoul; the 1st is a Monday."""
    at = f"2030-04-{day:02}T12:00:00+09:00"
    world.post("/test-clock", {"now": at})
    body = {"member_ref": "mina", "kind": "visit", "occurred_at": at}
    world.put(f"/activities/v-{day}", body)


def test_the_streak_of_the_page_takes_five_visits_in_a_week(make_world: Make) -> None:
    world = shop(make_world, "Maru Coffee", "2030-04-01T08:00:00")
    for day in (1, 2, 3, 4, 7):
        assert world.balance() == 0
        visit(world, day)
    assert world.balance() == 300
    other = shop(make_world, "Maru Coffee", "2030-04-01T08:00:00")
    for day in (1, 2, 3, 4, 8):
        visit(other, day)
    assert other.balance() == 0


def test_the_rules_of_the_page_give_what_it_says(make_world: Make) -> None:
    world = shop(make_world, "Seoul Garden", "2030-01-15T12:00:00")
    lines = [line("1", 20_000, categories=["plants"]), line("2", 10_000)]
    tuesday = buy(world, "A", "2030-04-02T15:00:00", *lines)
    assert points(tuesday) == 700
    outcomes = world.outcomes(tuesday)
    assert outcomes["tuesday"]["reason"] == "excluded"
    wednesday = buy(world, "B", "2030-04-03T15:00:00", *lines)
    assert points(wednesday) == 500
    assert world.outcomes(wednesday)["happy-hour"]["reason"] == "limit_reached"
    # Monday is another week; hours are half-open; on a Sunday there are none.
    assert points(buy(world, "C", "2030-04-08T16:59:59", *lines)) == 700
    assert points(buy(world, "D", "2030-04-15T17:00:00", *lines)) == 500
    assert points(buy(world, "E", "2030-04-21T15:00:00", *lines)) == 500


def test_the_reviews_and_days_of_the_page_are_paid_as_it_says(make_world: Make) -> None:
    world = shop(make_world, "Seoul Garden", "2030-01-15T12:00:00")
    body = {"member_ref": "mina", "kind": "review", "facts": {"rating": 5}}
    body |= {"occurred_at": "2030-01-15T03:00:00Z"}
    given = [points(world.put(f"/activities/r-{number}", body)) for number in (1, 2, 3)]
    assert given == [300, 200, 0]
    # Known 31 days before, and 29 days before: the second is too late.
    world.member("jun", birthday_on="1990-02-15")
    world.member("ara", birthday_on="1990-02-13")
    world.post("/test-clock", {"now": "2030-02-15T00:00:00+09:00"})
    assert [world.balance(ref) for ref in ("jun", "ara")] == [2_000, 0]


def test_an_activity_that_looks_misspelt_is_stored_and_named(make_world: Make) -> None:
    world = shop(make_world, "Seoul Garden", "2030-01-15T12:00:00")
    body = {"member_ref": "mina", "kind": "reveiw", "occurred_at": "2030-01-15T03:00:00Z"}
    told = world.put("/activities/r-1", body, status=201)
    [found] = told["problems"]
    assert (found["code"], found["pointer"]) == ("undeclared_kind", "/kind")
    assert "did you mean review?" in found["detail"]
    assert world.get("/activities/r-1")["problems"] == told["problems"]
    assert world.put("/activities/r-1", body, status=200)["problems"] == told["problems"]
    assert world.put("/activities/r-2", body | {"kind": "visit"})["problems"] == []
    assert world.put("/activities/r-3", body | {"kind": "review"})["problems"] == []
    # A rule that listens to it says that it is meant.
    rules = documents()["Seoul Garden"]["earning"]["rules"]
    hears = {"key": "b", "trigger": "activity:reveiw", "effect": {"do": "add_points", "points": 1}}
    world.publish(**documents()["Seoul Garden"] | {"earning": {"rules": [*rules, hears]}})
    assert world.put("/activities/r-4", body)["problems"] == []


def test_the_rewards_of_the_page_are_what_it_says(make_world: Make) -> None:
    world = shop(make_world, "Onggi House", "2030-03-01T12:00:00")
    assert points(buy(world, "A", "2030-03-02T12:00:00", 600_000)) == 6_000
    listed = {one["key"]: one for one in world.get("/members/mina/rewards")["data"]}
    told = {
        key: (one["cost_points"], one["is_available"], one["needs_cart"], one.get("missing_points"))
        for key, one in listed.items()
    }
    assert told == {
        "five": (4_000, True, False, None),
        "tenth": (3_000, True, True, None),
        "post": (None, True, False, None),
        "bowl": (20_000, False, False, 14_000),
        "card": (10_000, False, False, 4_000),
    }
    [grant] = listed["post"]["grants"]
    # Thirty days from 1 March: through 31 March.
    assert grant["expires_at"] == "2030-03-31T15:00:00Z"
    bowl = line("1", 24_000, categories=["bowls"])

    def quoted(*lines: Any) -> Any:
        cart = {"currency": "KRW", "lines": list(lines)}
        return world.post("/quotes", {"member_ref": "mina", "cart": cart})

    both = quoted(bowl, line("2", 18_000))
    [tenth] = [one for one in both["rewards"] if one["key"] == "tenth"]
    assert (tenth["discount"]["minor"], tenth["is_available"]) == (2_400, True)
    slider = both["pay_with_points"]
    assert (slider["min"], slider["max"], slider["step"]) == (1_000, 6_000, 100)
    alone = quoted(bowl)
    [tenth] = [one for one in alone["rewards"] if one["key"] == "tenth"]
    [reason] = tenth["unavailable_reasons"]
    assert (reason["code"], reason["missing_minor"]) == ("condition_not_met", 6_000)
    assert reason["detail"]["en"] == "The order needs ₩6,000 more."

"""A setting that would be ignored is refused, and what cannot be used is never offered."""

from typing import Any

import pytest

from programs import checking, exchange, versions
from storefront import facts
from tests.contract.checking import pointers, problem
from tests.world import World, document, per_euro, rule

facts.install()
LEVELS = {"levels": [{"key": "gold", "enter_at": 1000}]}
HYPHENS = "must match [a-z_]{1,40}"


def errors(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.pointer, one.detail) for one in checking.find_errors(told)]


@pytest.mark.parametrize(
    ("tiers", "pointer", "detail"),
    [
        (
            {"basis": {"window": "calendar_year", "duration": "P12M"}},
            "/tiers/basis/duration",
            "means nothing with calendar_year; rolling has one",
        ),
        (
            {"basis": {"metric": "spend", "duration": "P12M"}},
            "/tiers/basis/duration",
            "means nothing with lifetime; rolling has one",
        ),
        (
            {"term": {"policy": "calendar_year", "duration": "P12M"}},
            "/tiers/term/duration",
            "means nothing with calendar_year; from_entry has one",
        ),
        (
            {"term": {"duration": "P12M"}},
            "/tiers/term/duration",
            "means nothing with none; from_entry has one",
        ),
    ],
)
def test_a_duration_that_would_be_ignored_is_refused(
    tiers: dict[str, Any], pointer: str, detail: str
) -> None:
    assert errors(document(tiers=LEVELS | tiers)) == [(pointer, detail)]


def test_a_duration_that_counts_is_accepted() -> None:
    for tiers in (
        {"basis": {"window": "rolling", "duration": "P6M"}},
        {"term": {"policy": "from_entry", "duration": "P6M"}},
        {"basis": {"window": "calendar_year"}, "term": {"policy": "calendar_year"}},
    ):
        assert errors(document(tiers=LEVELS | tiers)) == []


def test_a_hyphen_in_a_kind_of_activity_is_named() -> None:
    listens = rule("a", {"do": "add_points", "points": 1}) | {"trigger": "activity:book-club"}
    [found] = errors(document(earning={"rules": [listens]}))
    assert found[0] == "/earning/rules/0/trigger" and HYPHENS in found[1]
    [found] = errors(document(activities=[{"key": "book-club"}]))
    assert found[0] == "/activities/0/key" and HYPHENS in found[1]


@pytest.mark.parametrize(
    ("told", "pointer", "offered"),
    [
        (
            document(earning={"rules": [rule("a", {"do": "give"})]}),
            "/earning/rules/0/effect/do",
            "points_per_unit, add_points, multiply_points, add_stamps, grant_reward, payable",
        ),
        (
            document(tiers=LEVELS | {"basis": {"metric": "visits"}}),
            "/tiers/basis/metric",
            "spend, points, orders, referrals",
        ),
    ],
)
def test_a_list_names_only_what_can_be_used(
    world: World, told: dict[str, Any], pointer: str, offered: str
) -> None:
    found = problem(world.call("PUT", "/program/draft", told), 422, "validation_failed")
    assert pointers(found) == [pointer]
    assert found["errors"][0]["detail"].endswith(offered)


def test_an_unknown_section_is_told_the_sections_there_are(world: World) -> None:
    found = problem(world.call("GET", "/program/draft/shelves/x"), 404, "not_found")
    assert found["detail"].endswith(
        "there are: points, rules, levels, cards, activities, rewards, referral_offers, segments,"
        " surprises."
    )


def test_a_schedule_is_written_from_before_until_whatever_it_was_before() -> None:
    hours = {"until": "17:00", "from": "14:00", "weekdays": [1]}
    told = document(earning={"rules": [rule("a", per_euro(), schedule=hours)]})
    versions.validate(told)
    text = exchange.write(told)
    assert [text.index(name) for name in ("weekdays:", "from:", "until:")] == sorted(
        text.index(name) for name in ("weekdays:", "from:", "until:")
    )
    again = exchange.read(text.encode()).document
    assert again == told
    assert exchange.write(again) == text
    assert exchange.changes(told, again) == []

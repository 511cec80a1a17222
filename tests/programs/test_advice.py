"""Warnings of the check: each where it must be, none where it must not, and never one untrue."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core import clock
from programs import checking, defaults, versions
from programs.checking.advice import codes
from storefront import facts
from tests.programs.advice_cases import LADDER, add, more, rules, tier
from tests.programs.advice_ladders import MUST as OF_DOCUMENTS
from tests.programs.advice_referrals import OF_REFERRALS
from tests.programs.advice_rewards import OF_REWARDS
from tests.programs.advice_surprises import OF_SURPRISES
from tests.world import World, rule

NOW = clock.parse_instant("2026-06-01T00:00:00Z")
#: What is said beside the published document: see test_removals.
BESIDE_LIVE = {
    "removed_points",
    "removed_card",
    "removed_reward",
    "removed_offer",
    "removed_level",
}
MUST = [*OF_DOCUMENTS, *OF_REWARDS, *OF_REFERRALS, *OF_SURPRISES]
facts.install()


def warnings(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Codes and pointers of a document that must be valid."""
    versions.validate(told)
    errors, found = checking.check(told, now=NOW)
    assert errors == []
    for one in found:
        assert one.code in codes.CODES and one.detail
    return [(one.code, one.pointer) for one in found]


@pytest.mark.parametrize(("code", "pointer", "told", "near"), MUST)
def test_what_is_probably_not_meant_is_warned_of(
    code: str, pointer: str, told: dict[str, Any], near: list[dict[str, Any]]
) -> None:
    assert (code, pointer) in warnings(told)
    for other in near:
        assert code not in {found for found, _ in warnings(other)}


def test_every_code_has_a_document_that_must_have_it() -> None:
    assert {code for code, *_ in MUST} | BESIDE_LIVE == set(codes.CODES)


def test_the_page_is_what_the_generator_writes() -> None:
    assert codes.PAGE.read_text() == codes.page(), "run python -m programs.checking.advice.codes"


@pytest.mark.parametrize("currency", ["KRW", "EUR", "JPY", "KWD"])
def test_the_default_document_has_no_warning(currency: str) -> None:
    assert warnings(defaults.document("Bloom", "Asia/Seoul", currency)) == []


def test_the_documents_of_the_documentation_have_no_warning() -> None:
    page = (Path(__file__).parents[2] / "docs/program.md").read_text()
    found = 0
    for block in re.findall(r"(?:^    .*\n)+", page, re.MULTILINE):
        text = block.strip().rstrip(",")
        if text.startswith('"points"'):
            text = '{"name": "x", "timezone": "Asia/Seoul", "currency": "KRW", "tiers": {"levels": '
            text += '[{"key": "gold", "enter_at": 1500000}]}, ' + block.strip() + "}"
        if text.startswith('{"name"'):
            assert warnings(json.loads(text)) == []
            found += 1
    assert found >= 2


def test_a_warning_says_what_happens_with_the_documents_numbers() -> None:
    limit = {"per": "member", "period": "day", "points": 300}
    told = rules(rule("a", add(500), limits=[limit]))
    assert [one.detail for one in checking.check(told)[1]] == [
        "the rule a gives 500 points at a time, but the limit is 300 a day: "
        "the whole of it is never given"
    ]
    told = rules(rule("a", add(5), when={"all": [more(10000), tier("gold"), more(5000, "<")]}))
    assert checking.check(told | LADDER)[1][0].detail == (
        "the rule a can never fire: order.net_minor >= 10000 and order.net_minor < 5000 "
        "cannot hold at once"
    )


def test_the_draft_is_checked_by_the_programs_clock(world: World) -> None:
    ends = {"ends_at": "2026-05-01T00:00:00Z"}
    world.put("/program/draft", rules(rule("a", add(5), schedule=ends)))
    world.set_clock("2026-04-30T00:00:00Z")
    assert world.post("/program/draft/check") == {"errors": [], "warnings": []}
    world.set_clock("2026-05-01T00:00:00Z")
    [found] = world.post("/program/draft/check")["warnings"]
    assert (found["code"], found["pointer"]) == (
        "schedule_over",
        "/earning/rules/1/schedule/ends_at",
    )


def test_a_condition_of_many_alternatives_is_answered_soon() -> None:
    """14 times one of two make 16,384 alternatives; what every one of them asks for is seen."""
    either = {"any": [more(1), {"fact": "member.balance", "op": ">", "value": 3}]}
    many = [either] * 14
    assert warnings(rules(rule("a", add(5), when={"all": many}))) == []
    told = rules(rule("a", add(5), when={"all": [*many, more(2), more(1, "<=")]}))
    assert warnings(told) == [("rule_never_fires", "/earning/rules/1/when")]

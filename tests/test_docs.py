"""The documentation names every setting, command, code, fact and reason there is."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from core.errors import CODES
from members.facts import MEMBER
from orders.facts import LINE, ORDER
from programs import triggers
from programs.document.earning import EffectSchema
from rules.effects import EFFECTS, FIELDS
from rules.operators import MEANINGS, OF_TYPE
from rules.outcomes import REASONS
from server import reference_pages
from storefront.facts import STANDING
from tests.world import World

ROOT = Path(__file__).parent.parent
OPERATING = (ROOT / "docs/operating.md").read_text()
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
PROBLEMS = (ROOT / "docs/reference/problems.md").read_text()


def test_every_setting_is_documented() -> None:
    names = set(re.findall(r'env(?:\.get\(|, )"([A-Z_]+)"', (ROOT / "config.py").read_text()))
    assert "DATABASE_URL" in names and len(names) >= 8
    assert [name for name in sorted(names) if f"`{name}`" not in OPERATING] == []


def test_no_setting_is_documented_that_is_not_read() -> None:
    config = (ROOT / "config.py").read_text()
    named = re.findall(r"^\| `([A-Z_]+)` \|", OPERATING, re.MULTILINE)
    assert len(named) >= 14
    assert [name for name in named if f'"{name}"' not in config] == []


def commands(app: Flask) -> set[str]:
    """Every command of ours: what follows `flask`, groups with each of their commands."""
    found = set()
    for name, command in app.cli.commands.items():
        inner = getattr(command, "commands", None)
        found |= {name} if inner is None else {f"{name} {one}" for one in inner}
    return found


def test_every_command_is_documented(app: Flask) -> None:
    ours = {one for one in commands(app) if one.split()[0] not in ("db", "openapi")}
    assert {"serve", "worker", "backup", "jobs redrive", "ledger verify"} < ours
    assert [one for one in sorted(ours) if not re.search(f"`flask {one}[ `]", OPERATING)] == []


def test_every_command_that_is_documented_exists(app: Flask) -> None:
    known = commands(app)
    for page in PAGES:
        for text in re.findall(r"\bflask ([a-z-]+(?: [a-z-]+)?)", page.read_text()):
            assert text in known or text.split()[0] in known, f"{page.name}: flask {text}"


def test_every_address_that_is_documented_exists(app: Flask) -> None:
    table, count = app.url_map.bind("localhost"), 0
    for page in PAGES:
        told = page.read_text()
        found = re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) +(/v1/[^\s`?|,;:)]+)", told)
        found += [
            (method or "GET", path)
            for method, path in re.findall(
                r"curl (?:-X ([A-Z]+) )?localhost:8000(/v1/[^\s?]+)", told
            )
        ]
        for method, text in found:
            # `[/{id}]` is optional; `{ref}` and `…` stand for something.
            bare = re.sub(r"\[/[^\]]*\]", "", text)
            for path in {bare, re.sub(r"[\[\]]", "", text)}:
                address = re.sub(r"\{[^}]*\}|…", "x", path)
                assert table.test(address, method), f"{page.name}: {method} {text}"
                count += 1
    assert count > 25


@pytest.mark.parametrize("code", CODES)
def test_every_problem_is_documented_with_its_status(code: str) -> None:
    status, meaning = CODES[code]
    assert f"| {status} | `{code}` | {meaning} |" in PROBLEMS


@pytest.mark.parametrize("name", sorted(reference_pages.pages()))
def test_a_reference_is_what_the_code_declares(name: str) -> None:
    written = (reference_pages.DIRECTORY / name).read_text()
    assert written == reference_pages.pages()[name], "run `make reference`"


def test_every_fact_operator_effect_and_reason_is_documented() -> None:
    pages = reference_pages.pages()
    facts = [fact for group in (ORDER, LINE, MEMBER, STANDING) for fact in group]
    assert [
        one.name for one in facts if f"| `{one.name}` | {one.type} |" not in pages["facts.md"]
    ] == []
    assert [one for one in REASONS if f"| `{one}` |" not in pages["reasons.md"]] == []
    do: Any = EffectSchema().fields["do"]
    assert set(EFFECTS) == set(do.one_of)
    assert [one for one in EFFECTS if f"| `{one}` |" not in pages["effects.md"]] == []
    named = {field for one in EFFECTS.values() for field in (*one.needs, *one.may)}
    assert named == set(FIELDS) <= set(EffectSchema().fields)
    used = {op for ops in OF_TYPE.values() for op in ops}
    assert used == set(MEANINGS)


def test_every_fact_that_is_declared_is_told_in_words() -> None:
    for trigger in triggers.available():
        catalogue = triggers.find_facts(trigger.replace("<kind>", "visit"))
        assert catalogue is not None
        for fact in [*catalogue, *(triggers.find_line_facts(trigger) or ())]:
            if fact.type == "attribute":
                continue
            assert fact.words is not None, fact.name
            assert ("{n}" in fact.words.ko) == (fact.type == "integer"), fact.name
            assert bool(fact.words.ko_not) == (fact.type == "boolean"), fact.name


def test_every_address_of_a_link_in_the_documentation_exists() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_banned_words_do_not_occur_in_the_contract(app: Flask) -> None:
    document = app.test_client().get("/v1/openapi.json").get_data(as_text=True).lower()
    for word in ("customer", "merchant", "referrer", "referee"):
        assert word not in document


def test_the_example_of_points_with_terms_earns_what_it_says(
    make_world: Callable[..., World],
) -> None:
    told = (ROOT / "docs/program.md").read_text().split("## Points with terms", 1)[1]
    example = told[told.index('"points": [') : told.index("\n\nAn order of 19,900")]
    levels = [{"key": "gold", "enter_at": 1_500_000}]
    sections = json.loads("{" + example + "}")
    world = make_world(currency="KRW", tiers={"levels": levels}, **sections)
    world.set_clock("2027-03-01T03:00:00Z")
    world.member("mina")
    at = {"currency": "KRW", "placed_at": "2027-03-01T03:00:00Z"}
    shown = world.order("A-1", 19_900, **at)["earned"]
    dates = {(one["points_key"], one["points"]): one["expires_at"] for one in shown}
    assert dates == {
        ("points", 199): "2028-03-31T15:00:00Z",
        ("points", 50): "2027-03-08T15:00:00Z",
    }
    states = {one["points"]: (one["state"], one["available_at"]) for one in shown}
    assert states[199] == ("pending", "2027-03-15T03:00:00Z")
    assert states[50][0] == "available"

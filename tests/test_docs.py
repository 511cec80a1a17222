"""The documentation names every setting, command, code, fact and reason there is."""

import re
from pathlib import Path

import pytest
from flask import Flask

from core.errors import CODES
from members.facts import MEMBER
from orders.facts import LINE, ORDER
from rules.outcomes import REASONS
from storefront.facts import STANDING

ROOT = Path(__file__).parent.parent
OPERATING = (ROOT / "docs/operating.md").read_text()
RULES = (ROOT / "docs/reference/rules.md").read_text()
PROBLEMS = (ROOT / "docs/reference/problems.md").read_text()


def test_every_setting_is_documented() -> None:
    names = set(re.findall(r'env(?:\.get\(|, )"([A-Z_]+)"', (ROOT / "config.py").read_text()))
    assert "DATABASE_URL" in names and len(names) >= 8
    assert [name for name in sorted(names) if f"`{name}`" not in OPERATING] == []


def test_every_command_is_documented(app: Flask) -> None:
    commands = [f"flask {name}" for name in ("serve", "worker", "demo", "replay completejourney")]
    commands += [
        f"flask {group} {name}"
        for group in ("program", "keys", "ledger")
        for name in app.cli.commands[group].commands  # type: ignore[attr-defined]
    ]
    assert [one for one in commands if f"`{one}`" not in OPERATING] == []


@pytest.mark.parametrize("code", CODES)
def test_every_problem_is_documented_with_its_status(code: str) -> None:
    status, meaning = CODES[code]
    assert f"| {status} | `{code}` | {meaning} |" in PROBLEMS


def test_every_fact_and_reason_is_documented() -> None:
    facts = [fact for group in (ORDER, LINE, MEMBER, STANDING) for fact in group]
    assert [one.name for one in facts if f"| `{one.name}` | {one.type} |" not in RULES] == []
    assert [one for one in REASONS if f"| `{one}` |" not in RULES] == []


def test_every_address_of_a_link_in_the_documentation_exists() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_banned_words_do_not_occur_in_the_contract(app: Flask) -> None:
    document = app.test_client().get("/v1/openapi.json").get_data(as_text=True).lower()
    for word in ("customer", "merchant", "referrer", "referee"):
        assert word not in document

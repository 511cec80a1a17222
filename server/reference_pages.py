"""The pages of docs/reference on rules: facts, operators, effects and reasons.

Each is written from the one declaration that the program itself works by; `python -m
server.reference_pages` writes them, and a test compares. Refuses to be edited by hand.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from core.language import LANGUAGES, Text
from programs import triggers
from programs.compiled import compile_document
from rules import operators
from rules.effects import EFFECTS, FIELDS
from rules.facts import Catalogue
from rules.outcomes import REASONS
from server import attribution_page
from storefront import facts
from storefront.explanations import explaining, missing
from storefront.explanations.missed_days import Missed

DIRECTORY = Path(__file__).parent.parent / "docs/reference"
_WRITTEN = "Written by `make reference` from the code; a change there changes this page."
_ACTIVITY = "activity:<kind>"
#: One that no document declares.
_ANY_ACTIVITY = "activity:visit"
#: The program whose answers are shown.
_EXAMPLE: dict[str, Any] = {
    "name": "Bloom",
    "timezone": "Asia/Seoul",
    "currency": "KRW",
    "points": [{"key": "points", "name": {"en": "points", "ko": "포인트"}}],
    "earning": {
        "rules": [
            {
                "key": key,
                "name": name,
                "effect": {"do": "add_points", "points": 100},
                "stacking": {"mode": "exclusive", "group": "spring"},
                **more,
            }
            for key, name, more in (
                (
                    "happy",
                    {"en": "Happy hour", "ko": "해피 아워"},
                    {
                        "when": {"fact": "order.net_minor", "op": ">=", "value": 50_000},
                        "schedule": {
                            "weekdays": [1, 2, 3, 4, 5],
                            "from": "14:00",
                            "until": "17:00",
                        },
                    },
                ),
                ("spring", {"en": "Spring", "ko": "봄맞이"}, {}),
            )
        ]
    },
}


def pages() -> dict[str, str]:
    """Names and contents of the pages."""
    facts.install()
    return {
        "facts.md": _facts(),
        "operators.md": _operators(),
        "effects.md": _effects(),
        "reasons.md": _reasons(),
        "../attribution.md": attribution_page.page(),
    }


def write() -> None:
    """Write the pages anew."""
    for name, text in pages().items():
        (DIRECTORY / name).write_text(text)


def _page(title: str, introduction: str, parts: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", introduction, *parts, _WRITTEN]) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _facts() -> str:
    parts = []
    for trigger in triggers.available():
        found = triggers.find_facts(_ANY_ACTIVITY if trigger == _ACTIVITY else trigger)
        assert found is not None, trigger
        parts += [f"## Trigger `{trigger}`", _fact_table(found)]
        lines = triggers.find_line_facts(trigger)
        if lines is not None:
            parts += [f"## Lines of `{trigger}` (in an effect's `lines.when`)", _fact_table(lines)]
    return _page(
        "Facts",
        "What a rule's `when` may ask about, by trigger. A name ending in `.*` stands for any"
        " attribute of the storefront's own. A fact that is absent makes its comparison false.",
        parts,
    )


def _fact_table(catalogue: Catalogue) -> str:
    return _table(
        ("fact", "type", "meaning", "source"),
        ((f"`{one.name}`", one.type, one.label, one.source) for one in catalogue),
    )


def _operators() -> str:
    by_type = (
        (type_, " ".join(f"`{one}`" for one in ops)) for type_, ops in operators.OF_TYPE.items()
    )
    return _page(
        "Operators",
        'A condition is a group of conditions or a comparison `{"fact", "op", "value"}`.',
        [
            _table(("group", "holds when"), ((f"`{k}`", v) for k, v in operators.GROUPS.items())),
            _table(
                ("operator", "holds when the fact"),
                ((f"`{k}`", v) for k, v in operators.MEANINGS.items()),
            ),
            _table(("type of fact", "operators"), by_type),
            "An attribute takes the operators of its value's own type.",
        ],
    )


def _effects() -> str:
    def fields(needs: tuple[str, ...], may: tuple[str, ...]) -> str:
        return ", ".join([*(f"`{one}`" for one in needs), *(f"`{one}`?" for one in may)])

    rows = (
        (
            f"`{do}`",
            fields(one.needs, one.may),
            one.meaning,
            "`order`" if one.is_of_lines else "every trigger",
        )
        for do, one in EFFECTS.items()
    )
    return _page(
        "Effects",
        "What a rule does when it fires. Points are exact until one rounding per order and kind"
        " of points (`earning.rounding`).",
        [
            _table(("effect", "fields", "what it does", "goes with"), rows),
            _table(("field", "meaning"), ((f"`{k}`", v) for k, v in FIELDS.items())),
        ],
    )


def _reasons() -> str:
    rows = (
        (f"`{code}`", meaning, *(_answered(code)[one] for one in LANGUAGES))
        for code, meaning in REASONS.items()
    )
    return _page(
        "Reasons",
        "Why a rule did not fire, or gave less. The code is stored with the decision; the sentence"
        " is what a member is told (`summary` of the outcome), here of an offer that is called"
        " *Happy hour*.",
        [_table(("reason", "meaning", "in English", "in Korean"), rows)],
    )


def _answered(code: str) -> Text:
    """What is told of the example's offer, by the program that answers."""
    program = compile_document(bytes(16), 1, _EXAMPLE)
    rules = {rule.key: rule for rule in program.rules_of("order")}
    stored: dict[str, Any] = {"rule": "happy", "is_fired": code == "capped", "reason": code}
    if code in ("outside_schedule", "limit_reached", "capped"):
        stored["again_at"] = "2027-05-03T05:00:00Z"
    outcomes: dict[str, Any] = {"rules": [stored], "arithmetic": []}
    if code == "capped":
        stored["withheld"] = 70
        outcomes["arithmetic"] = [{"points_key": "points", "breakdown": [["happy", 30, ""]]}]
    if code == "excluded":
        outcomes["rules"].append({"rule": "spring", "is_fired": True})
    happy, missed = rules["happy"], None
    source, status = ("order", "A-1"), "cancelled"
    lacking = missing.of_reason(program, code, happy, stored, status)
    if code == "condition_not_met":
        explanation = happy.when.explain({"order.net_minor": 45_000})
        facts_of = triggers.find_facts("order")
        lacking, _ = missing.of_condition(program, explanation, catalogue=facts_of)
    if code == "cooldown":
        source = ("birthday", "2027-05-03")
        missed = Missed("birthday", date(2027, 5, 3), code, None, date(2028, 5, 3))
    about = explaining.about(program, source, source[0], status=status, missed=missed)
    return explaining.outcome(
        program, stored, source=about, rules=rules, outcomes=outcomes, lacking=lacking
    )


if __name__ == "__main__":
    write()

"""The pages of docs/reference on rules: facts, operators, effects and reasons.

Each is written from the one declaration that the program itself works by; `python -m
server.reference_pages` writes them, and a test compares. Refuses to be edited by hand.
"""

from collections.abc import Iterable
from pathlib import Path

from programs import triggers
from rules import operators
from rules.effects import EFFECTS, FIELDS
from rules.facts import Catalogue
from rules.outcomes import REASONS
from storefront import facts
from storefront.explaining import REASONS as SENTENCES

DIRECTORY = Path(__file__).parent.parent / "docs/reference"
_WRITTEN = "Written by `make reference` from the code; a change there changes this page."
_ACTIVITY = "activity:<kind>"
#: One that no document declares.
_ANY_ACTIVITY = "activity:visit"


def pages() -> dict[str, str]:
    """Names and contents of the pages."""
    facts.install()
    return {
        "facts.md": _facts(),
        "operators.md": _operators(),
        "effects.md": _effects(),
        "reasons.md": _reasons(),
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
    example = {
        "en": {"name": "“Welcome”", "winner": "“Gift”", "status": "it was cancelled"},
        "ko": {"topic": "‘환영’은", "winner": "‘선물’", "status": "취소되었습니다"},
    }
    rows = (
        (
            f"`{code}`",
            meaning,
            SENTENCES[code]["en"].format(**example["en"]),
            SENTENCES[code]["ko"].format(**example["ko"]),
        )
        for code, meaning in REASONS.items()
    )
    return _page(
        "Reasons",
        "Why a rule did not fire, or gave less. The code is stored with the decision; the sentence"
        " is what a member is told (`summary` of the outcome).",
        [_table(("reason", "meaning", "in English", "in Korean"), rows)],
    )


if __name__ == "__main__":
    write()

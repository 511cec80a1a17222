"""What is said with a prize: fields are filled in once, and nothing is ever evaluated."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from programs import checking, versions
from programs.compiled import compile_document
from rewards.surprises import notes
from rewards.surprises.notes import Given
from storefront import facts
from tests.world import document

facts.install()
PROGRAM = compile_document(
    bytes(16),
    1,
    document(
        name="Bloom & Co",
        earning={"rules": []},
        points=[
            {"key": "points", "name": {"en": "points", "ko": "포인트"}},
            {"key": "petals", "name": {"en": "petals", "ko": "꽃잎"}},
        ],
    ),
)
CUP = ({"en": "Free cup", "ko": "무료 컵"}, "cup")


def said(text: str, locale: str = "en", **given: Any) -> str:
    """A text of a locale, filled in."""
    values = {"member_name": "Mina", "points": [(7, "points")], "rewards": [CUP]} | given
    found = notes.render({locale: text}, Given(PROGRAM, **values))
    assert found is not None
    return found[locale]


def test_every_field_is_filled_in_by_locale() -> None:
    text = "{{member.name}}: {{points}}, {{reward.name}}, {{program.name}}"
    assert said(text) == "Mina: 7, Free cup, Bloom & Co"
    assert said(text, "ko") == "Mina: 7, 무료 컵, Bloom & Co"
    # A region of a language, and a language in which the reward has no name.
    assert said("{{reward.name}}", "ko-KR") == "무료 컵"
    assert said("{{reward.name}}", "de") == "Free cup"
    assert said("{{reward.name}}", rewards=[({}, "cup")]) == "cup"
    assert said("{{reward.name}}", rewards=[CUP, ({"en": "Tote"}, "tote")]) == "Free cup and Tote"


def test_points_are_what_the_prize_really_gave() -> None:
    assert said("{{points}} points", points=[(1234567, "points")]) == "1,234,567 points"
    assert said("{{points}}점", "ko", points=[(12000, "points")]) == "12,000점"
    assert said("{{points}}", points=[]) == "0"
    # Of several kinds the bare number would be of nothing.
    both = [(7, "points"), (1200, "petals")]
    assert said("{{points}}", points=both) == "7 points and 1,200 petals"
    assert said("{{points}}", "ko", points=both) == "7포인트, 1,200꽃잎"


@pytest.mark.parametrize(
    "name",
    [
        "{{points}}",
        "{{member.name}}",
        "{% for x in y %}{{ x }}{% endfor %}",
        "{0.__class__}",
        "%(points)s ${points}",
        r"\1\g<0>",
        "a\tb\x1b[31m\u202e",
        "<script>alert(1)</script>",
    ],
)
def test_what_is_filled_in_is_text_for_ever(name: str) -> None:
    assert said("Hi {{member.name}}: {{points}}", member_name=name) == f"Hi {name}: 7"
    assert said("{{program.name}} {{reward.name}}", rewards=[({"en": name}, "r")]) == (
        f"Bloom & Co {name}"
    )


def test_who_has_no_name_is_called_by_a_neutral_word() -> None:
    def nameless(text: str, locale: str) -> str:
        return said(text, locale, member_name=None)

    assert nameless("Thank you, {{member.name}}!", "en") == "Thank you, dear member!"
    # Nobody is 회원님님.
    assert nameless("{{member.name}}님, 감사합니다!", "ko") == "회원님, 감사합니다!"
    assert nameless("{{member.name}}, 감사합니다!", "ko") == "회원님, 감사합니다!"
    assert nameless("{{member.name}} 님께", "ko-KR") == "회원 님께"
    assert nameless("{{member.name}}さん", "ja") == "会員さん"
    assert nameless("{{member.name}}、", "ja") == "会員様、"
    assert nameless("Danke, {{member.name}}!", "de-AT") == "Danke, liebes Mitglied!"
    assert nameless("Grazie, {{member.name}}!", "it") == "Grazie, dear member!"
    assert nameless("{{member.name}}", "en") == said("{{member.name}}", member_name="")


def test_the_name_is_asked_for_only_where_a_note_speaks_by_it() -> None:
    assert notes.asks_for_name({"en": "Hi", "ko": "{{member.name}}님"})
    assert not notes.asks_for_name({"en": "member.name {{points}}"})
    assert notes.render({}, Given(PROGRAM, None, [], [])) is None
    # What the check refuses stays as it was written, should it ever come here.
    assert said("{{ points }} {{secret}}") == "{{ points }} {{secret}}"


def test_the_document_of_the_page_is_one_without_a_warning() -> None:
    page = (Path(__file__).parents[2] / "docs/surprises.md").read_text()
    [block] = [one for one in re.findall(r"(?:^    .*\n)+", page, re.MULTILINE) if '"name"' in one][
        :1
    ]
    told = json.loads(block)
    versions.validate(told)
    assert checking.check(told) == ([], [])
    assert len(compile_document(bytes(16), 1, told).surprises.all) == 1

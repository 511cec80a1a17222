"""Documents as YAML: the same bytes again, nothing mangled, and faults named with their lines."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from programs import exchange
from tests.world import BASE_RULE, World, document, per_euro, rule

LEVELS = [
    {"enter_at": 50000, "key": "silver", "multiplier_bp": 12500},
    {
        "key": "gold",
        "enter_at": 150000,
        "multiplier_bp": 15000,
        "perks": [{"name": {"ko": "무료 배송"}, "key": "free"}],
    },
]
_LOOKALIKES = (
    "12-31 14:00 2026-05-01 2026-05-01T10:00:00Z on off yes no ON Yes null ~ true false 1 0 -5 007 "
    "0x1F 0o17 1_000 1e3 1.5 .5 +5 .inf .NaN 190:20:30 = << ! & * ? : - # % @ ` ' \" {} [] , | >"
)
TRICKY = _LOOKALIKES.split()


def run(app: Flask, *arguments: str) -> Any:
    return app.test_cli_runner().invoke(args=["program", *arguments])


def test_the_order_of_names_is_that_of_the_contract() -> None:
    text = exchange.write(
        {
            "points": [{"name": {"ko": "포인트"}, "key": "points"}],
            "name": "Bloom",
            "timezone": "Asia/Seoul",
            "tiers": {"levels": LEVELS},
            "currency": "KRW",
            "earning": {"rules": [{"effect": {"points": 1, "do": "add_points"}, "key": "b"}]},
        }
    )
    assert text == (
        "name: Bloom\n"
        "timezone: Asia/Seoul\n"
        "currency: KRW\n"
        "points:\n"
        "  - key: points\n"
        "    name:\n"
        "      ko: 포인트\n"
        "earning:\n"
        "  rules:\n"
        "    - key: b\n"
        "      effect:\n"
        "        do: add_points\n"
        "        points: 1\n"
        "tiers:\n"
        "  levels:\n"
        "    - key: silver\n"
        "      enter_at: 50000\n"
        "      multiplier_bp: 12500\n"
        "    - key: gold\n"
        "      enter_at: 150000\n"
        "      multiplier_bp: 15000\n"
        "      perks:\n"
        "        - key: free\n"
        "          name:\n"
        "            ko: 무료 배송\n"
    )


@pytest.mark.parametrize("text", ["", " ", " x", "x ", "a\nb", "\n", "\t", "\x85", "é", *TRICKY])
def test_a_text_stays_a_text(text: str) -> None:
    assert exchange.read(exchange.write({"name": text}).encode()).document == {"name": text}
    # Also when another program reads it.
    assert yaml.safe_load(exchange.write({"name": text})) == {"name": text}


@pytest.mark.parametrize("text", [one for one in TRICKY if one[0] not in "!&*?:-#%@`'\"{}[],|>"])
def test_what_people_write_without_quotes_is_a_text_or_a_plain_integer(text: str) -> None:
    plain = {"null": None, "~": None, "true": True, "false": False, "1": 1, "0": 0, "-5": -5}
    found = exchange.read(f"a: {text}\n{text}: b\n".encode()).document
    assert found == {"a": plain.get(text, text), text: "b"}
    assert type(found["a"]) is type(plain.get(text, text))


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | _texts | st.sampled_from(TRICKY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_texts | st.sampled_from(["name", "points", "earning", "tiers"]), _values))
def test_whatever_is_written_is_read_alike_and_written_to_the_same_bytes(value: Any) -> None:
    text = exchange.write(value)
    again = exchange.read(text.encode()).document
    assert json.dumps(again) == json.dumps(exchange.ordered(value))
    assert exchange.write(again) == text


@pytest.mark.parametrize(
    ("text", "line", "detail"),
    [
        ("a: 1\nb: &x 2\n", 2, "anchors"),
        ("a: 1\nb: *x\n", 2, "anchors"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "the tag"),
        ("a: !!str 1\n", 1, "the tag"),
        ("a: 1\n\na: 2\n", 3, "occurs twice"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: [1\nb: 2\n", 2, "expected"),
        ("a: 1\n b: 2\n", 2, "not allowed"),
        ("? [a]\n: 1\n", 1, "must be a text"),
        ("", 1, "is empty"),
        ("# nothing\n", 1, "is empty"),
        ("a: \x07\n", 1, "refuses"),
        ('a: 1\nb: "\\ud800"\n', 2, "surrogate"),
        ("a: " + "[" * 70 + "]" * 70, 1, "64 levels"),
        ("a: " + "[" * 5000 + "]" * 5000, 1, "levels"),
        ("a: " + "x" * 1024 * 1024, 1, "larger"),
    ],
)
def test_what_is_no_plain_document_is_refused_with_its_line(
    text: str, line: int, detail: str
) -> None:
    with pytest.raises(exchange.MalformedYaml, match=detail) as told:
        exchange.read(text.encode())
    assert told.value.line == line


def test_other_encodings_are_refused() -> None:
    with pytest.raises(exchange.MalformedYaml, match="line 2: is not UTF-8"):
        exchange.read("a: 1\nb: é\n".encode("latin-1"))


def test_lines_are_known_by_pointer() -> None:
    source = exchange.read(b"name: x\nearning:\n  rules:\n    - key: a\n      'x/y~': 1\n    - b\n")
    assert source.line_of("/earning/rules/0/x~1y~0") == 5
    assert source.line_of("/earning/rules/0/effect/do") == 4
    assert source.line_of("/earning/rules/1") == 6
    assert source.line_of("/nowhere") == 1


def test_changes_name_items_by_their_keys() -> None:
    first, second = rule("a", per_euro()), rule("b", per_euro())
    old = document(earning={"rules": [first, second]}, locales=["ko"])
    new = document(
        earning={"rules": [rule("c", per_euro()), rule("a", per_euro(2))], "rounding": "ceil"},
        tiers={"levels": LEVELS},
    )
    assert {one.shown() for one in exchange.changes(old, new)} == {
        "- locales",
        "~ earning.rules.a.effect.points: 1 → 2",
        "- earning.rules.b",
        "+ earning.rules.c",
        "+ earning.rounding: ceil",
        "+ tiers",
    }
    assert exchange.changes(old, document(earning={"rules": [second, first]}, locales=["ko"])) == []
    kinds = [{"key": "points"}, {"key": "credit"}]
    found = exchange.changes(document(points=kinds), document(points=kinds[::-1]))
    assert [one.shown() for one in found] == ["~ points (default kind): points → credit"]


def test_true_is_not_one() -> None:
    when = {"fact": "order.is_first", "op": "=", "value": True}
    one, other = ({"earning": {"rules": [{"key": "a", "when": when | more}]}} for more in _VALUES)
    assert [found.kind for found in exchange.changes(one, other)] == ["changed"]


_VALUES: list[dict[str, Any]] = [{"value": True}, {"value": 1}]


def test_export_import_export_gives_the_same_bytes(world: World, tmp_path: Path) -> None:
    name, on, other = {"en": "on", "no": "12-31"}, tmp_path / "a.yaml", tmp_path / "b.yaml"
    world.publish(
        tiers={"levels": LEVELS},
        points=[
            {"key": "points", "name": name, "expiry": {"policy": "fixed_dates", "dates": ["12-31"]}}
        ],
    )
    options = ("--program", world.program_id)
    assert run(world.app, "export", *options, str(on)).exit_code == 0
    told = run(world.app, "import", *options, str(on))
    assert (told.exit_code, told.output) == (0, "nothing changed\n")
    assert run(world.app, "export", *options, "--draft", str(other)).exit_code == 0
    assert on.read_bytes() == other.read_bytes()
    shown = run(world.app, "export", *options, "--version", "1")
    assert shown.output == exchange.write(document())
    assert run(world.app, "export", *options, "--version", "9").exit_code == 1


def test_an_import_can_be_tried_written_and_published(world: World, tmp_path: Path) -> None:
    file, options = tmp_path / "p.yaml", ("--program", world.program_id)
    file.write_text(exchange.write(document(earning={"rules": [rule("base", per_euro(3))]})))
    change = "~ earning.rules.base.effect.points: 1 → 3\n"
    told = run(world.app, "import", *options, str(file), "--dry-run")
    assert (told.exit_code, told.output) == (0, change)
    assert world.get("/program/draft") == document()
    told = run(world.app, "import", *options, str(file))
    assert (told.exit_code, told.output) == (0, change)
    assert (world.get("/program/draft") != document(), world.earned("A-1", 1000)) == (True, 10)
    publish = ("--publish", "--note", "트리플", "--actor", "mina")
    assert run(world.app, "import", *options, str(file), "--publish").exit_code == 2
    refused = run(world.app, "import", *options, str(file), *publish, "--approver", "mina")
    assert refused.exit_code == 1 and "/approver" in refused.output
    told = run(world.app, "import", *options, str(file), *publish, "--approver", "jun")
    assert told.output == "nothing changed\npublished as version 2\n"
    made = world.get("/program/versions/2")
    assert (made["note"], made["actor"], made["approver"]) == ("트리플", "mina", "jun")
    assert world.earned("A-2", 1000) == 30
    told = run(world.app, "import", *options, str(file), *publish)
    assert "nothing was published" in told.output
    assert world.get("/program")["version"] == 2


def test_faults_are_named_with_their_lines(world: World, tmp_path: Path) -> None:
    file, options = tmp_path / "p.yaml", ("--program", world.program_id)
    text = exchange.write(document(earning={"rules": [BASE_RULE | {"when": WRONG}]}))
    file.write_text(text + "tears: 1\n")
    told = run(world.app, "import", *options, str(file))
    assert told.exit_code == 1
    assert f"{file}:{text.count(chr(10)) + 1}: /tears: " in told.output
    file.write_text(text)
    told = run(world.app, "import", *options, str(file))
    line = text.split("\n").index("        fact: order.nett_minor") + 1
    assert f"{file}:{line}: /earning/rules/0/when/fact: There is no fact" in told.output
    file.write_text('{"name": "Y", "currency": "X", "timezone": "Q"}')
    told = run(world.app, "import", *options, str(file))
    assert told.exit_code == 1
    # All on the one line.
    assert {"/points", "/currency"} <= {row.split(": ")[-2] for row in told.output.splitlines()}
    told = run(world.app, "import", *options, str(file), "--actor", "a" * 129)
    assert told.exit_code == 1 and "/actor" in told.output
    publish = ("--publish", "--note", "n" * 1001)
    told = run(world.app, "import", *options, str(file), *publish)
    assert told.exit_code == 1 and "/note" in told.output
    file.write_text("name: [\n")
    told = run(world.app, "import", *options, str(file))
    assert told.exit_code == 1 and f"{file}:2: " in told.output
    assert world.get("/program/draft") == document()


WRONG = {"fact": "order.nett_minor", "op": ">", "value": 1}


def test_a_diff_shows_both_what_changed_and_the_lines(world: World, tmp_path: Path) -> None:
    world.publish(earning={"rules": [rule("base", per_euro(2))]})
    world.put("/program/draft", document(name="Three", earning={"rules": [BASE_RULE]}))
    file, options = tmp_path / "p.yaml", ("--program", world.program_id)
    file.write_text(exchange.write(document()))
    told = run(world.app, "diff", *options, "1", "2").output.split("\n")
    assert told[:3] == ["~ earning.rules.base.effect.points: 1 → 2", "", "--- 1"]
    assert {"-        points: 1", "+        points: 2"} < set(told)
    assert run(world.app, "diff", *options, "1", str(file)).output == "no difference\n"
    told = run(world.app, "diff", *options, str(file), "draft").output.split("\n")
    assert told[0] == "~ name: Bloom → Three"
    assert run(world.app, "diff", *options, "1", "nowhere.yaml").exit_code == 1

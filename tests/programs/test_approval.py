"""Publishing and restoring with care: a second pair of eyes, and documents out of date."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core import db, ids, jsontext
from programs import defaults, exchange
from programs.models import ProgramVersion
from tests.contract.checking import pointers, problem, rows
from tests.world import BASE_RULE, World, document, per_euro, rule


def publish(world: World, actor: str | None, **body: Any) -> Any:
    headers = {"Idempotency-Key": "p-1"} | ({} if actor is None else {"Dangol-Actor": actor})
    return world.call("POST", "/program/draft/publish", {"note": "why"} | body, headers=headers)


def test_nobody_approves_what_they_publish_themselves(world: World) -> None:
    world.put("/program/draft", document(name="Two"))
    before = rows(world)
    response = publish(world, "mina", approver="mina")
    assert pointers(problem(response, 422, "validation_failed")) == ["/approver"]
    assert rows(world) == before
    made = publish(world, "mina", approver="jun")
    assert (made.status_code, made.json["approver"]) == (200, "jun")


@pytest.mark.parametrize(("actor", "approver"), [("mina", None), (None, "jun"), (None, None)])
def test_a_second_pair_of_eyes_is_no_must(
    world: World, actor: str | None, approver: str | None
) -> None:
    world.put("/program/draft", document(name="Two"))
    body = {} if approver is None else {"approver": approver}
    made = publish(world, actor, **body).json
    assert (made["version"], made["actor"], made["approver"]) == (2, actor, approver)


def make_old(world: World, version: int) -> None:
    """Let a version hold a rule that was valid once: on a fact that is gone since."""
    when = {"fact": "order.colour", "op": "=", "value": "red"}
    old = document(earning={"rules": [BASE_RULE, rule("red", per_euro(), when=when)]})
    statement = (
        sa.update(ProgramVersion)
        .where(
            ProgramVersion.program_id == ids.read_id("prg", world.program_id),
            ProgramVersion.version == version,
        )
        .values(document=jsontext.text(old))
    )
    with world.app.app_context():
        db.in_transaction(lambda connection: connection.execute(statement))


def test_a_version_that_is_no_longer_valid_says_so_and_is_not_restored(world: World) -> None:
    assert world.get("/program/versions/1")["errors"] == []
    world.publish(name="Two")
    world.publish(name="Three")
    make_old(world, 1)
    [error] = world.get("/program/versions/1")["errors"]
    assert (error["pointer"], error["code"]) == ("/earning/rules/1/when/fact", "unknown_fact")
    before = rows(world)
    response = world.call("POST", "/program/versions/1/restore", headers={"Idempotency-Key": "r"})
    told = problem(response, 422, "validation_failed")
    assert told["detail"].startswith("version 1 is no longer valid: ")
    assert pointers(told) == ["/earning/rules/1/when/fact"]
    assert rows(world) == before
    assert world.post("/program/versions/2/restore")["restored_from"] == 2


ITEMS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("points", {"key": "credit", "value": {"points": 1, "minor": 1}}, ["points"]),
    ("rules", rule("extra", per_euro(2)), ["earning", "rules"]),
    ("levels", {"key": "silver", "enter_at": 1000}, ["tiers", "levels"]),
    ("cards", {"key": "coffee", "stamps": 10}, ["cards"]),
    ("activities", {"key": "review", "facts": {"rating": "integer"}}, ["activities"]),
]


@pytest.mark.parametrize(("section", "item", "path"), ITEMS)
def test_items_of_every_section_are_put_read_published_and_taken_out(
    world: World, section: str, item: dict[str, Any], path: list[str]
) -> None:
    address = f"/program/draft/{section}/{item['key']}"
    assert world.put(address, item) == item
    assert world.get(address) == item
    world.post("/program/draft/publish", {"note": "one more"})
    found: Any = world.get("/program")["document"]
    for name in path:
        found = found[name]
    assert found[-1] == item
    left: Any = world.call("DELETE", address).json
    for name in path:
        left = left[name]
    assert item not in left
    problem(world.call("GET", address), 404, "not_found")


def test_the_worked_example_of_the_documentation_does_what_it_says(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs/program.md").read_text()
    told = page.split("## The life of a document", 1)[1].split("\n## ", 1)[0]
    written, dry_run, spring = (
        textwrap.dedent(block) + "\n" for block in told.split("\n\n") if block.startswith("    ")
    )
    file = tmp_path / "bloom.yaml"
    made = defaults.document("Bloom", "Asia/Seoul", "KRW")
    rules, segments = exchange.write(made).split("segments:\n", 1)
    added = textwrap.indent(written, "    ")
    file.write_text(f"{rules}{added}segments:\n{segments}")
    world = make_world(**made)
    runner = world.app.test_cli_runner()
    options = ("--program", world.program_id, str(file))
    shown = runner.invoke(args=["program", "import", *options, "--dry-run"]).output
    assert shown.replace(str(file), "bloom.yaml") == dry_run
    file.write_text(file.read_text().replace("points: 300", "points: 3000"))
    publish = ("--publish", "--note", "Spring", "--actor", "mina", "--approver", "jun")
    done = runner.invoke(args=["program", "import", *options, *publish])
    assert done.output.splitlines() == ["+ earning.rules.spring", "published as version 2"]
    body = jsontext.read(spring.encode())
    assert world.post("/switches", body)["state"] == "paused"

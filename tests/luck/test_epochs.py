"""Epochs from the first draw to the proof, over HTTP and by the commands, on both databases."""

import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from core import clock, db, ids
from rewards.luck import epochs, keeping, merkle
from rewards.luck.models import CHAINS, EPOCHS, LEAVES
from rewards.surprises.carried import DRAWS
from tests.contract import checking
from tests.luck.drawing import draw, owner
from tests.world import World

VERIFIER = Path(__file__).parents[2] / "examples/verify_draws.py"


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A program at ten o'clock on 1 March, with Mina and Jun."""
    made = make_world()
    made.set_clock("2026-03-01T10:00:00Z")
    made.member("mina")
    made.member("jun")
    return made


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def move(world: World, instant: str) -> None:
    world.post("/test-clock", {"now": instant})


def run(world: World, *arguments: str) -> Any:
    return world.app.test_cli_runner().invoke(args=["draws", *arguments])


def verified(world: World) -> dict[str, Any]:
    """The report of `flask draws verify`, whose exit status says the same."""
    answer = run(world, "verify", "--program", world.program_id, "--json")
    report: dict[str, Any] = json.loads(answer.output)
    assert answer.exit_code == (1 if report["faults"] else 0), answer.output
    return report


def change(world: World, statement: Any) -> None:
    with world.app.app_context():
        db.in_transaction(lambda connection: connection.execute(statement))


def seeds(world: World) -> list[bytes]:
    """The seeds of the first five epochs, which nobody may know before their time."""

    def read(connection: sa.Connection) -> list[bytes]:
        chain = keeping.find(connection, owner(world), 1)
        assert chain is not None
        return [chain.seed_at(place) for place in range(1, 6)]

    with world.app.app_context():
        return db.reading(read)


def test_a_day_of_draws_is_closed_shown_proved_and_checked(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    first = draw(world, "A-1", "A-2", "A-3")
    draw(world, "J-1", ref="jun", guard="holdout")
    draw(world, "J-2", ref="jun", surprise_key="apple", probability_ppm=1_000_000)
    shown = world.get("/fairness/epochs")
    (chain,) = shown["chains"]
    (epoch,) = shown["data"]
    assert chain["length"] == 4096
    assert (epoch["number"], epoch["chain"], epoch["place"]) == (1, 1, 1)
    assert (epoch["day"], epoch["state"]) == ("2026-03-01", "open")
    assert epoch["ends_at"] == "2026-03-02T00:00:00Z"
    assert epoch["seed"] is epoch["root"] is epoch["receipts"] is None and not epoch["rules"]
    answer = world.call("GET", "/fairness/epochs/1/receipts")
    assert checking.problem(answer, 409, "state_conflict")["state"] == "open"
    draw_id = ids.show_id("drw", first[1]["id"])
    before = world.get(f"/draws/{draw_id}")
    assert before["number"] is before["leaf"] is before["proof"] is None
    assert (before["roll"], before["won"]) == (first[1]["roll"], first[1]["won"])
    # Until it is closed its seed is nowhere but under a seal: nor are those after it.
    secret = seeds(world)
    stored = repr(checking.rows(world)).lower()
    for one in secret:
        assert one.hex() not in stored and repr(one).lower() not in stored
    assert secret[0].hex() not in json.dumps([shown, before])
    assert secret[0].hex() not in repr(epochs.Epoch(1, secret[0], 1))
    assert verified(world) | {"programs": 1} == {
        "programs": 1,
        "epochs": 1,
        "receipts": 5,
        "sealed": 0,
        "faults": [],
    }

    # An instant before midnight it is open; at midnight it is closed.
    move(world, "2026-03-01T23:59:59Z")
    assert world.get("/fairness/epochs")["data"][0]["state"] == "open"
    move(world, "2026-03-02T00:00:00Z")
    (epoch,) = world.get("/fairness/epochs")["data"]
    assert (epoch["state"], epoch["closed_at"]) == ("closed", "2026-03-02T00:00:00Z")
    seed = bytes.fromhex(epoch["seed"])
    assert seed == secret[0] and sha256(seed).hex() == chain["anchor"]
    assert epoch["rules"] == [
        {"rule": "apple", "first": 1, "last": 1},
        {"rule": "luck", "first": 1, "last": 4},
    ]
    told = world.get("/fairness/epochs/1/receipts")["data"]
    leaves = []
    for place, one in enumerate(told):
        body = json.dumps(
            one["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
        assert one["body_hash"] == sha256(body).hex()
        text = f'["{one["rule"]}",{one["number"]},"{one["body_hash"]}"]'
        leaves.append(sha256(b"\0" + text.encode()))
        assert one["leaf"] == leaves[-1].hex()
        assert (one["rule"], one["number"]) == (("apple", 1), *(("luck", n) for n in (1, 2, 3, 4)))[
            place
        ]
    assert [one["body"]["activity_ref"] for one in told] == ["J-2", "A-1", "A-2", "A-3", "J-1"]
    assert told[4]["body"]["guard"] == "holdout" and told[4]["body"]["roll"] is None
    assert told[0]["body"]["won"] is True
    left = [sha256(b"\1" + leaves[at] + leaves[at + 1]) for at in (0, 2)]
    root = sha256(b"\1" + sha256(b"\1" + left[0] + left[1]) + leaves[4])
    assert epoch["root"] == root.hex() and epoch["receipts"] == 5
    # A page of two, and the next ones.
    page = world.get("/fairness/epochs/1/receipts?limit=2")
    again = page["data"]
    while page["next_cursor"]:
        page = world.get(f"/fairness/epochs/1/receipts?limit=2&cursor={page['next_cursor']}")
        again += page["data"]
    assert again == told
    after = world.get(f"/draws/{draw_id}")
    assert (after["number"], after["proof"]["place"], after["proof"]["count"]) == (2, 2, 5)
    path = [bytes.fromhex(one) for one in after["proof"]["path"]]
    assert path == [leaves[3], left[0], leaves[4]]
    assert after["guards_passed"][-1] == "budget" and after["guard"] is None
    held = world.get(f"/draws/{_id_of(world, 'J-1')}")
    assert (held["guards_passed"], held["guard"]) == (
        ["live", "schedule", "eligibility"],
        "holdout",
    )

    # A day without draws has no epoch; numbers go on.
    move(world, "2026-03-04T12:00:00Z")
    draw(world, "A-4")
    draw(world, "B-1", surprise_key="pear")
    move(world, "2026-03-05T00:00:00Z")
    (second, same) = world.get("/fairness/epochs")["data"]
    assert same == epoch and second["day"] == "2026-03-04" and second["number"] == 2
    assert second["rules"] == [
        {"rule": "luck", "first": 5, "last": 5},
        {"rule": "pear", "first": 1, "last": 1},
    ]
    assert bytes.fromhex(second["seed"]) == secret[1] and sha256(secret[1]) == secret[0]
    draw(world, "A-5")
    assert verified(world)["receipts"] == 8

    file = tmp_path / "draws.json"
    exported = run(world, "export", "--program", world.program_id, str(file))
    assert exported.exit_code == 0, exported.output
    assert "7 receipts of 3 epochs" in exported.output
    assert secret[2].hex() not in file.read_text()
    assert run(world, "export", "--program", world.program_id, str(file)).exit_code == 1
    done = subprocess.run(
        [sys.executable, "-I", VERIFIER, file, "--anchor", chain["anchor"]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 epochs, 7 receipts, 6 rolled" in done.stdout
    assert not [one for one in secret if one.hex() in caplog.text]
    assert world.call("GET", "/fairness/epochs/9/receipts").status_code == 404
    assert world.call("GET", "/draws/drw_0").status_code == 404


def _id_of(world: World, activity: str) -> str:
    def read(connection: sa.Connection) -> Any:
        return connection.execute(
            sa.select(DRAWS.c.id).where(
                DRAWS.c.program_id == owner(world), DRAWS.c.activity_ref == activity
            )
        ).scalar_one()

    with world.app.app_context():
        return ids.show_id("drw", bytes(db.reading(read)))


def test_whatever_is_changed_in_the_database_is_found(world: World) -> None:
    if world.is_postgresql:
        pytest.skip("the same statements and the same comparisons: once is enough")
    rows = draw(world, "A-1", "A-2", "A-3", probability_ppm=500_000, pity_after=50)
    move(world, "2026-03-02T10:00:00Z")
    draw(world, "A-4")
    mine = DRAWS.c.program_id == owner(world)
    one = sa.and_(mine, DRAWS.c.id == rows[1]["id"])
    name = "epoch 1 luck #2"
    changes = {
        "roll": rows[1]["roll"] + 1,
        "won": not rows[1]["won"],
        "prize": 7,
        "threshold_ppm": 1,
        "probability_ppm": 1,
        "pace_ppm": 1,
        "version": 3,
        "member_ref": "jun",
        "activity_ref": "A-9",
        "drawn_at": 0,
        "is_shadow": True,
        "is_pity": True,
        "losses": 4,
        "pity_after": None,
        "weights": "[1]",
        "guard": "budget",
        "body_hash": bytes(32),
    }
    for column, value in changes.items():
        _tampered(world, DRAWS, one, {column: value}, name)
    epoch = sa.and_(EPOCHS.c.program_id == owner(world), EPOCHS.c.number == 1)
    for changed in ({"seed": bytes(32)}, {"root": bytes(32)}, {"receipt_count": 4}, {"place": 9}):
        _tampered(world, EPOCHS, epoch, changed, "epoch 1")
    _tampered(world, CHAINS, CHAINS.c.program_id == owner(world), {"anchor": bytes(32)}, "epoch 1")
    leaf = sa.and_(LEAVES.c.program_id == owner(world), LEAVES.c.draw_id == rows[1]["id"])
    _tampered(world, LEAVES, leaf, {"leaf": bytes(32)}, name)
    _tampered(world, LEAVES, leaf, {"number": 9}, "luck #9")
    # Sealed although nobody was erased.
    _tampered(world, DRAWS, one, {"is_erased": True}, name)
    # What is drawn in the open epoch is checked as well.
    of_open = sa.and_(mine, DRAWS.c.activity_ref == "A-4")
    _tampered(world, DRAWS, of_open, {"roll": 3}, "drw_")
    # One that is in no tree, and one that is gone altogether.
    change(world, sa.delete(LEAVES).where(leaf))
    assert any("is below no root" in one for one in verified(world)["faults"])
    change(world, sa.delete(DRAWS).where(one))
    found = [one.removeprefix(f"{world.program_id} ") for one in verified(world)["faults"]]
    assert "epoch 1 luck #3: number: told 3, must be 2" in found
    assert "epoch 1: receipts: told 3, must be 2" in found


def _tampered(
    world: World, table: sa.Table, where: Any, changed: dict[str, Any], name: str
) -> None:
    """Change a row, find it named, and put it back."""
    columns = [table.c[column] for column in changed]

    def read(connection: sa.Connection) -> dict[str, Any]:
        return dict(connection.execute(sa.select(*columns).where(where)).mappings().one())

    with world.app.app_context():
        stored = db.reading(read)
    change(world, sa.update(table).where(where).values(**changed))
    found = verified(world)["faults"]
    assert any(name in one for one in found), (changed, found)
    change(world, sa.update(table).where(where).values(**stored))
    assert verified(world)["faults"] == []


def test_keys_that_change_keep_the_seeds_and_keys_that_are_lost_lose_them(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import sealing

    held = ["first-key-0123456789-0123456789-abcd"]
    monkeypatch.setattr(sealing, "keys", lambda: tuple(held))
    draw(world, "A-1")
    # Rotated: the next epoch seals the chain anew, and the first key is not needed any more.
    held.insert(0, "second-key-0123456789-0123456789-abc")
    move(world, "2026-03-02T10:00:00Z")
    draw(world, "A-2")
    held.pop()
    keeping._seeds.clear()
    move(world, "2026-03-03T10:00:00Z")
    draw(world, "A-3")
    assert verified(world)["faults"] == []
    # Lost: draws go on in another chain, and what cannot be checked is said.
    held[:] = ["other-key-0123456789-0123456789-abcd"]
    keeping._seeds.clear()
    draw(world, "A-4")
    move(world, "2026-03-04T10:00:00Z")
    shown = world.get("/fairness/epochs")
    assert [(one["number"], one["chain"], one["place"]) for one in shown["data"]] == [
        (4, 2, 1),
        (3, 1, 3),
        (2, 1, 2),
        (1, 1, 1),
    ]
    assert shown["data"][1]["seed"] is None and shown["data"][0]["seed"] is not None
    assert verified(world)["faults"] == [
        f"{world.program_id} epoch 3: its seed is lost: nothing drawn in it can be checked"
    ]


def test_the_next_chain_is_published_before_it_is_needed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rewards.luck import chains

    monkeypatch.setattr(chains, "LENGTH", 33)
    days = [f"2026-{month:02}-{day:02}" for month in (3, 4) for day in range(1, 31)][:35]
    published = []
    for number, day in enumerate(days, start=1):
        world.set_clock(f"{day}T10:00:00Z")
        draw(world, f"A-{number}", f"B-{number}")
        published.append(len(world.get("/fairness/epochs?limit=1")["chains"]))
    # Of 33 seeds 30 are left behind the third epoch, and 29 behind the fourth.
    assert published == [1] * 3 + [2] * 32
    move(world, "2026-05-05T00:00:00Z")
    newest = world.get("/fairness/epochs?limit=3")["data"]
    assert [(one["chain"], one["place"], one["state"]) for one in newest] == [
        (2, 2, "closed"),
        (2, 1, "closed"),
        (1, 33, "closed"),
    ]
    report = verified(world)
    assert (report["epochs"], report["receipts"], report["faults"]) == (35, 70, [])


def test_what_comes_late_finds_an_open_epoch(world: World) -> None:
    """A unit that was held up over midnight, and clocks that differ."""
    program_id = owner(world)

    def opened(instant: str) -> tuple[int, int]:
        def work(connection: sa.Connection) -> tuple[int, int]:
            made = epochs.open_now(connection, program_id, clock.parse_instant(instant))
            return made.number, made.day

        with world.app.app_context():
            return db.in_transaction(work)

    # 2026-03-01 is day 20,513 since 1970.
    assert opened("2026-03-01T23:59:59.999999Z") == (1, 20_513)
    assert opened("2026-03-01T00:00:00Z") == (1, 20_513)
    assert opened("2026-03-02T00:00:00Z") == (2, 20_514)
    assert opened("2026-03-01T23:59:59Z") == (2, 20_514)
    move(world, "2026-03-03T00:00:00Z")
    assert opened("2026-03-02T23:59:59Z") == (3, 20_514)
    # Its day was over when it was opened: it is closed at once.
    with world.app.app_context():
        from storefront.fairness import closing

        assert closing.settle_due(program_id) == 1
    assert {one["state"] for one in world.get("/fairness/epochs")["data"]} == {"closed"}
    assert world.get("/fairness/epochs")["data"][0]["root"] == merkle.EMPTY.hex()
    assert verified(world)["faults"] == []


def test_who_is_erased_leaves_a_hash(world: World) -> None:
    draw(world, "A-1", "A-2")
    draw(world, "J-1", ref="jun")
    move(world, "2026-03-02T10:00:00Z")
    draw(world, "A-3")
    world.call("DELETE", "/members/mina")
    told = world.get("/fairness/epochs/1/receipts")["data"]
    assert [(one["is_sealed"], one["body"] is None) for one in told] == [
        (True, True),
        (True, True),
        (False, False),
    ]
    report = verified(world)
    assert (report["receipts"], report["sealed"], report["faults"]) == (4, 3, [])
    move(world, "2026-03-03T10:00:00Z")
    assert "A-1" not in json.dumps(world.get("/fairness/epochs/1/receipts"))
    assert verified(world)["faults"] == []

"""`flask backup` and `flask restore`: what comes back is what was there, on either database."""

import contextlib
import copy
import dataclasses
import gzip
import hashlib
import itertools
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from config import Settings
from core import ids
from core.db import db, in_transaction
from core.outbox import OutboxMessage
from server import backup
from server.app import create_app
from server.copying import RefusedError
from tests.conftest import SECRET_KEY
from tests.server.databases import NAME, answers, empty, fill, rows, run
from tests.webhooks.conftest import Hooks
from tests.webhooks.receiver import Receiver
from tests.world import World
from webhooks.sending import Outgoing

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="module", params=KINDS)
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgresql_url: str
) -> Iterator[tuple[Flask, list[World], Path]]:
    """A filled instance and its backup."""
    folder = tmp_path_factory.mktemp("source")
    with empty(request.param, folder, postgresql_url) as app:
        worlds = fill(app)
        file = folder / "dangol.backup.gz"
        done = run(app, "backup", str(file))
        assert done.exit_code == 0, done.output
        yield app, worlds, file


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, tmp_path: Path, postgresql_url: str) -> Iterator[Flask]:
    """An empty database."""
    with empty(request.param, tmp_path, postgresql_url) as app:
        yield app


@pytest.fixture(scope="module", params=KINDS)
def refusing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgresql_url: str
) -> Iterator[Flask]:
    """An empty database for files that are refused: each leaves it empty for the next."""
    with empty(request.param, tmp_path_factory.mktemp("refusing"), postgresql_url) as app:
        yield app


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_instance_is_the_one_that_was_backed_up(
    source: tuple[Flask, list[World], Path], kind: str, tmp_path: Path, postgresql_url: str
) -> None:
    app, worlds, _ = source
    file = tmp_path / "now.gz"
    assert run(app, "backup", str(file)).exit_code == 0
    with empty(kind, tmp_path, postgresql_url) as restored:
        done = run(restored, "restore", str(file))
        assert done.exit_code == 0, done.output
        assert done.output.endswith("clean\n") and "NOT CLEAN" not in done.output
        assert "WARNING" not in done.output
        assert rows(restored) == rows(app)
        for world in worlds:
            answered = answers(restored, world)
            assert answered == answers(app, world)
            assert json.loads(answered["/members/mina"])["name"] == NAME
            # Worked out by hand. Mina: 100 + (12,000 - 8,000 + 9,500) / 100 = 235. Jun, with one
            # thousand million euros in his last order: 100 + 70 + 1,000,000,000.
            for ref, expected in (("mina", 235), ("jun", 1_000_000_170)):
                data = json.loads(answered[f"/members/{ref}/balances"])["data"]
                assert [one["available"] for one in data if one["points_key"] == "points"] == [
                    expected
                ]
        # It goes on where the other stopped: the chain continues, the constraints are in force.
        going_on = worlds[0]
        response = restored.test_client().put(
            "/v1/members/new", json={}, headers={"Authorization": f"Bearer {going_on.key}"}
        )
        assert response.status_code == 201
        with restored.app_context(), pytest.raises(sa.exc.DBAPIError, match="append-only"):
            in_transaction(lambda one: one.execute(sa.text("DELETE FROM entries")))
        assert run(restored, "ledger", "verify").exit_code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_instance_sends_only_what_was_not_delivered(
    kind: str, tmp_path: Path, postgresql_url: str
) -> None:
    receiver = Receiver()
    with (
        contextlib.closing(receiver),
        empty(kind, tmp_path, postgresql_url) as app,
        empty(kind, tmp_path, postgresql_url) as restored,
    ):
        for one in (app, restored):
            settings = one.extensions["dangol.settings"]
            allowed = dataclasses.replace(settings, webhook_allowed_cidrs=("127.0.0.0/8",))
            one.extensions["dangol.outgoing"] = Outgoing.of(allowed)
        world, _ = fill(app)
        hooks = Hooks(world)
        hooks.endpoint(receiver.url)
        for number in range(3):
            hooks.tell(version=number)
        hooks.run()
        delivered = set(receiver.ids)
        # The fourth fails and is to be tried again, the fifth waits in the outbox.
        receiver.answers = [(503, {}, b"")]
        hooks.tell(version=4)
        hooks.run()
        [failed] = set(receiver.ids) - delivered
        hooks.tell(version=5)
        file = tmp_path / "file.gz"
        assert run(app, "backup", str(file)).exit_code == 0
        assert run(restored, "restore", str(file)).exit_code == 0
        receiver.answers, receiver.got = [(204, {}, b"")], []
        there = copy.copy(world)
        there.app = restored
        again = Hooks(there)
        while again.dispatch():
            pass
        again.deliver(seconds=24 * 3600)
        # The same id, by which a receiver would know it, and a new one; signed as before.
        assert len(delivered) == 3 and len(receiver.ids) == 2
        assert failed in receiver.ids and not delivered & set(receiver.ids)
        versions = [json.loads(body)["data"]["version"] for _, body in receiver.got]
        assert sorted(versions) == [4, 5]
        states = [one["state"] for one in again.log("?limit=100")]
        assert states == ["delivered"] * 5


def test_the_file_says_what_it_is_to_anybody_with_zcat(
    source: tuple[Flask, list[World], Path],
) -> None:
    app, _, file = source
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir() if one.name.endswith(".part")] == []
    text = gzip.decompress(file.read_bytes())
    lines = text.splitlines(keepends=True)
    head, last = json.loads(lines[0]), json.loads(lines[-1])
    assert (head["format"], head["version"]) == ("dangol-backup", 1)
    assert head["migration"] == last["migration"]
    assert SECRET_KEY not in text.decode()
    with app.app_context():
        assert set(last["tables"]) == set(db.metadata.tables)
    # The digest of a table, taken by hand from its lines.
    start = next(n for n, one in enumerate(lines) if one.startswith(b'{"table":"entries"'))
    body = list(itertools.takewhile(lambda one: one.startswith(b"["), lines[start + 1 :]))
    assert last["tables"]["entries"] == {
        "rows": len(body),
        "sha256": hashlib.sha256(b"".join(body)).hexdigest(),
    }
    assert len(body) >= 2 * 8


def test_every_flipped_byte_and_every_cut_is_refused(
    source: tuple[Flask, list[World], Path], tmp_path: Path
) -> None:
    app, _, file = source
    whole = file.read_bytes()
    bad = tmp_path / "bad.gz"
    places = [*range(24), *range(24, len(whole) - 120, 997), *range(len(whole) - 120, len(whole))]
    for place in places:
        bad.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with app.app_context(), pytest.raises(RefusedError):
            backup.check(bad, (SECRET_KEY,))
    for size in (0, 1, 90, len(whole) // 2, len(whole) - 1):
        bad.write_bytes(whole[:size])
        with app.app_context(), pytest.raises(RefusedError):
            backup.check(bad, (SECRET_KEY,))
    bad.write_bytes(whole)
    with app.app_context():
        assert backup.check(bad, (SECRET_KEY,)).has_keys


def forged(file: Path, change: Any, place: Path) -> Path:
    """The backup with other lines, closed as if it had been written so."""
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    place.write_bytes(gzip.compress(b"".join(change(lines)), mtime=0))
    backup._seal(place)
    return place


def another(name: str, value: Any) -> Any:
    """A change of one name in the first line."""

    def change(lines: list[bytes]) -> list[bytes]:
        return [json.dumps(json.loads(lines[0]) | {name: value}).encode() + b"\n", *lines[1:]]

    return change


def without_a_row(lines: list[bytes]) -> list[bytes]:
    start = next(n for n, one in enumerate(lines) if one.startswith(b'{"table":"outbox"'))
    return lines[: start + 1] + lines[start + 2 :]


def up_to_a_row(lines: list[bytes]) -> list[bytes]:
    start = next(n for n, one in enumerate(lines) if one.startswith(b'{"table":"outbox"'))
    return lines[: start + 2]


def without_programs(lines: list[bytes]) -> list[bytes]:
    start = next(n for n, one in enumerate(lines) if one.startswith(b'{"table":"programs"'))
    end = next(n for n, one in enumerate(lines) if one.startswith(b'{"end":"programs"'))
    last = json.loads(lines[-1])
    last["tables"]["programs"] = {"rows": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    return [*lines[: start + 1], *lines[end:-1], json.dumps(last).encode() + b"\n"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (another("format", "other"), "is no backup of Dangol"),
        (another("version", 2), "format 2, this version reads 1"),
        (another("migration", "0000"), "of migration 0000, this version needs"),
        (without_a_row, "outbox did not arrive as it was sent"),
        (without_programs, "does not take a row of"),
        (lambda lines: lines[:1] + lines[-1:], "did not arrive as it was sent"),
        (lambda lines: lines[:-1], "does not hold the tables"),
        (up_to_a_row, "the rows of outbox end too early"),
    ],
)
def test_a_file_of_another_kind_writes_nothing(
    source: tuple[Flask, list[World], Path], refusing: Flask, tmp_path: Path, change: Any, told: str
) -> None:
    _, _, file = source
    done = run(refusing, "restore", str(forged(file, change, tmp_path / "forged.gz")))
    assert done.exit_code == 1
    assert told in done.output and "Traceback" not in done.output
    assert not any(rows(refusing).values())


def test_a_database_that_holds_rows_is_never_overwritten(
    source: tuple[Flask, list[World], Path],
) -> None:
    app, _, file = source
    before = rows(app)
    done = run(app, "restore", str(file))
    assert done.exit_code == 1
    assert "not empty" in done.output and "flask db upgrade" in done.output
    assert rows(app) == before


def test_a_file_is_never_overwritten(
    source: tuple[Flask, list[World], Path], tmp_path: Path
) -> None:
    app, _, file = source
    before = file.read_bytes()
    done = run(app, "backup", str(file))
    assert done.exit_code == 1 and "not overwritten" in done.output
    assert file.read_bytes() == before
    done = run(app, "backup", str(tmp_path / "nowhere" / "file.gz"))
    assert done.exit_code == 1 and "could not be written" in done.output
    assert f"there is no folder {tmp_path / 'nowhere'}" in done.output


def test_a_file_that_is_none_and_a_database_that_is_not_migrated(
    source: tuple[Flask, list[World], Path], refusing: Flask, tmp_path: Path
) -> None:
    _, _, file = source
    done = run(refusing, "restore", str(tmp_path / "missing.gz"))
    assert done.exit_code == 1 and "cannot be read" in done.output
    (tmp_path / "note.txt").write_text("x" * 500)
    done = run(refusing, "restore", str(tmp_path / "note.txt"))
    assert done.exit_code == 1 and "is no backup of Dangol" in done.output
    bare = create_app(Settings(database_url=f"sqlite:///{tmp_path}/bare.db", secret_key=SECRET_KEY))
    for arguments in (("restore", str(file)), ("backup", str(tmp_path / "bare.gz"))):
        done = run(bare, *arguments)
        assert done.exit_code == 1 and "run flask db upgrade" in done.output
    assert not (tmp_path / "bare.gz").exists()
    with bare.app_context():
        db.engine.dispose()


def test_another_secret_key_is_noticed(
    source: tuple[Flask, list[World], Path], target: Flask
) -> None:
    _, _, file = source
    settings = target.extensions["dangol.settings"]
    target.extensions["dangol.settings"] = dataclasses.replace(
        settings, secret_key="another-0123456789-abcdefghijklmnop"
    )
    done = run(target, "restore", str(file))
    assert done.exit_code == 0 and "another SECRET_KEY" in done.output
    with target.app_context():
        assert backup.check(file, ("new", SECRET_KEY)).has_keys


def test_writes_that_come_meanwhile_are_wholly_in_or_wholly_out(
    source: tuple[Flask, list[World], Path],
    target: Flask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, worlds, _ = source
    before = rows(app)
    put = backup._put

    def put_and_be_told(file: Any, value: dict[str, Any]) -> None:
        # The instance takes an order between any two tables.
        if value.get("end") in ("programs", "accounts", "entries"):
            ref = f"{tmp_path.name}-{value['end']}"
            worlds[1].member(ref)
            worlds[1].order(ref, 1_000, member_ref=ref)
        put(file, value)

    monkeypatch.setattr(backup, "_put", put_and_be_told)
    file = tmp_path / "meanwhile.gz"
    done = run(app, "backup", str(file))
    assert done.exit_code == 0, done.output
    assert rows(app) != before
    assert run(target, "restore", str(file)).exit_code == 0
    assert rows(target) == before


@pytest.mark.parametrize("kind", KINDS)
def test_memory_stays_small_however_many_rows_there_are(
    kind: str, tmp_path: Path, postgresql_url: str
) -> None:
    count, text = 12_000, "x" * 4_000
    with (
        empty(kind, tmp_path, postgresql_url) as app,
        empty(kind, tmp_path, postgresql_url) as other,
    ):
        message = {"program_id": bytes(16), "type": "t", "payload": text, "created_at": 2**63 - 1}

        def insert(connection: sa.Connection) -> None:
            for _ in range(12):
                many = [message | {"id": ids.new_id()} for _ in range(count // 12)]
                connection.execute(sa.insert(OutboxMessage), many)

        with app.app_context():
            in_transaction(insert)
        file = tmp_path / "big.gz"
        tracemalloc.start()
        try:
            assert run(app, "backup", str(file)).exit_code == 0
            assert run(other, "restore", str(file)).exit_code == 0
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # The table is 48 MB; 500 rows of it are 2 MB.
        assert peak < 12_000_000
        assert len(rows(other)["outbox"]) == count

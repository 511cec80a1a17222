"""The operator's command line, and the addresses that say whether the instance is well."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config import Settings
from server.app import create_app
from tests.contract.checking import problem
from tests.world import World, document, line


def run(app: Flask, *arguments: str) -> Any:
    return app.test_cli_runner().invoke(args=list(arguments))


def get(app: Flask, key: str, path: str) -> Any:
    return app.test_client().get(f"/v1{path}", headers={"Authorization": f"Bearer {key}"})


def test_a_program_is_created_with_keys_that_work_at_once(app: Flask) -> None:
    done = run(app, "program", "create", "--name", "Bloom", "--json")
    assert done.exit_code == 0, done.output
    assert len(done.output.splitlines()) == 1
    made = json.loads(done.output)
    assert set(made) == {"program_id", "secret_key", "publishable_key"}
    assert made["secret_key"].startswith("sk_test_")
    assert made["publishable_key"].startswith("pk_test_")
    shown = get(app, made["secret_key"], "/program").json
    assert (shown["id"], shown["mode"], shown["version"]) == (made["program_id"], "test", 1)
    chosen = {name: shown["document"][name] for name in ("name", "timezone", "currency")}
    assert chosen == {"name": "Bloom", "timezone": "Asia/Seoul", "currency": "KRW"}


@pytest.mark.parametrize(
    ("currency", "minor", "points"),
    # KRW 19,900 at one per 100 won; 19.99 at one per 1.00; 19.990 dinar at one per 1.000.
    [("KRW", 19_900, 199), ("USD", 1999, 19), ("BHD", 19_990, 19)],
)
def test_the_default_program_earns(app: Flask, currency: str, minor: int, points: int) -> None:
    done = run(
        app,
        "program",
        "create",
        "--name",
        "B",
        "--currency",
        currency,
        "--mode",
        "live",
        "--timezone",
        "Europe/Berlin",
        "--json",
    )
    made = json.loads(done.output)
    assert made["secret_key"].startswith("sk_live_")
    assert made["publishable_key"].startswith("pk_live_")
    cart = {"currency": currency, "lines": [line("1", minor)]}
    headers = {"Authorization": f"Bearer {made['secret_key']}"}
    client = app.test_client()
    assert client.put("/v1/members/mina", json={}, headers=headers).status_code == 201
    quote: Any = client.post(
        "/v1/quotes", json={"member_ref": "mina", "cart": cart}, headers=headers
    )
    assert [one["points"] for one in quote.json["earned"]] == [points]


def test_a_document_wins_over_the_options(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_text(json.dumps(document(name="From the file")))
    done = run(
        app,
        "program",
        "create",
        "--name",
        "Option",
        "--currency",
        "KRW",
        "--document",
        str(file),
        "--json",
    )
    shown = get(app, json.loads(done.output)["secret_key"], "/program").json["document"]
    assert shown == document(name="From the file")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", ["not JSON"]),
        ("[]", ["object"]),
        (json.dumps(document(timezone="Mars/Olympus")), ["/timezone"]),
        (
            json.dumps(document(currency="XX", points=[])),
            ["/currency", "/points"],
        ),
        (
            json.dumps(document(surprises=[{"key": "luck"}])),
            ["/surprises/0/prizes", "needs one prize at least"],
        ),
    ],
)
def test_an_invalid_document_is_refused_with_what_is_wrong(
    app: Flask, tmp_path: Path, text: str, told: list[str]
) -> None:
    file = tmp_path / "document.json"
    file.write_text(text)
    done = run(app, "program", "create", "--name", "B", "--document", str(file), "--json")
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    for words in told:
        assert words in done.output


@pytest.mark.parametrize("option", [("--currency", "ZZZ"), ("--timezone", "Mars/Olympus")])
def test_an_invalid_option_is_refused(app: Flask, option: tuple[str, str]) -> None:
    done = run(app, "program", "create", "--name", "B", *option, "--json")
    assert done.exit_code == 1
    assert option[0][2:] in done.output


def test_keys_are_made_listed_and_revoked(world: World) -> None:
    app, program = world.app, world.program_id
    done = run(app, "keys", "create", "--program", program, "--name", "till", "--scopes", "read")
    assert done.exit_code == 0
    key = done.output.strip()
    assert get(app, key, "/program").status_code == 200
    assert get(app, key, "/keys").status_code == 403
    listed = run(app, "keys", "list", "--program", program).output
    [shown] = [one for one in listed.splitlines() if one.endswith(" till")]
    assert key not in listed and key[-4:] in shown and "active" in shown
    assert len(listed.splitlines()) == 3
    key_id = shown.split()[0]
    assert run(app, "keys", "revoke", "--program", program, key_id).output == "revoked\n"
    [shown] = [
        one
        for one in run(app, "keys", "list", "--program", program).output.splitlines()
        if one.endswith(" till")
    ]
    assert "revoked" in shown


def test_keys_of_nobody_are_refused(make_world: Any) -> None:
    here, there = make_world(), make_world()
    app = here.app
    key_id = run(app, "keys", "list", "--program", there.program_id).output.split()[0]
    unknown = "prg_01h455vb4pex5vsknk084sn02q"
    for arguments, told in [
        (("keys", "revoke", "--program", here.program_id, key_id), "no such key"),
        (("keys", "revoke", "--program", here.program_id, "nonsense"), "no such key"),
        (("keys", "create", "--program", unknown, "--name", "x"), "no such program"),
        (("keys", "create", "--program", "nonsense", "--name", "x"), "no program id"),
        (("keys", "list", "--program", "nonsense"), "no program id"),
        (
            ("keys", "create", "--program", here.program_id, "--name", "x", "--scopes", "all"),
            "no such scope: all",
        ),
    ]:
        done = run(app, *arguments)
        assert done.exit_code == 1, arguments
        assert told in done.output
    assert get(app, there.key, "/program").status_code == 200


def test_the_process_and_its_database_are_well(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/healthz").json == {"status": "ok"}
    ready: Any = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json["status"] == "ok"
    assert app.config["SQLALCHEMY_DATABASE_URI"].startswith(ready.json["database"])
    assert ready.json["migration"] and ready.json["oldest_outbox_seconds"] >= 0


def test_a_database_that_is_not_migrated_is_not_ready(tmp_path: Path) -> None:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/empty.db", secret_key="x" * 40, log_level="critical"
    )
    app = create_app(settings)
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    found = problem(client.get("/readyz"), 503, "storage_unavailable")
    assert "flask db upgrade" in found["detail"]
    problem(get(app, "sk_test_x", "/program"), 503, "storage_unavailable")
    with app.app_context():
        from core.db import db

        db.engine.dispose()


@pytest.mark.parametrize(
    "arguments",
    [
        ("ledger", "verify"),
        ("jobs", "dead"),
        ("jobs", "redrive"),
        ("program", "list"),
        ("program", "create", "--name", "B"),
        ("keys", "list", "--program", "prg_01h455vb4pex5vsknk084sn02q"),
        ("worker", "--once"),
    ],
    ids=" ".join,
)
def test_a_command_on_a_database_that_is_not_migrated_says_so(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/empty.db", secret_key="x" * 40, log_level="critical"
    )
    app = create_app(settings)
    done = run(app, *arguments)
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit)
    assert done.output.startswith("Error: ") and "run flask db upgrade" in done.output
    with app.app_context():
        from core.db import db

        db.engine.dispose()


@pytest.mark.parametrize(
    "arguments",
    [("ledger", "verify"), ("worker", "--once"), ("db", "upgrade"), ("backup", "b.gz")],
    ids=" ".join,
)
def test_a_database_that_is_away_is_named_without_its_password(
    tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        database_url="postgresql+psycopg://dangol:hushhush@127.0.0.1:1/dangol",
        secret_key="x" * 40,
        log_level="critical",
    )
    done = run(create_app(settings), *arguments)
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit)
    assert "Error: cannot reach the database at 127.0.0.1:1: Connection refused" in done.output
    assert "hushhush" not in done.output and "Traceback" not in done.output


def test_a_setting_that_is_refused_is_one_message_and_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flask", "ledger", "verify"],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"], "DANGOL_ENV": "production", "SECRET_KEY": "short"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: SECRET_KEY is too short or well known.")
    assert len(done.stderr.splitlines()) == 1

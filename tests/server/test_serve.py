"""`flask serve`: refuses what cannot work, and loses nothing when it is stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from core.db import db
from tests.conftest import SECRET_KEY, make_app
from tests.world import World, order

ROOT = Path(__file__).parents[2]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": f"sqlite:///{folder}/served.db",
        "SECRET_KEY": SECRET_KEY,
    }


def flask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def call(port: int, method: str, path: str, *, key: str = "", body: Any = None) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    answer = json.loads(response.read() or b"null")
    connection.close()
    return response.status, answer


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "serve", "--port", str(port)],
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(200):
        try:
            if call(port, "GET", "/readyz")[0] == 200:
                return process
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the server never became ready")


def test_an_unmigrated_database_or_a_taken_port_is_said_at_once(tmp_path: Path) -> None:
    unmigrated = flask(tmp_path, "serve", "--port", str(free_port()))
    assert unmigrated.returncode == 1 and "flask db upgrade" in unmigrated.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = flask(tmp_path, "serve", "--port", port)
    assert refused.returncode == 1 and f"port {port} is taken" in refused.stderr


def test_what_was_acknowledged_before_sigterm_is_stored(tmp_path: Path) -> None:
    world = World(make_app(environment(tmp_path)["DATABASE_URL"]))
    port = free_port()
    process = start(tmp_path, port)
    assert call(port, "PUT", "/v1/members/mina", key=world.key, body={})[0] == 201
    acknowledged: list[str] = []

    def tell(name: str) -> None:
        for number in range(10_000):
            ref = f"{name}-{number}"
            try:
                status, _ = call(port, "PUT", f"/v1/orders/{ref}", key=world.key, body=order(100))
            except (OSError, HTTPException):
                return
            assert status == 201
            acknowledged.append(ref)

    threads = [threading.Thread(target=tell, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=35) == 0
    for thread in threads:
        thread.join()
    assert len(acknowledged) > 20
    missing = [
        ref for ref in acknowledged if world.call("GET", f"/orders/{ref}").status_code != 200
    ]
    assert missing == []
    assert world.balance() >= len(acknowledged)
    assert world.verify()["mismatches"] == []
    with world.app.app_context():
        db.engine.dispose()

"""Playing an example against a served instance of its own program."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.server.test_serve import ROOT, flask, free_port, start


def play(name: str, folder: Path) -> list[str]:
    """What the example says, line by line; its program is the one that it prints."""
    script = [sys.executable, "-m", f"examples.{name}"]
    document = folder / "program.json"
    document.write_text(_run([*script, "--print-document"]))
    assert flask(folder, "db", "upgrade").returncode == 0
    created = flask(
        folder, "program", "create", "--name", "E", "--document", str(document), "--json"
    )
    assert created.returncode == 0, created.stderr
    key = json.loads(created.stdout.strip().splitlines()[-1])["secret_key"]
    port = free_port()
    server = start(folder, port)
    try:
        return _run([*script, "--url", f"http://127.0.0.1:{port}", "--key", key]).splitlines()
    finally:
        server.terminate()
        server.wait()


def check(lines: Sequence[str], story: Sequence[str]) -> None:
    """Each line says its part of the story."""
    assert len(lines) == len(story), lines
    for line, part in zip(lines, story, strict=True):
        assert part in line, f"{line!r} does not say {part!r}"


def _run(command: Sequence[str]) -> str:
    played = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert played.returncode == 0, played.stderr
    return played.stdout

"""`examples/checkout.py` plays its story against a served instance, with the numbers it should."""

import json
import subprocess
import sys
from pathlib import Path

from tests.server.test_serve import ROOT, flask, free_port, start

# By hand. Joining pays 1,000. Two plates at 20.00 are 40.00: half of it is 20.00, so all of the
# 1,000 points may pay 10.00. Paid by card are 30.00 of goods: 30 points. Back comes one plate of
# two: half of the 1,000 points, and half of the 30. 30 + 500 - 15 = 515.
STORY = (
    "joins with 1000 points",
    "the cart would earn 40 points",
    "up to 1000 points pay 10.00 EUR, by 100",
    "1000 points are held until",
    "the order earned 30; 30 left",
    "a refund would return 500 points",
    "refunded: 500 points came back, 15 were taken back, 515 left",
)


def test_the_checkout_example_plays_its_story(tmp_path: Path) -> None:
    script = [sys.executable, "-m", "examples.checkout"]
    printed = subprocess.run(
        [*script, "--print-document"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    document = tmp_path / "program.json"
    document.write_text(printed)
    assert flask(tmp_path, "db", "upgrade").returncode == 0
    created = flask(
        tmp_path, "program", "create", "--name", "E", "--document", str(document), "--json"
    )
    assert created.returncode == 0, created.stderr
    key = json.loads(created.stdout.strip().splitlines()[-1])["secret_key"]
    port = free_port()
    server = start(tmp_path, port)
    try:
        played = subprocess.run(
            [*script, "--url", f"http://127.0.0.1:{port}", "--key", key],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        server.terminate()
        server.wait()
    assert played.returncode == 0, played.stderr
    lines = played.stdout.splitlines()
    assert len(lines) == len(STORY)
    for line, part in zip(lines, STORY, strict=True):
        assert part in line, f"{line!r} does not say {part!r}"

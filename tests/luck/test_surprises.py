"""Receipts of real surprises: published before they are drawn, and clean when they are checked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.luck.test_epochs import move, run, verified
from tests.luck.test_verifier import run as run_verifier
from tests.world import World

RULES: list[dict[str, Any]] = [
    {
        "key": "luck",
        "probability_ppm": 400_000,
        "pity_after": 2,
        "prizes": [
            {"weight": 3, "effects": [{"do": "add_points", "points": 7}]},
            {"weight": 1, "effects": [{"do": "add_points", "points": 50}]},
        ],
        "budget": {"unit": "points", "total": 100_000},
        "cooldown": "PT1M",
    },
    {
        "key": "quiet",
        "state": "shadow",
        "probability_ppm": 500_000,
        "holdout_bp": 5000,
        "prizes": [{"effects": [{"do": "add_points", "points": 1}]}],
    },
]


def test_surprises_are_drawn_below_an_anchor_that_was_there_before(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world()
    world.set_clock("2026-03-01T09:00:00Z")
    assert world.get("/fairness/epochs") == {"chains": [], "data": [], "next_cursor": None}
    world.publish(surprises=RULES)
    shown = world.get("/fairness/epochs")
    (chain,) = shown["chains"]
    assert (chain["published_at"], shown["data"]) == ("2026-03-01T09:00:00Z", [])
    people = ("mina", "jun", "sora", "old")
    for ref in people:
        world.member(ref)
    told = []
    for hour in range(10, 22):
        at = f"2026-03-01T{hour}:00:00Z"
        world.set_clock(at)
        told += [world.order(f"{ref}-{hour}", 1000, member_ref=ref, placed_at=at) for ref in people]
    move(world, "2026-03-02T00:00:00Z")
    receipts = world.get("/fairness/epochs/1/receipts?limit=100")["data"]
    assert len(receipts) == 96
    bodies = [one["body"] for one in receipts]
    wins = {
        (one["rule"], one["activity_ref"]) for one in bodies if one["won"] and not one["is_shadow"]
    }
    shown_wins = {
        (one["key"], answer["order"]["order_ref"]) for answer in told for one in answer["surprises"]
    }
    assert wins == shown_wins and len(wins) > 12
    # Chance alone would hardly ever do without pity in 48 draws, nor without a holdout.
    assert any(one["is_pity"] for one in bodies)
    assert {one["guard"] for one in bodies if one["rule"] == "quiet"} <= {None, "holdout"}
    assert verified(world)["faults"] == []
    # Two become one, one goes for good, and everything can still be checked.
    world.post("/members/old/merge", {"into_member_ref": "mina"})
    assert world.call("DELETE", "/members/jun").status_code == 200
    for hour in range(10, 16):
        at = f"2026-03-02T{hour}:00:00Z"
        world.set_clock(at)
        world.order(f"B-{hour}", 1000, placed_at=at)
    move(world, "2026-03-03T00:00:00Z")
    report = verified(world)
    assert (report["faults"], report["sealed"], report["receipts"]) == ([], 24, 108)
    path = tmp_path / "draws.json"
    assert run(world, "export", "--program", world.program_id, str(path)).exit_code == 0
    done = run_verifier(path, "--anchor", chain["anchor"])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "108 receipts" in done.stdout and "24 sealed" in done.stdout
    kept = json.loads(path.read_text())
    assert "jun" not in json.dumps(kept)

"""The stand-alone verifier, as whoever does not trust us runs it, against all that may be altered.

What it is given is made here without a database.
"""

import copy
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples import verify_draws
from rewards.luck import merkle, receipts, rolling

VERIFIER = Path(__file__).parents[2] / "examples/verify_draws.py"
LAST = hashlib.sha256(b"last").digest()
Told = dict[str, Any]


def seed_at(place: int, *, length: int = 10) -> bytes:
    found = LAST
    for _ in range(length - place):
        found = hashlib.sha256(found).digest()
    return found


def body_of(seed: bytes, epoch: int, **said: Any) -> Told:
    body: Told = {
        "receipt": "v1",
        "rule": "luck",
        "version": 2,
        "member_ref": "mina",
        "activity_ref": "A-1",
        "drawn_at": "2026-03-01T10:00:00Z",
        "is_shadow": False,
        "guard": None,
        "probability_ppm": 200_000,
        "pace_ppm": 500_000,
        "threshold_ppm": 100_000,
        "is_pity": False,
        "losses": 0,
        "pity_after": 3,
        "roll": None,
        "won": False,
        "prize": None,
        "weights": [1, 2],
        "epoch": epoch,
    } | said
    return body | receipts.outcome(seed, body)


def epoch_of(number: int, bodies: list[Told], first: dict[str, int]) -> tuple[Told, list[Told]]:
    """An epoch with its receipts, and where its numbers begin."""
    made, tree = [], merkle.Tree()
    ranges: dict[str, list[int]] = {}
    for body in sorted(bodies, key=lambda one: one["rule"]):
        rule = body["rule"]
        own = first[rule] = first.get(rule, 0) + 1
        hashed = rolling.body_hash(body)
        leaf = receipts.leaf(rule, own, hashed)
        tree.add(leaf)
        ranges.setdefault(rule, [own, own])[1] = own
        made.append(
            {
                "epoch": number,
                "rule": rule,
                "number": own,
                "is_sealed": False,
                "body": body,
                "body_hash": hashed.hex(),
                "leaf": leaf.hex(),
            }
        )
    epoch = {
        "number": number,
        "chain": 1,
        "place": number,
        "day": f"2026-03-0{number}",
        "state": "closed",
        "seed": seed_at(number).hex(),
        "root": tree.root().hex(),
        "receipts": len(made),
        "rules": [{"rule": rule, "first": a, "last": b} for rule, (a, b) in ranges.items()],
    }
    return epoch, made


def told() -> Told:
    """Three epochs: of losses, pity, guards, other rules, and one that is open."""
    first: dict[str, int] = {}
    losses, epochs, found = 0, [], []
    for number, count in ((1, 5), (2, 4)):
        bodies = []
        for at in range(count):
            said: Told = {"activity_ref": f"A-{number}-{at}", "losses": losses}
            bodies.append(body_of(seed_at(number), number, **said))
            losses = 0 if bodies[-1]["won"] else losses + 1
        bodies.append(
            body_of(seed_at(number), number, guard="cooldown", activity_ref=f"A-{number}-9")
        )
        bodies.append(
            body_of(
                seed_at(number),
                number,
                rule="apple",
                member_ref="jun",
                probability_ppm=1_000_000,
                pace_ppm=1_000_000,
                activity_ref="행운",
            )
        )
        epoch, made = epoch_of(number, bodies, first)
        epochs.append(epoch)
        found += made
    is_open = {"number": 3, "chain": 1, "place": 3, "day": "2026-03-03", "state": "open"}
    epochs.append(is_open | {"seed": None, "root": None, "receipts": None, "rules": []})
    anchor = hashlib.sha256(seed_at(1)).hexdigest()
    chain = {"number": 1, "anchor": anchor, "length": 10, "published_at": "2026-03-01T00:00:00Z"}
    return {"chains": [chain], "merged": {}, "epochs": epochs, "receipts": found}


def faults(changed: Told) -> list[str]:
    check = verify_draws.Check()
    try:
        check.run(changed)
    except (LookupError, TypeError, ValueError, StopIteration) as error:
        # The program says so, and exits 1 as well.
        return [*check.faults, f"cannot be read: {error!r}"]
    return check.faults


def run(path: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", str(VERIFIER), str(path), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_passes_what_is_right_and_names_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "draws.json"
    right = told()
    pities = [one for one in right["receipts"] if one["body"]["is_pity"]]
    wins = [one for one in right["receipts"] if one["body"]["won"]]
    assert pities and len(wins) > len(pities)
    path.write_text(json.dumps(right))
    done = run(path, "--anchor", right["chains"][0]["anchor"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"3 epochs, 13 receipts, 11 rolled, {len(wins)} won, 0 sealed",
        "clean",
    ]
    # Sealed: without its body it counts, and nothing else is lost by it.
    sealed = copy.deepcopy(right)
    sealed["receipts"][0] |= {"body": None, "is_sealed": True}
    path.write_text(json.dumps(sealed))
    assert "1 sealed" in run(path).stdout
    altered = copy.deepcopy(right)
    altered["receipts"][2]["body"]["roll"] += 1
    path.write_text(json.dumps(altered))
    done = run(path)
    assert done.returncode == 1 and done.stdout.endswith("NOT CLEAN\n")
    assert "WRONG epoch 1 luck #2: body_hash" in done.stdout
    path.write_text(json.dumps(right))
    altered["receipts"][2]["body"]["probability_ppm"] = None
    path.with_name("unreadable.json").write_text(json.dumps(altered))
    done = run(path.with_name("unreadable.json"))
    assert (done.returncode, done.stderr) == (1, "") and "cannot be read" in done.stdout
    # What is no account of draws at all is named, and no traceback.
    for broken in (right | {"receipts": None}, right | {"chains": {}}, [1], None, {}):
        path.with_name("broken.json").write_text(json.dumps(broken))
        done = run(path.with_name("broken.json"))
        assert (done.returncode, done.stderr) == (1, ""), done.stderr
        assert "cannot be read" in done.stdout and done.stdout.endswith("NOT CLEAN\n")
    done = run(path.with_name("missing.json"))
    assert (done.returncode, done.stderr) == (1, "")
    done = run(path, "--anchor", "00" * 32)
    assert done.returncode == 1 and "anchor that was published" in done.stdout


@pytest.mark.parametrize("at", [0, 3])
def test_it_finds_every_field_of_a_receipt_that_is_altered(at: int) -> None:
    right = told()
    assert faults(right) == []
    receipt = right["receipts"][at]
    for place in (receipt, receipt["body"]):
        for name, value in list(place.items()):
            if name == "body":
                continue
            for other in _others(value):
                place[name] = other
                assert faults(right), (name, value, other)
                place[name] = value
    body, receipt["body"] = receipt["body"], None
    assert faults(right)
    receipt["body"] = body | {"more": 1}
    assert faults(right)
    receipt["body"] = body
    assert faults(right) == []


def _others(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value, int(value)]
    if isinstance(value, int):
        return [value + 1, value - 1, None]
    if isinstance(value, str):
        return [value[:-1] + ("0" if value[-1] != "0" else "1"), None if value == "v1" else "x"]
    return [[2, 2]] if isinstance(value, list) else [0, 1]


def _drop(changed: Told) -> None:
    del changed["receipts"][2]


def _drop_and_renumber(changed: Told) -> None:
    """Made good as far as one can who does not know the root."""
    epoch = changed["epochs"][0]
    bodies = [one["body"] for one in changed["receipts"] if one["epoch"] == 1]
    del bodies[1]
    made, found = epoch_of(1, bodies, {})
    changed["receipts"] = found + [one for one in changed["receipts"] if one["epoch"] == 2]
    epoch |= made


def _skip(changed: Told) -> None:
    """A number left out, with everything else computed anew."""
    epoch = changed["epochs"][1]
    bodies = [one["body"] for one in changed["receipts"] if one["epoch"] == 2]
    made, found = epoch_of(2, bodies, {"luck": 7, "apple": 1})
    changed["receipts"] = [one for one in changed["receipts"] if one["epoch"] == 1] + found
    epoch |= made


def _other_seed(changed: Told) -> None:
    """A seed that was chosen afterwards, with every outcome made to fit."""
    seed = hashlib.sha256(b"chosen").digest()
    bodies = [one["body"] for one in changed["receipts"] if one["epoch"] == 2]
    bodies = [body | receipts.outcome(seed, body) for body in bodies]
    made, found = epoch_of(2, bodies, {"luck": 6, "apple": 1})
    changed["receipts"] = [one for one in changed["receipts"] if one["epoch"] == 1] + found
    changed["epochs"][1] |= made | {"seed": seed.hex()}


def _win(changed: Told) -> None:
    """A friend of the house wins: everything below the root is computed anew."""
    bodies = [one["body"] for one in changed["receipts"] if one["epoch"] == 2]
    body = next(one for one in bodies if one["guard"] is None and not one["won"])
    body |= {"won": True, "prize": 0}
    made, found = epoch_of(2, bodies, {"luck": 6, "apple": 1})
    changed["receipts"] = [one for one in changed["receipts"] if one["epoch"] == 1] + found
    changed["epochs"][1] |= made


def _pity(changed: Told) -> None:
    """Losses that nobody had."""
    bodies = [one["body"] for one in changed["receipts"] if one["epoch"] == 2]
    at = next(n for n, one in enumerate(bodies) if one["guard"] is None and not one["won"])
    bodies[at] |= {"losses": 3}
    bodies[at] |= receipts.outcome(seed_at(2), bodies[at])
    made, found = epoch_of(2, bodies, {"luck": 6, "apple": 1})
    changed["receipts"] = [one for one in changed["receipts"] if one["epoch"] == 1] + found
    changed["epochs"][1] |= made


def _of(section: str, at: int, **values: Any) -> Callable[[Told], None]:
    return lambda changed: changed[section][at].update(values)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_drop, "epoch 1 luck #3: its number is 3, must be 2"),
        (_drop_and_renumber, "epoch 2 luck #7: its number is 7, must be 6"),
        (_skip, "epoch 2 luck #8: its number is 8, must be 7"),
        (_other_seed, "epoch 2: the anchor that its seed leads to"),
        (_win, "won is True, must be False"),
        (_pity, "losses in a row is 3"),
        (_of("epochs", 1, seed=None), "epoch 2: the anchor"),
        (_of("epochs", 1, seed=seed_at(3).hex()), "epoch 2: the anchor"),
        (_of("epochs", 0, root="00" * 32), "epoch 1: its root"),
        (_of("epochs", 0, receipts=6), "epoch 1: the count of its receipts is 6, must be 7"),
        (_of("epochs", 0, rules=[]), "epoch 1: the numbers of its rules"),
        (_of("epochs", 1, place=3), "epoch 2: its place in the chain is 3, must be 2"),
        (_of("epochs", 1, number=4), "epoch 3: its number is 3, must be 2"),
        (_of("epochs", 1, day="2026-02-28"), "epoch 2: its day"),
        (_of("epochs", 1, state="open"), "epoch 2: is open and has receipts"),
        (_of("chains", 0, anchor="00" * 32), "epoch 1: the anchor"),
    ],
)
def test_it_finds_what_is_left_out_made_up_or_chosen(
    change: Callable[[Told], None], named: str
) -> None:
    changed = told()
    change(changed)
    assert any(named in one for one in faults(changed)), faults(changed)


def test_losses_of_two_who_became_one_count_together() -> None:
    """From the merge on; before it each counted alone."""
    bodies: list[Told] = []
    for ref, losses in (("mina", 0), ("old", 0), ("mina", 1), ("old", 1), ("mina", 2)):
        said: Told = {"member_ref": ref, "losses": losses, "pity_after": 9, "probability_ppm": 1}
        bodies.append(body_of(seed_at(1), 1, activity_ref=f"M-{len(bodies)}", **said))
    # Merged now: the next one goes by the last draw of either.
    last: Told = {"member_ref": "mina", "losses": 3, "pity_after": 3, "probability_ppm": 1}
    bodies.append(body_of(seed_at(1), 1, activity_ref="M-9", **last))
    assert bodies[-1]["is_pity"] and bodies[-1]["won"]
    epoch, made = epoch_of(1, bodies, {})
    right = told() | {"epochs": [epoch], "receipts": made, "merged": {"old": "mina"}}
    assert faults(right) == []

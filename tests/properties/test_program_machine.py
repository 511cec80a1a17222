"""Random histories of two members, each step done twice: by the product and by a model of it.

After every step the balances, cards and levels of both members must be the model's, and so must
the points and the outcomes of what was told; at the end everything is undone, and the ledger
verifies. `PROGRAM_RUNS` says how many histories on each database, `PROGRAM_SEED` with which they
begin: a seed is a program and its history. `PROGRAM_SHRINK` leaves steps out of a history that
fails as long as it fails, which takes a minute.

Not modelled, so not drawn: entry effects on ladders with terms, or whose window can end a level
(what a level paid being frozen, given back or lost, and following orders once it is over); and a
change of hands in programs with terms and `until_term_end`, where it lowers like `immediate`.
"""

import os
import random  # noqa: TID251

import pytest
from flask import Flask

from core import db
from tests.properties.program_histories import play
from tests.properties.program_steps import Step, draw

RUNS = int(os.environ.get("PROGRAM_RUNS", "8"))
SEED = int(os.environ.get("PROGRAM_SEED", "1"))
STEPS = int(os.environ.get("PROGRAM_STEPS", "40"))


def _shortest(app: Flask, number: int, steps: list[Step], failure: str) -> list[Step]:
    """The history with every step left out that need not be there for it to fail like that."""
    kind, size = failure.partition(":")[0], len(steps) // 2
    while size:
        for place in range(len(steps) - size, -1, -size):
            fewer = steps[:place] + steps[place + size :]
            found = play(app, number, fewer, is_verified=True) or ""
            if found.partition(":")[0] == kind:
                steps = fewer
        size //= 2
    return steps


def test_any_history_is_the_models(app: Flask) -> None:
    with app.app_context():
        is_sqlite = db.db.engine.dialect.name == "sqlite"
    runs = RUNS if is_sqlite or "PROGRAM_RUNS" in os.environ else RUNS // 2
    failures = []
    for number in range(SEED, SEED + runs):
        chance = random.Random(number)
        steps = draw(chance, STEPS)
        failure = play(app, number, steps)
        if failure is None:
            continue
        if "PROGRAM_SHRINK" in os.environ:
            steps = _shortest(app, number, steps, failure)
            failure = play(app, number, steps)
        failures.append(f"PROGRAM_SEED={number}: {failure}")
        if len(failures) >= int(os.environ.get("PROGRAM_FAILURES", "1")):
            break
    if failures:
        pytest.fail("\n\n".join(failures))

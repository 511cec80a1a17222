"""`GET /v1/ledger/proof` says what a Merkle tree over the raw rows says, on every database."""

import contextlib
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from loyalty.ledger.rows import ACCOUNTS, ENTRIES
from loyalty.proof import Tree
from tests.server.databases import empty, fill, run
from tests.server.tampering import changed, rows
from tests.world import World, per_euro, rule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tree_hash(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = tree_hash(leaves[:split]), tree_hash(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100])
def test_a_tree_that_grows_is_the_tree_of_the_standard(count: int) -> None:
    leaves = [bytes([number]) * 32 for number in range(count)]
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    assert (tree.root(), tree.count) == (tree_hash(leaves), count)


def test_a_tree_of_the_standards_own_vectors() -> None:
    """The vectors that implementations of RFC 6962 share."""
    leaves = ["", "00", "10", "2021", "3031", "40414243"]
    tree = Tree()
    for leaf in leaves:
        tree.add(bytes.fromhex(leaf))
    found = tree.root().hex()
    assert found == "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"


@pytest.fixture(scope="module")
def told(app: Flask) -> World:
    rules = [
        rule("base", per_euro()),
        rule("stars", {"do": "points_per_unit", "points": 3, "points_key": "a_b"}),
        rule("more", {"do": "points_per_unit", "points": 5, "points_key": "aa"}),
    ]
    world = World(
        app,
        points=[{"key": "points"}, {"key": "a_b"}, {"key": "aa"}],
        earning={"rules": rules},
    )
    days = ["2026-03-01T14:59:59Z", "2026-03-01T15:00:00Z", "2026-04-20T10:00:00Z"]
    for number, day in enumerate(days):
        world.set_clock(day)
        for ref in ("mina", "jun", "ara"):
            world.member(ref)
            world.order(f"{ref}-{number}", 1_000, member_ref=ref, placed_at=day)
    world.order("jun-0", 1_000, member_ref="jun", placed_at=days[0], status="cancelled")
    body = {"member_ref": "ara", "points": -4, "reason": "typo"}
    world.post("/adjustments", body, status=201)
    return world


def day_of(instant: int) -> str:
    moment = EPOCH + timedelta(microseconds=instant)
    return moment.astimezone(ZoneInfo("Asia/Seoul")).date().isoformat()


def test_sums_and_counts(told: World) -> None:
    proof = told.get("/ledger/proof")
    sums = {one.pop("points_key"): one for one in proof["sums"]}
    # Nine orders of 10 points, one cancelled, 4 taken by hand.
    assert sums["points"] == {
        "available": 76,
        "pending": 0,
        "held": 0,
        "issued": 90,
        "spent": 0,
        "expired": 0,
        "clawed_back": 10,
        "adjusted": 4,
        "transferred": 0,
    }
    assert (sums["a_b"]["available"], sums["aa"]["available"]) == (24, 40)
    assert proof["counts"] == {
        "accounts": 9,
        "entries": 31,
        "allocations": 0,
        "lots": 27,
        "holds": 0,
    }


def test_the_root_of_heads_is_over_the_raw_rows(told: World) -> None:
    accounts = sorted(
        rows(told, ACCOUNTS), key=lambda row: (row["member_id"], row["points_key"].encode())
    )
    leaves = []
    for row in accounts:
        key = row["points_key"].encode()
        leaves.append(
            row["member_id"]
            + len(key).to_bytes(2, "big")
            + key
            + row["version"].to_bytes(8, "big")
            + row["head"]
        )
    proof = told.get("/ledger/proof")
    assert proof["chain_heads"] == {"count": 9, "root": tree_hash(leaves).hex()}
    # The pages give the same leaves in the same order.
    shown: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = told.get(f"/ledger/proof/heads?limit=4{cursor}")
        shown += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [one["head"] for one in shown] == [row["head"].hex() for row in accounts]
    assert [one["version"] for one in shown] == [row["version"] for row in accounts]


def test_the_root_of_a_day_is_over_its_entries(told: World) -> None:
    ordered = sorted(
        rows(told, ENTRIES),
        key=lambda row: (row["member_id"], row["points_key"].encode(), row["seq"]),
    )
    days: dict[str, list[bytes]] = {}
    for row in ordered:
        days.setdefault(day_of(row["recorded_at"]), []).append(row["hash"])
    expected = [
        {"day": day, "entries": len(hashes), "root": tree_hash(hashes).hex()}
        for day, hashes in sorted(days.items())
    ]
    assert [one["day"] for one in expected] == ["2026-03-01", "2026-03-02", "2026-04-20"]
    # 31 days at a time: by default the newest.
    assert told.get("/ledger/proof")["daily"] == expected[2:]
    assert told.get("/ledger/proof?from=2026-02-20")["daily"] == expected[:2]
    assert told.get("/ledger/proof?until=2026-03-01")["daily"] == expected[:1]
    assert told.get("/ledger/proof?from=2026-03-02&until=2026-03-02")["daily"] == expected[1:2]
    response = told.call("GET", "/ledger/proof?from=2026-01-01&until=2026-02-01")
    assert response.status_code == 422


def test_another_entry_makes_another_proof(told: World) -> None:
    before = told.get("/ledger/proof")
    account = rows(told, ACCOUNTS)[0]
    with changed(told, ACCOUNTS, account, "head", bytes(32)):
        assert told.get("/ledger/proof")["chain_heads"] != before["chain_heads"]
    entry = next(row for row in rows(told, ENTRIES) if day_of(row["recorded_at"]) == "2026-04-20")
    with changed(told, ENTRIES, entry, "hash", bytes(32)):
        assert told.get("/ledger/proof")["daily"] != before["daily"]
    assert told.get("/ledger/proof") == before


def test_a_program_without_entries_proves_nothing(make_world: Any) -> None:
    proof = make_world().get("/ledger/proof")
    empty = hashlib.sha256().hexdigest()
    assert (proof["sums"], proof["daily"]) == ([], [])
    assert proof["chain_heads"] == {"count": 0, "root": empty}


@pytest.mark.parametrize(("own", "other"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_a_copy_in_the_other_database_gives_the_same_proof(
    own: str, other: str, tmp_path: Path, postgresql_url: str
) -> None:
    with empty(own, tmp_path, postgresql_url) as source, contextlib.ExitStack() as stack:
        worlds = fill(source)
        target = stack.enter_context(empty(other, tmp_path, postgresql_url))
        done = run(source, "db-copy", "--to", str(target.config["SQLALCHEMY_DATABASE_URI"]))
        assert done.exit_code == 0, done.output
        for world in worlds:
            proofs = []
            for one in (target, source):
                response = one.test_client().get(
                    "/v1/ledger/proof", headers={"Authorization": f"Bearer {world.key}"}
                )
                assert response.status_code == 200
                body: Any = response.json
                proofs.append({key: value for key, value in body.items() if key != "at"})
            assert proofs[0] == proofs[1]
            assert proofs[0]["counts"]["entries"] > 0

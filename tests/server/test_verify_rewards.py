"""Any value that changes in any table of rewards is found, and its row is named.

The columns come from the tables themselves, so one that is added later is tested without being
named here. What only a person told is proved by nothing else that is kept: those columns are
listed, and a test says that the list is no longer than it must be.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from core import ids
from loyalty.limits.storing import LIMIT_CLAIMS
from rewards.carried import FULFILMENTS, GRANTS, REDEMPTIONS, USES, VOUCHERS
from rewards.fulfilments import CHANGES
from rewards.stock import STOCK
from server.verify.stock import MOVES
from server.verify.vouchers import POOLS
from tests.server import reward_history
from tests.server.tampering import changed, few, flipped, mismatches, rows
from tests.world import World

TABLES = (REDEMPTIONS, VOUCHERS, USES, GRANTS, FULFILMENTS, CHANGES, STOCK, MOVES)
#: Which column names a row, and how the proof writes it.
NAMES = {
    "redemptions": ("rdm", "id"),
    "vouchers": ("vou", "id"),
    "voucher_uses": ("vou", "voucher_id"),
    "grants": ("grt", "id"),
    "fulfilments": ("ful", "id"),
    "fulfilment_changes": ("ful", "fulfilment_id"),
    "reward_stock": ("prg", "program_id"),
    "stock_moves": ("stm", "id"),
}
#: What people told, or the storefront: told nowhere else.
TOLD = {
    "redemptions": {"cart_ref", "kept_by", "discount_minor", "cost_minor", "actor", "reason"},
    "vouchers": {"order_ref"},
    "voucher_uses": {"order_ref", "used_at", "released_at", "is_by_hand", "actor"},
    "grants": {"reason", "actor", "number", "recorded_at"},
    "fulfilments": {"carrier", "tracking", "note"},
    "fulfilment_changes": {"id", "note", "actor"},
    "stock_moves": {"id", "reason", "actor", "recorded_at"},
}
#: Proved of some: by the ledger of what holds points, by claims of what is limited, by decisions of
#: what a rule gave; of others it is told nowhere else.
PARTLY = {
    "redemptions": {"expires_at", "captured_at", "ended_at", "is_undone"},
    "vouchers": {"issued_at", "expires_at", "ended_at", "void_reason", "void_actor"},
    "voucher_uses": {"amount_minor", "is_undone"},
    "grants": {"granted_at", "expires_at", "ended_at"},
}


@pytest.fixture(scope="module")
def told(app: Flask) -> Iterator[World]:
    world = reward_history.told(app)
    yield world
    # Every test has put back what it changed.
    assert mismatches(world) == []


def test_the_history_is_clean_and_has_every_kind_of_row(told: World) -> None:
    assert mismatches(told) == []
    for table in (*TABLES, POOLS):
        assert rows(told, table), table.name
    states = {one["state"] for one in rows(told, REDEMPTIONS)}
    assert states >= {"held", "captured", "released", "reversed", "expired"} - {"expired"}
    states = {one["state"] for one in rows(told, VOUCHERS)}
    assert states >= {"pooled", "reserved", "active", "redeemed", "void"}
    states = {one["state"] for one in rows(told, GRANTS)}
    assert states >= {"open", "used", "revoked"}
    assert any(one["rule"].startswith("reward:") for one in rows(told, LIMIT_CLAIMS))


def _is_named(found: list[str], table: sa.Table, row: dict[str, Any]) -> bool:
    """Whether the row is named, where it stands or where what it belongs to does."""
    prefix, column = NAMES[table.name]
    shown = [ids.show_id(prefix, row[column])]
    if table is CHANGES:
        shown.append(ids.show_id("fch", row["id"]))
    if table is MOVES:
        return any(one.startswith(("stock_moves", "reward_stock")) for one in found)
    if "has_stock" in row:
        # Stock is counted by reward.
        shown.append(f"reward_stock {ids.show_id('prg', row['program_id'])} {row['reward_key']}")
    if table is REDEMPTIONS:
        shown += [ids.show_id(name, row[of]) for name, of in _hanging(row)]
    return any(name in one for name in shown for one in found)


def _hanging(row: dict[str, Any]) -> list[tuple[str, str]]:
    """What would miss it: its code, its grant."""
    both = (("vou", "voucher_id"), ("grt", "grant_id"))
    return [(name, of) for name, of in both if row[of] is not None]


def _is_found(world: World, table: sa.Table, column: str, row: dict[str, Any]) -> bool:
    """Whether a change of one column of a row is found."""
    value = flipped(table.c[column], row[column])
    if column == "returned_minor" and value > row["amount_minor"]:
        # The table itself refuses more.
        value = row[column] - 1
    if column == "returned_minor" and value < 0:
        return True
    with changed(world, table, row, column, value):
        found = mismatches(world)
        if column == "program_id":
            found += mismatches(world, value)
    return _is_named(found, table, row) or _is_named(found, table, row | {column: value})


def _columns(known: dict[str, set[str]]) -> list[tuple[sa.Table, str]]:
    return [(table, name) for table in TABLES for name in sorted(known.get(table.name, ()))]


PROVED = [
    (table, column.name)
    for table in TABLES
    for column in table.columns
    if column.name not in TOLD.get(table.name, set()) | PARTLY.get(table.name, set())
]


@pytest.mark.parametrize(("table", "column"), PROVED, ids=lambda one: getattr(one, "name", one))
def test_a_changed_value_is_found_and_its_row_named(
    told: World, table: sa.Table, column: str
) -> None:
    for row in few(told, _examples(rows(told, table), column)):
        assert _is_found(told, table, column, row), row


@pytest.mark.parametrize(
    ("table", "column"), _columns(PARTLY), ids=lambda one: getattr(one, "name", one)
)
def test_it_is_found_where_something_else_tells_it(
    told: World, table: sa.Table, column: str
) -> None:
    assert any(_is_found(told, table, column, row) for row in rows(told, table))


# It is about the lists above: one database says enough.
@pytest.mark.parametrize("app", ["sqlite"], indirect=True, scope="session")
@pytest.mark.parametrize(
    ("table", "column"),
    _columns(TOLD) + _columns(PARTLY),
    ids=lambda one: getattr(one, "name", one),
)
def test_what_is_not_proved_could_not_be(told: World, table: sa.Table, column: str) -> None:
    """Or it is proved by now, and belongs into the test above."""
    assert not all(_is_found(told, table, column, row) for row in rows(told, table))


def _examples(found: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """A row for each of a few different values of the column."""
    seen: dict[Any, dict[str, Any]] = {}
    for row in found:
        seen.setdefault(row[column], row)
    chosen = list(seen.values())
    return chosen[:3] + chosen[3:][-3:]


def test_a_row_that_is_gone_is_missed(told: World) -> None:
    for table, state in ((REDEMPTIONS, "captured"), (VOUCHERS, "redeemed"), (GRANTS, "used")):
        row = next(one for one in rows(told, table) if one["state"] == state)
        # As if it had another id: what belongs to it misses it.
        with changed(told, table, row, "id", b"\x07" * 16):
            assert mismatches(told), table.name

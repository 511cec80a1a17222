"""Proof of the ledger: everything that is kept is computed again from the entries and compared.

Owns no table and changes nothing. Streams every table once in the order of an index, side by
side, so that memory holds one member at a time; `verify_orders` does the same for orders, claims
and tiers, `verify_rewards` for redemptions, codes and grants. Every row that disagrees is named
with what is stored and what was computed.
"""

import itertools
from typing import Any

import sqlalchemy as sa

from loyalty import records
from loyalty.ledger.entries import OWN
from loyalty.ledger.rows import ACCOUNTS, ALLOCATIONS, ENTRIES, HOLDS, LOTS
from loyalty.records import OPENINGS
from members.members import MEMBERS
from programs.models import Program
from programs.terms import NO_TERMS
from server.verify import (
    activities,
    cards,
    draws,
    entries,
    hands,
    lots,
    merged,
    orders,
    payables,
    referrals,
    rewards,
    tiers,
)
from server.verify.entries import Sums
from server.verify.hands import ADJUSTMENTS, TRANSFERS
from server.verify.lots import Lots
from server.verify.programs import Programs
from server.verify.rows import Groups, Place, Report, side_by_side, stream
from storefront.orders import ORDERS


def run(connection: sa.Connection, program_id: bytes | None) -> dict[str, Any]:
    """Check one program, or all; needs one consistent read transaction."""
    if connection.dialect.name == "postgresql":
        # Reading a large table takes longer than a request may.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    report = Report(
        programs=_count(connection, Program.program_id, program_id),
        members=_count(connection, MEMBERS.c.program_id, program_id),
    )
    programs = Programs(connection)
    _Accounts(connection, program_id, report, programs).check()
    _check_orphans(connection, program_id, report)
    orders.check_sources(connection, program_id, report, programs)
    orders.check_members(connection, program_id, report, programs)
    cards.check_members(connection, program_id, report, programs)
    tiers.check(connection, program_id, report, programs)
    activities.check(connection, program_id, report, programs)
    rewards.check(connection, program_id, report, programs)
    referrals.check(connection, program_id, report, programs)
    payables.check(connection, program_id, report, programs)
    draws.check(connection, program_id, report, programs)
    return report.shown()


def _count(connection: sa.Connection, column: Any, program_id: bytes | None) -> int:
    statement = sa.select(sa.func.count()).select_from(column.table)
    if program_id is not None:
        statement = statement.where(column == program_id)
    return int(connection.execute(statement).scalar_one())


def _by_member(table: sa.Table, member: str = "member_id") -> sa.Select[Any]:
    """Every column of a table, led by program, member and kind of points, in this order."""
    lead = [table.c.program_id, table.c[member], table.c.points_key]
    return sa.select(*lead, *_rest(table, lead)).order_by(*lead)


def _rest(table: sa.Table, lead: list[Any]) -> list[Any]:
    return [column for column in table.columns if column not in set(lead)]


def _lots_by_member() -> sa.Select[Any]:
    """Lots with what is needed of the lot that each came from."""
    origin = LOTS.alias("origin")
    lead = [LOTS.c.program_id, LOTS.c.member_id, LOTS.c.points_key]
    joined = sa.and_(origin.c.program_id == LOTS.c.program_id, origin.c.id == LOTS.c.origin_lot_id)
    return (
        sa.select(
            *lead,
            *_rest(LOTS, lead),
            *(origin.c[name].label(f"origin_{name}") for name in lots.ORIGIN_NAMES),
        )
        .select_from(LOTS.outerjoin(origin, joined))
        .order_by(*lead)
    )


def _entries_by_member() -> sa.Select[Any]:
    """Entries with their allocations, the member before the id."""
    return records.joined(ENTRIES.c.program_id, ENTRIES.c.member_id, ENTRIES.c.points_key)


class _Accounts:
    """Accounts, entries, lots, holds and what was moved by hand, one member after the other."""

    def __init__(
        self,
        connection: sa.Connection,
        program_id: bytes | None,
        report: Report,
        programs: Programs,
    ) -> None:
        def groups(table: sa.Table, statement: sa.Select[Any] | None = None) -> Groups:
            chosen = _by_member(table) if statement is None else statement
            return Groups(stream(connection, chosen, table, program_id))

        self._connection, self._report, self._programs = connection, report, programs
        self._binding = hands.Binding(connection, report)
        self._accounts = groups(ACCOUNTS)
        self._lots = groups(LOTS, _lots_by_member())
        self._entries = groups(ENTRIES, _entries_by_member())
        self._holds = groups(HOLDS)
        self._adjustments = groups(ADJUSTMENTS)
        self._openings = groups(OPENINGS)
        self._told = activities.by_member(connection, program_id)
        self._sent = groups(TRANSFERS, _by_member(TRANSFERS, "from_member_id"))
        self._received = groups(TRANSFERS, _by_member(TRANSFERS, "to_member_id"))

    def check(self) -> None:
        """Every member who has a row of any of them."""
        streams = (self._accounts, self._lots, self._entries, self._holds, self._adjustments)
        for key in side_by_side(*streams, self._told, self._openings, self._sent, self._received):
            self._check_member(key)

    def _check_member(self, key: tuple[bytes, bytes]) -> None:
        report = self._report
        accounts = {row[2]: row for row in self._accounts.take(key)}
        report.accounts += len(accounts)
        own, holds = _by_kind(self._lots, key), _by_kind(self._holds, key)
        sums = {
            points_key: entries.add_up(report, (row[3:] for row in rows))
            for points_key, rows in itertools.groupby(self._entries.take(key), lambda row: row[2])
        }
        adjustments = _by_kind(self._adjustments, key)
        brought: dict[str, int] = {}
        for row in self._openings.take(key):
            brought[row[2]] = brought.get(row[2], 0) + row.lifetime_earned
        # Dates that were given by hand, by what gave them.
        dated = {
            lot.source_id: lot.expires_at
            for lot in itertools.chain(*own.values())
            if lot.terms == NO_TERMS.text and lot.origin_lot_id is None
        }
        told = list(self._told.take(key))
        counts = any(row.qualifying_points for row in told)
        active_at = self._active_at(key, accounts, holds) | {row.occurred_at for row in told}
        for points_key in sorted({*accounts, *own, *sums, *holds}):
            place = ("mem", key[1], f" {points_key}")
            found, account = sums.get(points_key) or Sums(), accounts.get(points_key)
            found.lifetime_earned += brought.pop(points_key, 0)
            _check_account(report, place, account, found)
            if account is not None:
                hands.check_account(
                    report,
                    place,
                    account,
                    rows=adjustments.get(points_key, ()),
                    is_merged=self._is_merged(key) or activities.had_any(self._connection, key),
                    has_told=counts and points_key == self._programs.default_key(key[0]),
                )
            for hold in holds.get(points_key, ()):
                lots.check_hold(report, found, hold)
            for ref, hold in found.holds.items():
                if merged.has_gone_along(self._connection, key, ref, hold):
                    continue
                report.note("holds", place, "row", "none", f"entries of {ref}")
            calendar = self._programs.calendar(key[0])
            rows, of_holds = own.get(points_key, []), holds.get(points_key, [])
            lots.check(report, Lots(calendar, place, found, rows, of_holds, active_at), account)
        for points_key, lifetime in brought.items():
            # An opening of only a level, or of nothing, makes no account.
            if not lifetime:
                continue
            place = ("mem", key[1], f" {points_key}")
            report.note("openings", place, "points_key", points_key, "one of the accounts")
        for row in itertools.chain(*adjustments.values()):
            hands.check_adjustment(report, row, sums)
            self._binding.check_adjustment(row, dated.get(row.id))
        for row in self._sent.take(key):
            hands.check_transfer(report, row, sums, is_sender=True)
            self._binding.check_transfer(row)
        for row in self._received.take(key):
            hands.check_transfer(report, row, sums, is_sender=False)
        hands.check_rest(report, sums.values())

    def _is_merged(self, key: tuple[bytes, bytes]) -> bool:
        """Whether another member was merged into this one."""
        statement = sa.select(MEMBERS.c.id).where(
            MEMBERS.c.program_id == key[0], MEMBERS.c.merged_into_id == key[1]
        )
        return self._connection.execute(statement.limit(1)).first() is not None

    def _active_at(
        self, key: tuple[bytes, bytes], accounts: dict[str, Any], holds: dict[str, list[Any]]
    ) -> frozenset[int]:
        """When the member was active; read only of those whose points live by it."""
        if not any(account.has_inactivity for account in accounts.values()):
            return frozenset()
        placed = self._connection.execute(
            sa.select(ORDERS.c.placed_at).where(
                ORDERS.c.program_id == key[0], ORDERS.c.member_id == key[1]
            )
        ).scalars()
        ended = (hold.ended_at for rows in holds.values() for hold in rows)
        return frozenset([*placed, *(at for at in ended if at is not None)])


def _by_kind(groups: Groups, key: tuple[bytes, bytes]) -> dict[str, list[Any]]:
    """The rows of a member by kind of points."""
    found: dict[str, list[Any]] = {}
    for row in groups.take(key):
        found.setdefault(row[2], []).append(row)
    return found


def _check_account(report: Report, place: Place, row: Any, sums: Sums) -> None:
    if row is None:
        report.note("accounts", place, "row", "none", f"version {sums.version}")
        return
    for name in (*OWN, "lifetime_earned", "version", "head"):
        report.compare("accounts", place, name, getattr(row, name), getattr(sums, name))


def _check_orphans(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """Allocations of no entry: those of entries and of lots are seen with them."""
    joined = sa.and_(
        ALLOCATIONS.c.program_id == ENTRIES.c.program_id, ALLOCATIONS.c.entry_id == ENTRIES.c.id
    )
    statement = (
        sa.select(ALLOCATIONS.c.entry_id, ALLOCATIONS.c.lot_id)
        .select_from(ALLOCATIONS.outerjoin(ENTRIES, joined))
        .where(ENTRIES.c.id.is_(None))
    )
    for entry_id, lot_id in stream(connection, statement, ALLOCATIONS, program_id):
        place = ("ent", entry_id, "")
        report.note("allocations", place, "entry_id", ("lot", lot_id), "an entry that exists")

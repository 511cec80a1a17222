"""Proof of points moved by hand: adjustments and transfers against the entries that name them."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from core import ids
from loyalty import binding
from loyalty.models import Adjustment, Transfer
from members.members import MEMBERS
from server.verify.entries import Sums, place_of
from server.verify.rows import Place, Report, show

ADJUSTMENTS: sa.Table = Adjustment.__table__  # type: ignore[assignment]
TRANSFERS: sa.Table = Transfer.__table__  # type: ignore[assignment]


class Binding:
    """Whether rows are what their ids were made for."""

    def __init__(self, connection: sa.Connection, report: Report) -> None:
        self._connection, self._report = connection, report

    def check_adjustment(self, row: Any, expires_at: int | None) -> None:
        """Also the texts, unless the member was erased and they with them."""
        values = binding.of_adjustment(_mapping(ADJUSTMENTS, row), expires_at=expires_at)
        is_empty = row.note is None
        self._check("adjustments", ("adj", row.id, ""), values, [row.member_id], is_empty=is_empty)
        if row.counts_for_tier is not (row.tier_member_id is not None):
            place = ("adj", row.id, "")
            self._report.note("adjustments", place, "tier_member_id", row.tier_member_id, None)
        elif row.tier_member_id not in (None, row.member_id):
            self._check_tier_member(row)

    def check_transfer(self, row: Any) -> None:
        """Also the reason, unless one of the members was erased and it with them."""
        both = [row.from_member_id, row.to_member_id]
        values = binding.of_transfer(_mapping(TRANSFERS, row))
        is_empty = row.reason is None
        self._check("transfers", ("trf", row.id, ""), values, both, is_empty=is_empty)

    def _check(
        self, table: str, place: Place, values: list[Any], of: list[bytes], *, is_empty: bool
    ) -> None:
        if binding.is_bound(place[1], values) or (is_empty and self._is_erased(of)):
            return
        self._report.note(table, place, "id", "of other values", "one bound to the row's values")

    def _is_erased(self, member_ids: list[bytes]) -> bool:
        """Whether one of these was erased, or whom they were merged into."""
        todo, seen = list(member_ids), set[bytes]()
        while todo:
            one = todo.pop()
            seen.add(one)
            row = self._connection.execute(
                sa.select(MEMBERS.c.erased_at, MEMBERS.c.merged_into_id).where(MEMBERS.c.id == one)
            ).first()
            if row is None or row.erased_at is not None:
                return row is not None
            if row.merged_into_id is not None and row.merged_into_id not in seen:
                todo.append(row.merged_into_id)
        return False

    def _check_tier_member(self, row: Any) -> None:
        """Whom it counts for is its member, or somebody its member was merged into."""
        one: bytes | None = row.member_id
        for _ in range(_MERGES_MAX):
            one = self._connection.execute(
                sa.select(MEMBERS.c.merged_into_id).where(
                    MEMBERS.c.program_id == row.program_id, MEMBERS.c.id == one
                )
            ).scalar()
            if one in (None, row.tier_member_id):
                break
        if one != row.tier_member_id:
            place = ("adj", row.id, "")
            expected = ids.show_id("mem", row.member_id)
            shown = ids.show_id("mem", row.tier_member_id)
            self._report.note("adjustments", place, "tier_member_id", shown, expected)


_MERGES_MAX = 100


def _mapping(table: sa.Table, row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in table.columns}


def check_adjustment(report: Report, row: Any, accounts: dict[str, Sums]) -> None:
    """One entry of the account moves what the adjustment says."""
    place = ("adj", row.id, "")
    entry = _taken(accounts, "adjustment", show(place), points_key=row.points_key)
    if entry is None:
        report.note("adjustments", place, "row", row.points, "no entry of it in the account")
        return
    is_given = entry["from_bucket"] == "adjusted"
    before = accounts[row.points_key].by_hand["adjustment", show(place)]
    if is_given and before and before[-1]["points"] == entry["points"]:
        # What was given a new date left its lot first.
        before.pop()
    expected = {
        "points": entry["points"] if is_given else -entry["points"],
        "actor": entry["actor"],
        "effective_at": entry["effective_at"],
    }
    for name, value in expected.items():
        report.compare("adjustments", place, name, getattr(row, name), value)


def check_transfer(report: Report, row: Any, accounts: dict[str, Sums], *, is_sender: bool) -> None:
    """One entry of each member's account moves what the transfer says."""
    place = ("trf", row.id, "")
    entry = _taken(accounts, "transfer", show(place), points_key=row.points_key)
    side = "from_member_id" if is_sender else "to_member_id"
    if entry is None:
        member = ids.show_id("mem", getattr(row, side))
        report.note("transfers", place, side, member, "a member with an entry of it")
        return
    if (entry["to_bucket"] == "transferred") is not is_sender:
        report.note("transfers", place, side, "sender" if is_sender else "receiver", "the other")
    expected = {
        "points": entry["points"],
        "actor": entry["actor"],
        "effective_at": entry["effective_at"],
    }
    for name, value in expected.items():
        report.compare("transfers", place, name, getattr(row, name), value)


def _taken(
    accounts: dict[str, Sums], source: str, ref: str, *, points_key: str
) -> dict[str, Any] | None:
    """The entry that a row names, taken out of those that no row has named yet."""
    sums = accounts.get(points_key)
    found = sums.by_hand.get((source, ref)) if sums is not None else None
    return found.pop() if found else None


def check_rest(report: Report, accounts: Iterable[Sums]) -> None:
    """What no adjustment and no transfer names."""
    for sums in accounts:
        for (source, ref), entries in sums.by_hand.items():
            if source not in ("adjustment", "transfer"):
                continue
            for entry in entries:
                place: Place = place_of(entry)
                report.note("entries", place, "source_ref", ref, f"an {source} that exists")


def check_account(
    report: Report,
    place: Place,
    account: Any,
    *,
    rows: Iterable[Any],
    is_merged: bool,
    has_told: bool = False,
) -> None:
    """Whether an account says that adjustments or activities of it count; a merge may have said so
    for it, and an activity that counts no more."""
    counted = has_told or any(row.counts_for_tier for row in rows)
    if bool(account.has_counted) != counted and not (account.has_counted and is_merged):
        report.note("accounts", place, "has_counted", bool(account.has_counted), counted)

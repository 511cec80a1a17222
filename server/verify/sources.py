"""Proof of what made the lots: each has one cause, which deserves what stands of them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import ids
from loyalty.ledger.rows import HOLDS, LOTS
from loyalty.records import OPENINGS
from members.members import MEMBERS
from server.verify.hands import ADJUSTMENTS, TRANSFERS
from server.verify.rows import Groups, Report, stream

_COLUMNS = (
    "id",
    "member_id",
    "points_key",
    "terms",
    "points",
    "reversed",
    "written_off",
    "origin_lot_id",
    "is_moved",
)


def of_lots(connection: sa.Connection, program_id: bytes | None) -> Groups:
    """Every lot, in the order of what made it."""
    statement = sa.select(
        LOTS.c.program_id, LOTS.c.source_id, *(LOTS.c[name] for name in _COLUMNS)
    ).order_by(LOTS.c.program_id, LOTS.c.source_id)
    return Groups(stream(connection, statement, LOTS, program_id))


class Causes:
    """Everything but an order that makes lots, side by side in the order of ids."""

    def __init__(self, connection: sa.Connection, program_id: bytes | None) -> None:
        def groups(table: sa.Table, *names: str) -> Groups:
            columns = [table.c[name] for name in ("program_id", "id", *names)]
            statement = sa.select(*columns).order_by(table.c.program_id, table.c.id)
            return Groups(stream(connection, statement, table, program_id))

        self._members = groups(MEMBERS)
        self._openings = groups(OPENINGS)
        self._adjustments = groups(ADJUSTMENTS, "points")
        self._transfers = groups(TRANSFERS, "points")
        self._holds = groups(HOLDS, "points")

    @property
    def streams(self) -> tuple[Groups, ...]:
        """Every table of them."""
        return (self._members, self._openings, self._adjustments, self._transfers, self._holds)

    def check(self, report: Report, key: tuple[bytes, bytes], lots: Sequence[Any]) -> None:
        """The lots of one cause that is no order: there is one, and it gave so many points."""
        found = [next(one.take(key), None) for one in self.streams]
        if all(row is None for row in found):
            for lot in lots:
                place = ("lot", lot.id, "")
                report.note("lots", place, "source_id", lot.source_id, "a cause that exists")
            return
        _, _, adjustment, transfer, hold = found
        own = {lot.id for lot in lots}
        given = sum(lot.points for lot in lots if lot.origin_lot_id not in own)
        limit: tuple[int, int] | None = None
        if adjustment is not None:
            limit = (max(0, adjustment.points),) * 2
        elif transfer is not None:
            limit = (transfer.points,) * 2
        elif hold is not None:
            # Held again it starts anew, but what came back before by grace is still there.
            limit = (0, hold.points)
        if limit is not None and not limit[0] <= given <= limit[1]:
            for lot in lots:
                report.note(
                    "lots", ("lot", lot.id, ""), "points", given, f"{limit[1]} of its cause"
                )
        for lot in lots:
            report.compare("lots", ("lot", lot.id, ""), "written_off", lot.written_off, 0)


def check_moved(report: Report, lots: Sequence[Any]) -> None:
    """A lot that moved away goes on as one other of the same cause, and no other does."""
    twins: dict[bytes, int] = {}
    for lot in lots:
        if lot.origin_lot_id is not None:
            twins[lot.origin_lot_id] = twins.get(lot.origin_lot_id, 0) + 1
    for lot in lots:
        if twins.get(lot.id, 0) != int(bool(lot.is_moved)):
            stored = f"{bool(lot.is_moved)} with {twins.get(lot.id, 0)} that it became"
            report.note("lots", ("lot", lot.id, ""), "is_moved", stored, "one lot, if it moved")


def standing(lot: Any) -> int:
    """What of its award stands."""
    return 0 if lot.is_moved else int(lot.points - lot.reversed - lot.written_off)


def check_award(
    report: Report,
    lots: Sequence[Any],
    deserved: dict[tuple[bytes, str, str], int],
    source_id: bytes,
    *,
    prefix: str = "ord",
) -> None:
    """What stands of the lots of an order or a claim, by member, kind of points and terms."""
    stood: dict[tuple[bytes, str, str], int] = {}
    for lot in lots:
        key = (lot.member_id, lot.points_key, lot.terms)
        stood[key] = stood.get(key, 0) + standing(lot)
    for key in sorted({*stood, *deserved}):
        stored, computed = stood.get(key, 0), deserved.get(key, 0)
        if stored == computed:
            continue
        of_award = [lot for lot in lots if (lot.member_id, lot.points_key, lot.terms) == key]
        rest = f" of {ids.show_id('mem', key[0])} {key[1]} ({key[2]})"
        report.note("lots", (prefix, source_id, rest), "standing", stored, computed)
        for lot in of_award:
            # Its other figures are proved by its entries: what is left is what was written off.
            place, rest_of = ("lot", lot.id, ""), lot.written_off + stored - computed
            report.note("lots", place, "written_off", lot.written_off, rest_of)

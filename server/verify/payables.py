"""Proof of cash that is owed: what stands is what was decided, and exports are what they hold.

What stands of a source, a rule and a member is what the decision of its last row owes, nothing
where that row had none. What a decision that stands of an order owes is there. An export counts
its members, each with more than nothing, and adds up to its total.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from members.members import MEMBERS
from rewards.payables import EXPORT_PREFIX, EXPORTS, PAYABLES, PREFIX
from server.verify.programs import Programs
from server.verify.rows import Place, Report, stream
from storefront.decisions import DECISIONS
from storefront.orders import ORDERS

_C = PAYABLES.c
#: How the outcomes of a decision that owes cash begin to say so.
_OWES = '%"payables"%'


def check(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Every payable and every export."""
    group: list[Any] = []
    rows: Iterator[Any] = stream(connection, _rows(), PAYABLES, program_id)
    for row in rows:
        if group and _key(group[0]) != _key(row):
            _check_group(report, programs, group)
            group = []
        _check_row(report, row)
        group.append(row)
    if group:
        _check_group(report, programs, group)
    _check_orders(connection, program_id, report)
    _check_exports(connection, program_id, report)


def _rows() -> sa.Select[Any]:
    """Payables by what they are for, with what decided them and the export they name."""

    def same(table: sa.Table, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.program_id == _C.program_id, table.c.id == column)

    joined = (
        PAYABLES.outerjoin(DECISIONS, same(DECISIONS, _C.decision_id))
        .outerjoin(EXPORTS, same(EXPORTS, _C.exported_by))
        .outerjoin(MEMBERS, same(MEMBERS, _C.member_id))
        .outerjoin(
            ORDERS,
            sa.and_(
                ORDERS.c.program_id == _C.program_id,
                ORDERS.c.order_ref == _C.source_ref,
                _C.source_type == "order",
            ),
        )
    )
    return (
        sa.select(
            *_C,
            DECISIONS.c.outcomes.label("decided_outcomes_"),
            DECISIONS.c.source_type.label("decided_type_"),
            DECISIONS.c.source_ref.label("decided_ref_"),
            DECISIONS.c.member_id.label("decided_member_"),
            DECISIONS.c.version.label("decided_version_"),
            DECISIONS.c.switches.label("decided_switches_"),
            EXPORTS.c.until.label("until_"),
            EXPORTS.c.currency.label("export_currency_"),
            MEMBERS.c.id.label("member_"),
            MEMBERS.c.erased_at.label("erased_at_"),
            ORDERS.c.id.label("order_id_"),
        )
        .select_from(joined)
        .order_by(_C.program_id, _C.source_id, _C.member_id, _C.rule, _C.id)
    )


def _key(row: Any) -> tuple[Any, ...]:
    return (row.program_id, row.source_id, row.member_id, row.rule)


def _place(row: Any) -> Place:
    return (PREFIX, row.id, "")


def _check_row(report: Report, row: Any) -> None:
    """What one row says of itself."""
    place = _place(row)
    if row.member_ is None:
        report.note("payables", place, "member_id", row.member_id, "a member that exists")
    if row.source_type == "order" and row.order_id_ != row.source_id:
        report.compare("payables", place, "source_id", row.source_id, row.order_id_)
    if row.effective_at > row.recorded_at:
        report.note("payables", place, "effective_at", row.effective_at, f"{row.recorded_at}")
    if (row.exported_by is None) is not (row.payee_id is None):
        report.note("payables", place, "payee_id", row.payee_id, "one, if exported")
    if row.exported_by is None:
        return
    if row.until_ is None:
        shown = ids.show_id(EXPORT_PREFIX, row.exported_by)
        report.note("payables", place, "exported_by", shown, "an export that exists")
    else:
        report.compare("payables", place, "currency", row.currency, row.export_currency_)
        # What was taken back is netted, whenever that was.
        if row.effective_at > row.until_ and row.minor > 0:
            report.note("payables", place, "effective_at", row.effective_at, f"to {row.until_}")


def _check_group(report: Report, programs: Programs, rows: list[Any]) -> None:
    """What stands of a source, a rule and a member. Of somebody erased what was withdrawn is
    known to no decision."""
    last = rows[-1]
    for row in rows:
        if row.decision_id is not None and not _is_of(row):
            shown = ids.show_id("dec", row.decision_id)
            named = f"one of {row.source_type} {row.source_ref}"
            report.note("payables", _place(row), "decision_id", shown, named)
            return
    if last.decision_id is not None:
        program = programs.version(last.program_id, last.decided_version_, last.decided_switches_)
        if program is not None and last.currency != program.currency:
            report.note("payables", _place(last), "currency", last.currency, program.currency)
    owed = _owed(last.decided_outcomes_).get(last.rule, 0)
    stands = sum(row.minor for row in rows)
    if stands != owed and not (last.decision_id is None and last.erased_at_ is not None):
        report.note("payables", _place(last), "minor", stands, owed)


def _is_of(row: Any) -> bool:
    """Whether the decision of a row is one of its source; who had it then may be merged since."""
    return (row.decided_type_, row.decided_ref_) == (row.source_type, row.source_ref)


def _owed(outcomes: str | None) -> Mapping[str, int]:
    if outcomes is None:
        return {}
    found: Mapping[str, int] = jsontext.parse(outcomes).get("payables") or {}
    return found


def _check_orders(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """What the decisions that stand of orders owe is owed."""
    decided = sa.and_(
        DECISIONS.c.program_id == ORDERS.c.program_id, DECISIONS.c.id == ORDERS.c.decision_id
    )
    theirs = sa.and_(
        MEMBERS.c.program_id == ORDERS.c.program_id,
        MEMBERS.c.id == ORDERS.c.member_id,
        MEMBERS.c.erased_at.is_(None),
    )
    found = sa.select(
        ORDERS.c.program_id, ORDERS.c.id, ORDERS.c.member_id, DECISIONS.c.outcomes
    ).select_from(ORDERS.join(DECISIONS, decided).join(MEMBERS, theirs))
    found = found.where(DECISIONS.c.outcomes.like(_OWES))
    rows: Iterator[Any] = stream(connection, found, ORDERS, program_id)
    for row in rows:
        owed = _owed(row.outcomes)
        standing = connection.execute(
            sa.select(_C.rule, sa.cast(sa.func.sum(_C.minor), sa.BigInteger))
            .where(
                _C.program_id == row.program_id,
                _C.source_id == row.id,
                _C.member_id == row.member_id,
            )
            .group_by(_C.rule)
        )
        stands = {rule: minor for rule, minor in standing if minor}
        if stands != dict(owed):
            report.note("payables", ("ord", row.id, ""), "minor", stands, owed)


def _check_exports(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """Each export against the rows that it took."""
    lines = (
        sa.select(
            _C.program_id,
            _C.exported_by,
            _C.payee_id,
            sa.cast(sa.func.sum(_C.minor), sa.BigInteger).label("minor"),
        )
        .where(_C.exported_by.is_not(None))
        .group_by(_C.program_id, _C.exported_by, _C.payee_id)
        .subquery()
    )
    totals = (
        sa.select(
            EXPORTS.c.program_id,
            EXPORTS.c.id,
            EXPORTS.c.count,
            EXPORTS.c.total_minor,
            sa.func.count(lines.c.minor).label("count_"),
            sa.cast(sa.func.coalesce(sa.func.sum(lines.c.minor), 0), sa.BigInteger).label(
                "total_minor_"
            ),
            sa.func.min(lines.c.minor).label("least_"),
        )
        .select_from(
            EXPORTS.outerjoin(
                lines,
                sa.and_(
                    lines.c.program_id == EXPORTS.c.program_id,
                    lines.c.exported_by == EXPORTS.c.id,
                ),
            )
        )
        .group_by(EXPORTS.c.program_id, EXPORTS.c.id, EXPORTS.c.count, EXPORTS.c.total_minor)
    )
    rows: Iterator[Any] = stream(connection, totals, EXPORTS, program_id)
    for row in rows:
        place = (EXPORT_PREFIX, row.id, "")
        report.compare("payable_exports", place, "count", row.count, row.count_)
        report.compare("payable_exports", place, "total_minor", row.total_minor, row.total_minor_)
        if row.least_ is not None and row.least_ <= 0:
            report.note("payable_exports", place, "minor", row.least_, "above zero for each")

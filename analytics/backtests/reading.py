"""Reading a back-test: its row, what came of it, and how the forecast did since.

A forecast is scored once its document has been live for a week: what it said of a day, times the
days since, against what the ledger says of them. Writes nothing.
"""

from typing import Any

import sqlalchemy as sa

from analytics.backtests import asking, measuring
from analytics.backtests.measuring import Figures, Period
from analytics.points import lift_limits
from core import clock, ids, jsontext
from members.members import MEMBERS
from programs import versions
from programs.models import ProgramVersion

_VERSIONS: sa.Table = ProgramVersion.__table__  # type: ignore[assignment]
_DAY = 86_400 * clock.SECOND
#: A forecast is not judged by fewer days.
DAYS_MIN = 7


def whole(connection: sa.Connection, program_id: bytes, backtest_id: bytes) -> dict[str, Any]:
    """A back-test with everything there is of it."""
    row = asking.get(connection, program_id, backtest_id)
    answer: dict[str, Any] = asking.show(connection, row)
    if row.result is None:
        return answer
    result: dict[str, Any] = jsontext.parse(row.result)
    result["members"] = _named(connection, program_id, result["members"])
    return answer | result | {"score": _score(connection, row, result)}


def _named(
    connection: sa.Connection, program_id: bytes, told: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Members with the references that they have now; nobody's once they were erased."""
    columns = MEMBERS.c
    member_ids = [ids.read_id("mem", one["member_id"]) for one in told]
    rows = connection.execute(
        sa.select(columns.id, columns.member_ref).where(
            columns.program_id == program_id,
            columns.id.in_(member_ids),
            columns.erased_at.is_(None),
        )
    )
    refs = {ids.show_id("mem", bytes(member_id)): ref for member_id, ref in rows}
    return [one | {"member_ref": refs.get(one["member_id"])} for one in told]


def _score(connection: sa.Connection, row: Any, result: dict[str, Any]) -> dict[str, Any] | None:
    """The forecast against truth, once there is enough of it; while its document is live, or as
    long as it was."""
    program_id = bytes(row.program_id)
    columns = _VERSIONS.c
    published = connection.execute(
        sa.select(columns.version, columns.published_at)
        .where(columns.program_id == program_id, columns.backtest_id == row.id)
        .order_by(columns.version)
        .limit(1)
    ).first()
    if published is None:
        return None
    lift_limits(connection)
    live, now = versions.get_live(connection, program_id)
    followed_at = connection.execute(
        sa.select(sa.func.min(columns.published_at)).where(
            columns.program_id == program_id, columns.version > published.version
        )
    ).scalar()
    until = now if followed_at is None else min(now, followed_at)
    days = (until - published.published_at) // _DAY
    if days < DAYS_MIN:
        return None
    until = published.published_at + days * _DAY
    truth = measuring.measure(connection, program_id, Period(published.published_at, until))
    length: int = max(1, row.to_at - row.from_at)

    def scaled(value: int) -> int:
        return int(value * days * _DAY // length)

    forecast, actual = scaled(result["points"]["forecast"]), sum(truth.points.values())
    return {
        "version": published.version,
        "since": clock.format_instant(published.published_at),
        "until": clock.format_instant(until),
        "days": days,
        "points": {"forecast": forecast, "actual": actual},
        "minor": {
            "forecast": scaled(result["minor"]["forecast"]),
            "actual": truth.worth(live),
        },
        "error_bp": abs(forecast - actual) * 10_000 // actual if actual > 0 else None,
        "rules": [
            {
                "rule": one["rule"],
                "points": {
                    "forecast": scaled(one["points"]["forecast"]),
                    "actual": _points_of(truth, one["rule"]),
                },
            }
            for one in result["rules"]
        ],
    }


def _points_of(truth: Figures, key: str) -> int:
    rule = truth.rules.get(key)
    return 0 if rule is None else rule.points.total()

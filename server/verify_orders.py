"""Proof of what hangs on orders: figures, awards, the first-purchase claim, tiers.

Every order is decided again from its stored snapshot with the version and the facts that its
decision pinned. Levels are replayed under the live ladder; who has an order from before that
ladder was published keeps a level of that time, of which only the key can be checked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from core.errors import Problem
from loyalty import tiers
from loyalty.ledger import LOTS
from loyalty.tiers import TIERS, Contribution
from programs import versions
from programs.compiled import Compiled, Ladder
from programs.models import ProgramVersion
from server.verify_rows import Groups, Place, Report, side_by_side, stream
from storefront import decide
from storefront.decide import Decided, Pinned
from storefront.decisions import DECISIONS
from storefront.orders import ORDERS

#: Orders in flight while a version is published may still be judged by the one before.
_PUBLISHING = 60 * clock.SECOND
_EVER = -(2**62)


class _Programs:
    """Compiled versions and live ladders, each read once."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._live: dict[bytes, Compiled] = {}

    def live(self, program_id: bytes) -> Compiled:
        """The live version."""
        if program_id not in self._live:
            self._live[program_id] = versions.get_live(self._connection, program_id)[0]
        return self._live[program_id]

    def version(self, program_id: bytes, number: int) -> Compiled | None:
        """A version by number, None when there is none."""
        try:
            return versions.get_compiled(self._connection, program_id, number)
        except Problem:
            return None


def check_orders(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """Every order decided again; what stands of its lots is what it deserves."""
    joined = sa.and_(
        DECISIONS.c.program_id == ORDERS.c.program_id, DECISIONS.c.id == ORDERS.c.decision_id
    )
    statement = (
        sa.select(
            *ORDERS.columns,
            DECISIONS.c.source_type.label("decided_type"),
            DECISIONS.c.source_ref.label("decided_ref"),
            DECISIONS.c.member_id.label("decided_member_id"),
            DECISIONS.c.version,
            DECISIONS.c.facts,
        )
        .select_from(ORDERS.outerjoin(DECISIONS, joined))
        .order_by(ORDERS.c.program_id, ORDERS.c.id)
    )
    orders = Groups(stream(connection, statement, ORDERS, program_id))
    of_lots = sa.select(
        LOTS.c.program_id,
        LOTS.c.source_id,
        LOTS.c.id,
        LOTS.c.member_id,
        LOTS.c.points_key,
        (LOTS.c.points - LOTS.c.reversed - LOTS.c.written_off).label("standing"),
    ).order_by(LOTS.c.program_id, LOTS.c.source_id)
    lots = Groups(stream(connection, of_lots, LOTS, program_id))
    programs = _Programs(connection)
    for key in side_by_side(orders, lots):
        own = list(lots.take(key))
        row = next(orders.take(key), None)
        if row is None:
            _check_signup_lots(report, own)
        else:
            report.orders += 1
            _check_order(report, programs, row, own)


def _check_signup_lots(report: Report, lots: Sequence[Any]) -> None:
    """A lot that no order made was made by the member's own signup."""
    for lot in lots:
        if lot.source_id != lot.member_id:
            report.note(
                "lots", ("lot", lot.id, ""), "source_id", lot.source_id, "an order or member"
            )


def _check_order(report: Report, programs: _Programs, row: Any, lots: Sequence[Any]) -> None:
    place = ("ord", row.id, "")
    body = jsontext.parse(row.snapshot)
    report.compare("orders", place, "status", row.status, body["status"])
    if body.get("revision") is not None:
        report.compare("orders", place, "revision", row.revision, body["revision"])
    _check_times(report, place, row, body)
    decided = None
    if row.member_id is None:
        report.compare("orders", place, "decision_id", row.decision_id, None)
    elif row.version is None:
        stored = ids.show_id("dec", row.decision_id) if row.decision_id else None
        report.note("orders", place, "decision_id", stored, "a decision that exists")
        return
    else:
        decided = _decided_again(report, programs, row, body)
        if decided is None:
            return
    _check_columns(report, programs, row, body, decided)
    _check_award(report, row, lots, decided)


def _check_times(report: Report, place: Place, row: Any, body: Mapping[str, Any]) -> None:
    """An order is placed when the storefront said, or was told, if it said a later time."""
    placed_at = row.placed_at
    was_ahead = placed_at < body["placed_at"] and row.created_at <= placed_at <= row.updated_at
    if not was_ahead:
        report.compare("orders", place, "placed_at", placed_at, body["placed_at"])
    if row.created_at > row.updated_at:
        report.note("orders", place, "created_at", row.created_at, f"at most {row.updated_at}")


def _decided_again(
    report: Report, programs: _Programs, row: Any, body: Mapping[str, Any]
) -> Decided | None:
    """The decision made again from what it pinned; None when it is not this order's."""
    place = ("ord", row.id, "")
    told = (row.decided_type, row.decided_ref, row.decided_member_id)
    if told != ("order", row.order_ref, row.member_id):
        member = ids.show_id("mem", told[2]) if told[2] else None
        report.note(
            "orders",
            place,
            "decision_id",
            f"{ids.show_id('dec', row.decision_id)} of {told[0]} {told[1]} for {member}",
            f"one of order {row.order_ref} for {ids.show_id('mem', row.member_id)}",
        )
        return None
    program = programs.version(row.program_id, row.version)
    if program is None:
        decision = ("dec", row.decision_id, "")
        report.note("decisions", decision, "version", row.version, "a published version")
        return None
    facts = jsontext.parse(row.facts)
    report.compare(
        "orders", place, "is_first", bool(row.is_first), facts["order"]["order.is_first"]
    )
    tier = facts["tier"]
    figures = decide.figure(program, body)
    return decide.decide_order(
        Pinned(program, facts["member"], tier["key"], tier["metric_before"]),
        body,
        order=figures,
        stands=decide.is_standing(body["status"], figures),
        is_first=bool(row.is_first),
        is_history=bool(row.is_history),
    )


def _check_columns(
    report: Report,
    programs: _Programs,
    row: Any,
    body: Mapping[str, Any],
    decided: Decided | None,
) -> None:
    place = ("ord", row.id, "")
    figures = decided.figures if decided else decide.figure(programs.live(row.program_id), body)
    stands = decide.is_standing(body["status"], figures)
    expected = {
        "net_minor": 0 if body["status"] == "cancelled" else figures.net_minor,
        "refunded_minor": figures.refunded_minor,
        "spend_minor": decided.spend_minor if decided else 0,
        "qualifying_points": decided.qualifying_points if decided else 0,
        "stands": stands,
    }
    for name, value in expected.items():
        report.compare("orders", place, name, getattr(row, name), value)
    if row.is_first and not (stands and decided):
        report.note("orders", place, "is_first", True, False)


def _check_award(report: Report, row: Any, lots: Sequence[Any], decided: Decided | None) -> None:
    """What stands of the order's lots, for its member and for whoever had it before."""
    standing: dict[tuple[bytes, str], int] = {}
    for lot in lots:
        key = (lot.member_id, lot.points_key)
        standing[key] = standing.get(key, 0) + lot.standing
    deserved: dict[tuple[bytes, str], int] = {}
    if decided is not None:
        deserved = {(row.member_id, one.points_key): one.points for one in decided.earning.earned}
    for key in sorted({*standing, *deserved}):
        stored, computed = standing.get(key, 0), deserved.get(key, 0)
        if stored != computed:
            place = ("ord", row.id, f" of {ids.show_id('mem', key[0])} {key[1]}")
            report.note("lots", place, "standing", stored, computed)


@dataclass(frozen=True, slots=True)
class _History:
    """The live ladder, since when it is in force unchanged, and every key there ever was."""

    program: Compiled
    since: int
    keys: frozenset[str]


def _history(connection: sa.Connection, program_id: bytes) -> _History:
    live = versions.get_live(connection, program_id)[0]
    numbers = connection.execute(
        sa.select(ProgramVersion.version, ProgramVersion.published_at)
        .where(ProgramVersion.program_id == program_id, ProgramVersion.version <= live.version)
        .order_by(ProgramVersion.version.desc())
    ).all()
    since, is_unchanged = 0, True
    keys: set[str] = set()
    for number, published_at in numbers:
        compiled = versions.get_compiled(connection, program_id, number)
        keys.update(level.key for level in compiled.ladder.levels)
        is_unchanged = is_unchanged and _is_same(compiled, live)
        if is_unchanged:
            since = published_at + _PUBLISHING
    return _History(live, _EVER if is_unchanged else since, frozenset(keys))


def _is_same(one: Compiled, other: Compiled) -> bool:
    return _ladder(one.ladder) == _ladder(other.ladder) and one.zone == other.zone


def _ladder(ladder: Ladder) -> tuple[Any, ...]:
    """What of a ladder decides on levels."""
    levels = [(level.key, level.enter_at, level.retain_at) for level in ladder.levels]
    return ladder.metric, ladder.window, ladder.is_kept_by_time, levels


def check_members(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """Levels against a replay of the orders that stand, and one first-purchase claim each."""
    columns = ORDERS.c
    statement = (
        sa.select(
            columns.program_id,
            columns.member_id,
            columns.id,
            columns.placed_at,
            columns.spend_minor,
            columns.qualifying_points,
            columns.is_first,
            columns.created_at,
        )
        .where(columns.member_id.is_not(None), columns.stands)
        .order_by(
            columns.program_id,
            columns.member_id,
            columns.placed_at,
            columns.created_at,
            columns.id,
        )
    )
    kept = sa.select(TIERS).order_by(TIERS.c.program_id, TIERS.c.member_id)
    orders = Groups(stream(connection, statement, ORDERS, program_id))
    levels = Groups(stream(connection, kept, TIERS, program_id))
    histories: dict[bytes, _History] = {}
    for key in side_by_side(orders, levels):
        history = histories.get(key[0])
        if history is None:
            history = histories[key[0]] = _history(connection, key[0])
        rows = list(orders.take(key))
        _check_claim(report, rows)
        _check_level(report, history, key[1], rows=rows, kept=next(levels.take(key), None))


def _check_claim(report: Report, rows: Sequence[Any]) -> None:
    holders = [row.id for row in rows if row.is_first]
    for order_id in holders[1:]:
        first = ids.show_id("ord", holders[0])
        report.note("orders", ("ord", order_id, ""), "is_first", True, f"held by {first}")


def _check_level(
    report: Report, history: _History, member_id: bytes, *, rows: Sequence[Any], kept: Any
) -> None:
    place = ("mem", member_id, "")
    stored = (kept.level_key, kept.since) if kept is not None else (None, 0)
    if any(row.created_at <= history.since for row in rows):
        if stored[0] is not None and stored[0] not in history.keys:
            report.note("member_tiers", place, "level_key", stored[0], "a level of the program")
        return
    program = history.program
    level, since = None, 0
    if rows and program.ladder.levels:
        contributions = [
            Contribution(row.placed_at, row.spend_minor, row.qualifying_points) for row in rows
        ]
        standing = tiers.replay(
            program.ladder, contributions, program.zone, at=contributions[-1].at
        )
        level, since = (standing.level.key if standing.level else None), standing.since
    report.compare("member_tiers", place, "level_key", stored[0], level)
    report.compare("member_tiers", place, "since", stored[1], since)

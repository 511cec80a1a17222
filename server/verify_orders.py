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
from loyalty import tiers
from loyalty.deserved import by_terms
from loyalty.tiers import TIERS, Contribution
from members import aliases
from orders.refunds import fold
from programs import versions
from programs.compiled import Compiled
from programs.ladder import Ladder
from programs.models import ProgramVersion
from server import verify_sources
from server.verify_hands import ADJUSTMENTS
from server.verify_programs import Programs
from server.verify_rows import Groups, Place, Report, side_by_side, stream
from storefront import decide
from storefront.decide import Decided, Pinned
from storefront.decisions import DECISIONS
from storefront.orders import ORDERS
from storefront.telling import ORDER_REFUNDS, read_refunds

#: Orders in flight while a version is published may still be judged by the one before.
_PUBLISHING = 60 * clock.SECOND
_EVER = -(2**62)


def check_sources(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Every order decided again; what stands of the lots of each cause is what it deserves."""
    joined = sa.and_(
        DECISIONS.c.program_id == ORDERS.c.program_id, DECISIONS.c.id == ORDERS.c.decision_id
    )
    refunded = sa.exists().where(
        ORDER_REFUNDS.c.program_id == ORDERS.c.program_id,
        ORDER_REFUNDS.c.order_ref == ORDERS.c.order_ref,
    )
    statement = (
        sa.select(
            *ORDERS.columns,
            DECISIONS.c.source_type.label("decided_type"),
            DECISIONS.c.source_ref.label("decided_ref"),
            DECISIONS.c.member_id.label("decided_member_id"),
            DECISIONS.c.version,
            DECISIONS.c.facts,
            refunded.label("has_refunds"),
        )
        .select_from(ORDERS.outerjoin(DECISIONS, joined))
        .order_by(ORDERS.c.program_id, ORDERS.c.id)
    )
    orders = Groups(stream(connection, statement, ORDERS, program_id))
    lots = verify_sources.of_lots(connection, program_id)
    causes = verify_sources.Causes(connection, program_id)
    for key in side_by_side(orders, lots, *causes.streams):
        own = list(lots.take(key))
        row = next(orders.take(key), None)
        verify_sources.check_moved(report, own)
        if row is None:
            causes.check(report, key, own)
        else:
            report.orders += 1
            _check_order(report, programs, row, own, body=_told(connection, row))


def _told(connection: sa.Connection, row: Any) -> Mapping[str, Any]:
    """The order as told, with what was told of its refunds."""
    body: dict[str, Any] = jsontext.parse(row.snapshot)
    if not row.has_refunds:
        return body
    refunds = read_refunds(connection, row.program_id, row.order_ref)
    return fold(body, [refund for refund in refunds if refund.is_applied]).body


def _check_order(
    report: Report,
    programs: Programs,
    row: Any,
    lots: Sequence[Any],
    *,
    body: Mapping[str, Any],
) -> None:
    place = ("ord", row.id, "")
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
    report: Report, programs: Programs, row: Any, body: Mapping[str, Any]
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
    was_first = bool(facts["order"]["order.is_first"])
    # Of two first purchases only one holds the claim once their members are merged.
    if bool(row.is_first) != was_first and not (was_first and _is_merged(programs, row)):
        report.compare("orders", place, "is_first", bool(row.is_first), was_first)
    tier = facts["tier"]
    figures = decide.figure(program, body)
    return decide.decide_order(
        Pinned(program, facts["member"], tier["key"], tier["metric_before"]),
        body,
        order=figures,
        stands=decide.is_standing(body["status"], figures),
        is_first=was_first,
        is_history=bool(row.is_history),
    )


def _is_merged(programs: Programs, row: Any) -> bool:
    """Whether another member was merged into the order's."""
    return bool(aliases.merged_ids(programs.connection, row.program_id, row.member_id))


def _check_columns(
    report: Report,
    programs: Programs,
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
    deserved: dict[tuple[bytes, str, str], int] = {}
    if decided is not None:
        program = decided.pinned.program
        for one in by_terms(program, program.rules_of("order"), decided.earning.earned):
            deserved[row.member_id, one.points_key, one.terms.text] = one.points
    verify_sources.check_award(report, lots, deserved, row.id)


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


def check_members(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
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
    counted = Groups(stream(connection, _counted(), ADJUSTMENTS, program_id))
    levels = Groups(stream(connection, kept, TIERS, program_id))
    histories: dict[bytes, _History] = {}
    for key in side_by_side(orders, levels, counted):
        history = histories.get(key[0])
        if history is None:
            if programs.find_live(key[0]) is None:
                # Rows of no program; what they lack is told where they are missed.
                continue
            history = histories[key[0]] = _history(connection, key[0])
        rows = list(orders.take(key))
        _check_claim(report, rows)
        by_hand = [
            Contribution(row.effective_at, 0, row.points, count=0) for row in counted.take(key)
        ]
        _check_level(
            report, history, key[1], rows=rows, by_hand=by_hand, kept=next(levels.take(key), None)
        )


def _check_claim(report: Report, rows: Sequence[Any]) -> None:
    holders = [row.id for row in rows if row.is_first]
    for order_id in holders[1:]:
        first = ids.show_id("ord", holders[0])
        report.note("orders", ("ord", order_id, ""), "is_first", True, f"held by {first}")


def _counted() -> sa.Select[Any]:
    """Adjustments that count for tiers, by member."""
    lead = [ADJUSTMENTS.c.program_id, ADJUSTMENTS.c.tier_member_id]
    return (
        sa.select(*lead, ADJUSTMENTS.c.points, ADJUSTMENTS.c.effective_at)
        .where(ADJUSTMENTS.c.tier_member_id.is_not(None))
        .order_by(*lead, ADJUSTMENTS.c.effective_at, ADJUSTMENTS.c.id)
    )


def _check_level(
    report: Report,
    history: _History,
    member_id: bytes,
    *,
    rows: Sequence[Any],
    by_hand: Sequence[Contribution],
    kept: Any,
) -> None:
    place = ("mem", member_id, "")
    stored = (kept.level_key, kept.since) if kept is not None else (None, 0)
    is_older = any(row.created_at <= history.since for row in rows)
    if is_older or any(one.at <= history.since for one in by_hand):
        if stored[0] is not None and stored[0] not in history.keys:
            report.note("member_tiers", place, "level_key", stored[0], "a level of the program")
        return
    program = history.program
    level, since = None, 0
    if (rows or by_hand) and program.ladder.levels:
        contributions = [
            Contribution(row.placed_at, row.spend_minor, row.qualifying_points) for row in rows
        ]
        contributions = sorted([*contributions, *by_hand], key=lambda one: one.at)
        standing = tiers.replay(
            program.ladder, contributions, program.zone, at=contributions[-1].at
        )
        level, since = (standing.level.key if standing.level else None), standing.since
    report.compare("member_tiers", place, "level_key", stored[0], level)
    report.compare("member_tiers", place, "since", stored[1], since)

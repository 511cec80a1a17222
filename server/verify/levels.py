"""Proof of where members stand: levels against a replay of what stands.

Without terms a level follows from the orders, so it must equal their replay. With terms it is a
promise: what is stored may be better than the replay, never worse, and its dates must be such as
the ladder gives. What was decided under another ladder is not guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock
from loyalty.tiers import moving
from loyalty.tiers.contributions import Contribution, History
from loyalty.tiers.standing import Place, Standing, place_of
from programs import versions
from programs.compiled import Compiled
from programs.ladder import Ladder
from programs.models import ProgramVersion
from programs.switches import in_force
from server.verify.rows import Place as Row
from server.verify.rows import Report

#: No member's history is older.
_EVER = -(2**62)
#: How long after it was published a version may not have reached every process.
_PUBLISHING = 60 * clock.SECOND


@dataclass(frozen=True, slots=True)
class Ladders:
    """The live ladder, since when it is in force unchanged, every key there ever was, and the
    program's clock."""

    program: Compiled
    since: int
    keys: frozenset[str]
    now: int


def read(connection: sa.Connection, program_id: bytes) -> Ladders:
    """The ladders of a program."""
    live, now = versions.get_live(connection, program_id)
    numbers = connection.execute(
        sa.select(ProgramVersion.version, ProgramVersion.published_at)
        .where(ProgramVersion.program_id == program_id, ProgramVersion.version <= live.version)
        .order_by(ProgramVersion.version.desc())
    ).all()
    since, is_unchanged = 0, True
    keys: set[str] = set()
    for number, published_at in numbers:
        # By the switches of now: what changed with a switch is told by its own instant below.
        compiled = versions.get_compiled(connection, program_id, number, live.switches)
        keys.update(level.key for level in compiled.ladder.levels)
        is_unchanged = is_unchanged and _is_same(compiled, live)
        if is_unchanged:
            since = published_at + _PUBLISHING
    since = _EVER if is_unchanged else since
    for switch in in_force(connection, program_id, upto=live.switches).values():
        if switch.section == "levels":
            since = max(since, switch.switched_at + _PUBLISHING)
    return Ladders(live, since, frozenset(keys), now)


def _is_same(one: Compiled, other: Compiled) -> bool:
    return _deciding(one.ladder) == _deciding(other.ladder) and one.zone == other.zone


def _deciding(ladder: Ladder) -> tuple[Any, ...]:
    """What of a ladder decides on levels."""
    levels = [(one.key, one.enter_at, one.retain_at, one.is_live) for one in ladder.levels]
    return (
        ladder.metrics,
        ladder.require,
        (ladder.window, ladder.duration),
        (ladder.term, ladder.term_duration, ladder.grace),
        (ladder.downgrade, ladder.on_refund),
        levels,
    )


def check(
    report: Report,
    ladders: Ladders,
    row: Row,
    *,
    orders: Sequence[Contribution],
    others: Sequence[Contribution],
    is_older: bool,
    kept: Any,
) -> None:
    """One member's row of tiers; `is_older` when something was recorded under another ladder."""
    if kept is not None and kept.level_key not in {None, *ladders.keys}:
        report.note("member_tiers", row, "level_key", kept.level_key, "a level of the program")
        return
    _check_dates(report, row, kept)
    if is_older:
        return
    program = ladders.program
    spot = place_of(program.ladder, kept)
    contributions = sorted([*orders, *others], key=lambda one: one.at)
    history = History(program.ladder, contributions, program.zone)
    after = moving.replayed(history, at=ladders.now)
    stands = moving.passed(program.ladder, spot.derived, history, to=ladders.now)
    if program.ladder.has_term:
        if stands.rank < after.rank:
            report.note("member_tiers", row, "level_key", stands.key, after.key)
    elif not _is_joined(program.ladder, stands, after):
        report.compare("member_tiers", row, "level_key", stands.key, after.key)
        report.compare("member_tiers", row, "since", stands.since, after.since)
    _check_due(report, row, spot, stands, history, now=ladders.now)


def _is_joined(ladder: Ladder, stands: Standing, after: Standing) -> bool:
    """Whether a member stands where everybody does from the start, and orders lead no higher:
    since when is for their joining to say."""
    base = moving.base(ladder)
    return base is not None and stands.level == base and after.rank <= base.rank


def _check_dates(report: Report, row: Row, kept: Any) -> None:
    """A term needs a level, grace needs a term and outlasts it, and what ends is looked at."""
    if kept is None:
        return
    if kept.level_key is None and kept.until is not None:
        report.note("member_tiers", row, "until", kept.until, None)
    if kept.grace_until is not None and kept.grace_until <= (kept.until or kept.grace_until):
        report.note("member_tiers", row, "grace_until", kept.grace_until, "after the term")
    if kept.level_key is None and kept.is_at_risk:
        report.note("member_tiers", row, "is_at_risk", True, False)


def _check_due(
    report: Report, row: Row, spot: Place, stands: Standing, history: History, *, now: int
) -> None:
    """What time changes next is looked at by then; what it has changed already is due."""
    ladder = history.ladder
    if stands != spot.derived:
        if spot.due_at is None or spot.due_at > now:
            report.note("member_tiers", row, "due_at", spot.due_at, "past: time has changed it")
        return
    change = moving.next_change(ladder, stands, history, now=now)
    dates = [at for at in (change, *spot.ends) if at is not None and at > now]
    if dates and (spot.due_at is None or spot.due_at > min(dates)):
        report.note("member_tiers", row, "due_at", spot.due_at, min(dates))
    values = history.values(now)
    seen = moving.seen(ladder, stands, values, at=now, zone=history.zone)
    # The other way it may be: looked back on from the 29th, February's end counts once more.
    if seen.is_at_risk and not stands.is_at_risk:
        report.note("member_tiers", row, "is_at_risk", False, True)

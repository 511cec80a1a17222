"""Proof of stamp cards: what completions stand on is there, and numbered without gaps.

The points of a completion are proved with those of other claims (`verify_fired`), the stamps of an
order with the order. An erased member has no stamps left to prove by.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import ids
from loyalty.cards import folding
from members.members import MEMBERS
from server.verify.programs import Programs
from server.verify.rows import Groups, Report, side_by_side, stream
from storefront.cards import COMPLETIONS, STAMPS
from storefront.decide import Decided
from storefront.decisions import DECISIONS

_GIVEN = ("member_id", "card_key", "stamps", "source_type", "source_ref", "at")


def by_source(connection: sa.Connection, program_id: bytes | None) -> Groups:
    """Every row of stamps, in the order of what gave them."""
    lead = [STAMPS.c.program_id, STAMPS.c.source_id]
    columns = (STAMPS.c[name] for name in _GIVEN)
    statement = sa.select(*lead, *columns).order_by(*lead)
    return Groups(stream(connection, statement, STAMPS, program_id))


def check_order(
    report: Report, programs: Programs, row: Any, rows: Sequence[Any], decided: Decided | None
) -> None:
    """What an order stamped is what it deserves, for its member alone."""
    if decided is None and row.member_id is not None:
        # Its decision is not there; that is told already.
        return
    deserved: Mapping[str, int] = {}
    if decided is not None and not row.is_history:
        live = {card.key for card in decided.pinned.program.cards if card.is_live}
        stamps = decided.earning.stamps
        deserved = {key: count for key, count in stamps.items() if key in live}
    place = ("ord", row.id, "")
    for one in rows:
        report.compare("stamps", place, "source_type", one.source_type, "order")
        report.compare("stamps", place, "source_ref", one.source_ref, row.order_ref)
        if one.stamps:
            report.compare("stamps", place, "at", one.at, row.placed_at)
    wanted = {(row.member_id, key): stamps for key, stamps in deserved.items() if stamps}
    found = {(one.member_id, one.card_key): one.stamps for one in rows if one.stamps}
    if found == wanted:
        return
    if row.member_id is not None and _is_erased(programs.connection, row):
        return
    for member_id, key in sorted({*found, *wanted}):
        if found.get((member_id, key), 0) != wanted.get((member_id, key), 0):
            place = ("ord", row.id, f" of {ids.show_id('mem', member_id)} {key}")
            stored = found.get((member_id, key), 0)
            report.note("stamps", place, "stamps", stored, wanted.get((member_id, key), 0))


def _is_erased(connection: sa.Connection, row: Any) -> bool:
    statement = sa.select(MEMBERS.c.erased_at).where(
        MEMBERS.c.program_id == row.program_id, MEMBERS.c.id == row.member_id
    )
    return connection.execute(statement).scalar() is not None


def check_members(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """The completions of each member and card: the first ones stand, and on enough stamps."""
    lead = [STAMPS.c.program_id, STAMPS.c.member_id]
    summed = (
        sa.select(*lead, STAMPS.c.card_key, sa.func.sum(STAMPS.c.stamps).label("stamps"))
        .group_by(*lead, STAMPS.c.card_key)
        .order_by(*lead, STAMPS.c.card_key)
    )
    owner = sa.and_(
        MEMBERS.c.program_id == COMPLETIONS.c.program_id, MEMBERS.c.id == COMPLETIONS.c.member_id
    )
    order = [COMPLETIONS.c[name] for name in ("program_id", "member_id", "card_key", "number")]
    rest = (COMPLETIONS.c[name] for name in ("id", "terms", "stands", "completed_at"))
    decided = sa.and_(
        DECISIONS.c.program_id == COMPLETIONS.c.program_id,
        DECISIONS.c.id == COMPLETIONS.c.decision_id,
    )
    claims = (
        sa.select(
            *order,
            *rest,
            COMPLETIONS.c.recorded_at,
            DECISIONS.c.effective_at,
            DECISIONS.c.version,
            DECISIONS.c.switches,
            MEMBERS.c.erased_at,
        )
        .select_from(COMPLETIONS.outerjoin(MEMBERS, owner).outerjoin(DECISIONS, decided))
        .order_by(*order)
    )
    given = Groups(stream(connection, summed, STAMPS, program_id))
    claimed = Groups(stream(connection, claims, COMPLETIONS, program_id))
    for key in side_by_side(given, claimed):
        sums = {row.card_key: int(row.stamps) for row in given.take(key)}
        for card_key, rows in itertools.groupby(claimed.take(key), lambda row: row.card_key):
            _check_card(report, programs, list(rows), stamps=sums.get(card_key, 0))


def _check_card(report: Report, programs: Programs, rows: Sequence[Any], *, stamps: int) -> None:
    left, was_standing = stamps, True
    for number, row in enumerate(rows, start=1):
        place = ("crd", row.id, f" {row.card_key}")
        report.compare("card_completions", place, "number", row.number, number)
        _check_terms(report, programs, row)
        at = row.completed_at
        if row.effective_at is not None:
            report.compare("card_completions", place, "completed_at", at, row.effective_at)
        if row.recorded_at < at:
            at_least = f"at least {at}"
            report.note("card_completions", place, "recorded_at", row.recorded_at, at_least)
        if not row.stands:
            was_standing = False
            continue
        if not was_standing:
            report.note("card_completions", place, "stands", True, False)
        left -= int(row.terms.partition("|")[0])
        if left < 0 and row.erased_at is None:
            report.note("card_completions", place, "stamps", stamps, f"{-left} more")


def _check_terms(report: Report, programs: Programs, row: Any) -> None:
    """They are those of the card in the version that first paid the completion."""
    if row.version is None:
        return
    program = programs.version(row.program_id, row.version, row.switches)
    card = None if program is None else program.card(row.card_key)
    terms = "of a card of its version" if card is None else folding.of_card(card).text
    place = ("crd", row.id, f" {row.card_key}")
    report.compare("card_completions", place, "terms", row.terms, terms)

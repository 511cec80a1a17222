"""Proof of fulfilments: each is what its log says last, for a redemption that stands."""

import itertools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import ids
from rewards.carried import FULFILMENTS, REDEMPTIONS
from rewards.fulfilments import CHANGES, STATES
from server.verify.rows import Place, Report, stream

_NEXT = {
    None: ("requested",),
    "requested": ("requested", "shipped", "cancelled"),
    "shipped": ("shipped", "delivered", "cancelled"),
    "delivered": ("delivered", "cancelled"),
    "cancelled": ("cancelled", "requested"),
}


def check(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """Every fulfilment with its log."""
    columns, lead = FULFILMENTS.c, [FULFILMENTS.c.program_id, FULFILMENTS.c.id]
    joined = FULFILMENTS.outerjoin(
        CHANGES,
        sa.and_(CHANGES.c.program_id == columns.program_id, CHANGES.c.fulfilment_id == columns.id),
    ).outerjoin(
        REDEMPTIONS,
        sa.and_(
            REDEMPTIONS.c.program_id == columns.program_id,
            REDEMPTIONS.c.id == columns.redemption_id,
        ),
    )
    statement = (
        sa.select(
            *columns,
            CHANGES.c.id.label("change_id"),
            CHANGES.c.state.label("change_state"),
            CHANGES.c.recorded_at,
            REDEMPTIONS.c.state.label("redeemed_state"),
            REDEMPTIONS.c.kept_by.label("redeemed_by"),
            REDEMPTIONS.c.member_id.label("redeemed_member_id"),
            REDEMPTIONS.c.reward_key.label("redeemed_key"),
            REDEMPTIONS.c.captured_at,
        )
        .select_from(joined)
        .order_by(*lead, CHANGES.c.id)
    )
    rows = stream(connection, statement, FULFILMENTS, program_id)
    for _, log in itertools.groupby(rows, lambda row: (row[0], row[1])):
        _check(report, list(log))
    _check_orphans(connection, program_id, report)


def _check(report: Report, log: Sequence[Any]) -> None:
    row = log[0]
    place = ("ful", row.id, "")
    if row.redeemed_state is None:
        shown = ids.show_id("rdm", row.redemption_id)
        report.note("fulfilments", place, "redemption_id", shown, "a redemption that exists")
        return
    report.compare("fulfilments", place, "member_id", row.member_id, row.redeemed_member_id)
    report.compare("fulfilments", place, "reward_key", row.reward_key, row.redeemed_key)
    _check_log(report, place, log)
    allowed: tuple[str, ...] = ("cancelled",)
    if row.redeemed_state == "captured":
        allowed = ("requested", "shipped", "delivered")
        if row.redeemed_by is not None:
            # An order that came back with the goods among its lines has it sent no more.
            allowed += ("cancelled",)
    if row.state not in allowed:
        computed = f"that of a redemption {row.redeemed_state}"
        report.note("fulfilments", place, "state", row.state, computed)


def _check_log(report: Report, place: Place, log: Sequence[Any]) -> None:
    """The states follow on each other, and each instant is that of its change."""
    row, before = log[0], None
    at: dict[str, int | None] = dict.fromkeys(STATES)
    last = None
    for change in log:
        if change.change_id is None:
            report.note("fulfilments", place, "row", row.state, "no change that set it")
            return
        if change.change_state not in _NEXT.get(before, ()):
            there: Place = ("fch", change.change_id, f" of {ids.show_id('ful', row.id)}")
            computed = f"what follows on {before}"
            report.note("fulfilment_changes", there, "state", change.change_state, computed)
        if change.change_state != before:
            if change.change_state == "requested":
                at = dict.fromkeys(STATES)
            at[change.change_state] = change.recorded_at
        before, last = change.change_state, change.recorded_at
    report.compare("fulfilments", place, "state", row.state, before)
    report.compare("fulfilments", place, "updated_at", row.updated_at, last)
    for state in STATES:
        report.compare("fulfilments", place, f"{state}_at", getattr(row, f"{state}_at"), at[state])


def _check_orphans(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """Changes of no fulfilment."""
    joined = CHANGES.outerjoin(
        FULFILMENTS,
        sa.and_(
            FULFILMENTS.c.program_id == CHANGES.c.program_id,
            FULFILMENTS.c.id == CHANGES.c.fulfilment_id,
        ),
    )
    statement = (
        sa.select(CHANGES.c.id, CHANGES.c.fulfilment_id)
        .select_from(joined)
        .where(FULFILMENTS.c.id.is_(None))
    )
    for change_id, fulfilment_id in stream(connection, statement, CHANGES, program_id):
        shown = ids.show_id("ful", fulfilment_id)
        place = ("fch", change_id, "")
        report.note("fulfilment_changes", place, "fulfilment_id", shown, "one that exists")

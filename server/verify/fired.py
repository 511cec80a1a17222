"""Proof of what claims paid that are no orders: what stands of their lots is what their decision
came to, and nothing when the claim does not stand.

Serves every table of such claims: rows with `id`, `member_id`, `stands` and `decision_id`.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from loyalty.deserved import by_terms
from loyalty.exact import Earned, Share
from loyalty.tiers.models import ENTRIES
from members.activities import ACTIVITIES, DONE
from members.occasions import PAYMENTS
from programs.compiled import Compiled
from referrals.carried import MILESTONES, REFERRALS, SIDES
from rewards.surprises.carried import DRAWS
from server.verify import draws, limits, sides, sources
from server.verify.programs import Programs
from server.verify.rows import Groups, Report, stream
from storefront.cards import COMPLETIONS
from storefront.decisions import DECISIONS

#: Tables of claims: by which column decisions refer to them, how ids are shown, the source's type.
CLAIMED = (
    (ENTRIES, "level_key", "ten", sa.literal("tier")),
    (COMPLETIONS, "card_key", "crd", sa.literal("card")),
    (ACTIVITIES, "activity_ref", "act", sa.literal("activity")),
    (PAYMENTS, "paid_on", "occ", PAYMENTS.c.kind),
    (SIDES, "referral_id", "rsd", sa.literal("referral")),
    (MILESTONES, "id", "rms", sa.literal("referral_milestone")),
    (DRAWS, "id", "drw", sa.literal("surprise")),
)
#: Sources that decisions refer to by our own ids, as they are shown.
_SHOWN = {"referral": "ref", "referral_milestone": "rms", "surprise": "drw"}


def _stands(table: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a claim stands; what a birthday brought is never undone."""
    if table is ACTIVITIES:
        return ACTIVITIES.c.status == DONE
    if table is SIDES:
        return SIDES.c.state == "rewarded"
    return sa.true() if table is PAYMENTS else table.c.stands


def _groups(
    connection: sa.Connection,
    table: sa.Table,
    name: str,
    source_type: sa.ColumnElement[str],
    program_id: bytes | None,
) -> Groups:
    """The claims of a table with their decisions, in the order of ids; `name` is of the column
    that decisions refer to them by."""
    joined = sa.and_(
        DECISIONS.c.program_id == table.c.program_id, DECISIONS.c.id == table.c.decision_id
    )
    statement = (
        sa.select(
            table.c.program_id,
            table.c.id,
            table.c.member_id,
            _stands(table).label("stands"),
            source_type.label("source_type"),
            table.c.decision_id,
            table.c[name].label("ref"),
            DECISIONS.c.source_type.label("decided_type"),
            DECISIONS.c.source_ref.label("decided_ref"),
            DECISIONS.c.member_id.label("decided_member_id"),
            DECISIONS.c.version,
            DECISIONS.c.switches,
            DECISIONS.c.effective_at,
            DECISIONS.c.facts,
            DECISIONS.c.outcomes,
            *_own(table),
        )
        .select_from(_with_referral(table.outerjoin(DECISIONS, joined), table))
        .order_by(table.c.program_id, table.c.id)
    )
    return Groups(stream(connection, statement, table, program_id))


def _own(table: sa.Table) -> tuple[sa.ColumnElement[Any], ...]:
    """What a side takes of its offer's cap and budget by, and a prize of its surprise's."""
    if table is DRAWS:
        names = ("surprise_key", "prize", "cost", "drawn_at")
        return (*(DRAWS.c[name] for name in names), draws.gave_for_good())
    if table is not SIDES:
        return ()
    columns = REFERRALS.c
    return (SIDES.c.side, SIDES.c.cost_minor, columns.offer_key, columns.qualified_at)


def _with_referral(source: sa.Join, table: sa.Table) -> sa.Join:
    if table is not SIDES:
        return source
    return source.outerjoin(
        REFERRALS,
        sa.and_(
            REFERRALS.c.program_id == SIDES.c.program_id, REFERRALS.c.id == SIDES.c.referral_id
        ),
    )


def _ref(row: Any) -> str:
    """How decisions name a source."""
    prefix = _SHOWN.get(row.source_type)
    ref: str = row.ref if prefix is None else ids.show_id(prefix, bytes(row.ref))
    return ref


class Fired:
    """Every table of claims, side by side in the order of ids."""

    def __init__(
        self, connection: sa.Connection, program_id: bytes | None, programs: Programs
    ) -> None:
        self._programs = programs
        self._groups = [
            (table, prefix, _groups(connection, table, name, source_type, program_id))
            for table, name, prefix, source_type in CLAIMED
        ]

    @property
    def streams(self) -> tuple[Groups, ...]:
        """The claims of every table."""
        return tuple(groups for *_, groups in self._groups)

    def check(
        self,
        report: Report,
        key: tuple[bytes, bytes],
        lots: Sequence[Any],
        claims: Sequence[Any] = (),
    ) -> bool:
        """The claim with this id, the lots that it made and what it takes of limits; False when
        there is none."""
        is_found = False
        for table, prefix, groups in self._groups:
            for row in groups.take(key):
                is_found = True
                deserved = self._deserved(report, row, (table.name, prefix))
                sources.check_award(report, lots, deserved, row.id, prefix=prefix)
                self._check_limits(report, row, claims, prefix=prefix)
        return is_found

    def _check_limits(
        self, report: Report, row: Any, claims: Sequence[Any], *, prefix: str
    ) -> None:
        """What a claim takes of limits; where its decision is not its own, that is told."""
        program = None
        if prefix == "drw" and row.decision_id is None:
            limits.check_none(report, row, claims, prefix=prefix)
        if row.decision_id is not None and row.outcomes is not None:
            program = self._programs.version(row.program_id, row.version, row.switches)
        if program is not None:
            besides = {}
            if prefix == "rsd":
                besides = sides.claims(program, row, claims)
                sides.check_cost(report, program, row)
            if prefix == "drw":
                besides = draws.claims(program, row, claims)
                draws.check_cost(report, program, row, claims)
            limits.check_decided(report, program, row, claims, prefix=prefix, besides=besides)

    def _deserved(
        self, report: Report, row: Any, named: tuple[str, str]
    ) -> dict[tuple[bytes, str, str], int]:
        """What a claim's decision came to, by member, kind of points and terms."""
        table, place = named[0], (named[1], row.id, "")
        if row.decision_id is None:
            return {}
        told = (row.decided_type, row.decided_ref, row.decided_member_id)
        ref = _ref(row)
        if told != (row.source_type, ref, row.member_id):
            stored = ids.show_id("dec", row.decision_id)
            report.note(table, place, "decision_id", stored, f"one of {row.source_type} {ref}")
            return {}
        program = self._programs.version(row.program_id, row.version, row.switches)
        if program is None:
            decision = ("dec", row.decision_id, "")
            report.note("decisions", decision, "version", row.version, "a published version")
            return {}
        deserved = {
            (row.member_id, points_key, terms): points
            for points_key, terms, points in _decided(program, row)
        }
        if deserved and not row.stands:
            report.note(table, place, "stands", False, True)
        return deserved


def _decided(program: Compiled, row: Any) -> list[tuple[str, str, int]]:
    """Kinds of points, terms and points of a decision as it stands."""
    earned = [
        Earned(
            one["points_key"],
            one["points"],
            tuple(Share(*share) for share in one["breakdown"]),
            (),
            one["exact"],
        )
        for one in jsontext.parse(row.outcomes)["arithmetic"]
    ]
    rules = program.rules_of(jsontext.parse(row.facts)["trigger"])
    found = by_terms(program, rules, earned)
    return [(one.points_key, one.terms.text, one.points) for one in found]

"""Payables: cash that rules came to owe members. Exported to be paid elsewhere, never paid here.

Owns the rows: signed and only added, so that what stands of a source, a rule and a member is their
sum, whatever was exported of it. Refuses to decide what is owed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from core import db, ids
from rewards.desk import Desk, connection_of
from rewards.models import Payable, PayableExport

PREFIX = "pay"
EXPORT_PREFIX = "pex"
PAYABLES: sa.Table = Payable.__table__  # type: ignore[assignment]
EXPORTS: sa.Table = PayableExport.__table__  # type: ignore[assignment]

_C = PAYABLES.c
_of_source = db.Statement(
    sa.select(_C.member_id, _C.rule, sa.cast(sa.func.sum(_C.minor), sa.BigInteger))
    .where(_C.program_id == sa.bindparam("program_id"), _C.source_id == sa.bindparam("source_id"))
    .group_by(_C.member_id, _C.rule)
)


@dataclass(frozen=True, slots=True)
class _Withdrawn:
    """A source of which what was owed is withdrawn, without a decision."""

    type: str
    ref: str
    id: bytes
    at: int
    decision_id: bytes | None = None


class Origin(Protocol):
    """What owes: what happened, when, and what decided it."""

    @property
    def type(self) -> str:
        """What kind of source it is."""

    @property
    def ref(self) -> str:
        """Its reference."""

    @property
    def id(self) -> bytes:
        """Its id."""

    @property
    def at(self) -> int:
        """Since when what it first brings is owed."""

    @property
    def decision_id(self) -> bytes | None:
        """What decided it."""


def standing_of(desk: Desk, source_id: bytes, *, is_new: bool = False) -> dict[Any, int]:
    """What stands of a source by member and rule, as this unit leaves it; one that is new has
    nothing to be read."""
    known = desk.rewards.payables
    if source_id not in known:
        known[source_id] = {}
        if not is_new:
            values = {"program_id": desk.program_id, "source_id": source_id}
            known[source_id] = {
                (bytes(member_id), rule): minor
                for member_id, rule, minor in _of_source.rows(connection_of(desk), values)
            }
    return known[source_id]


def owed_of(desk: Desk, source_id: bytes, member_id: bytes) -> list[dict[str, Any]]:
    """What a source owes a member by rule, as the contract shows it; what this unit knows of."""
    found = desk.rewards.payables.get(source_id, {})
    return shown({rule: minor for (whose, rule), minor in found.items() if whose == member_id})


def shown(owed: Mapping[str, int]) -> list[dict[str, Any]]:
    """Cash by rule, as the contract shows it."""
    return [{"rule": rule, "minor": owed[rule]} for rule in sorted(owed) if owed[rule]]


def reversed_of(desk: Desk, source_id: bytes, member_id: bytes) -> list[dict[str, Any]]:
    """What this unit took back of what a source owed a member, by rule."""
    found = desk.rewards.owed.get(source_id, {})
    return shown(
        {rule: -minor for (whose, rule), minor in found.items() if whose == member_id and minor < 0}
    )


def bring(
    desk: Desk,
    member_id: bytes,
    origin: Origin,
    *,
    wanted: Mapping[str, int],
    is_new: bool,
    taken_at: int,
) -> bool:
    """Bring what stands of a source for a member to what each rule owes now, by a row for each
    difference; whether there was any. What is taken is gone since `taken_at`."""
    standing = standing_of(desk, origin.id, is_new=is_new)
    rules = {rule for whose, rule in standing if whose == member_id}
    is_changed = False
    for rule in sorted(rules | wanted.keys()):
        change = wanted.get(rule, 0) - standing.get((member_id, rule), 0)
        if not change:
            continue
        is_first = (member_id, rule) not in standing
        at = origin.at if is_first else taken_at if change < 0 else desk.now
        add(desk, member_id, origin, rule=rule, minor=change, at=min(at, desk.now))
        is_changed = True
    return is_changed


def add(desk: Desk, member_id: bytes, origin: Origin, *, rule: str, minor: int, at: int) -> None:
    """A row: so much is owed more, or less."""
    standing = desk.rewards.payables.get(origin.id)
    if standing is not None:
        standing[member_id, rule] = standing.get((member_id, rule), 0) + minor
    changed = desk.rewards.owed.setdefault(origin.id, {})
    changed[member_id, rule] = changed.get((member_id, rule), 0) + minor
    desk.writes.insert(
        PAYABLES,
        {
            "program_id": desk.program_id,
            "id": ids.new_id(),
            "member_id": member_id,
            "source_type": origin.type,
            "source_ref": origin.ref,
            "source_id": origin.id,
            "rule": rule,
            "minor": minor,
            "currency": desk.live.currency,
            "decision_id": origin.decision_id,
            "exported_by": None,
            "payee_id": None,
            "effective_at": at,
            "recorded_at": desk.now,
        },
    )


def withdraw(desk: Desk, member_id: bytes) -> None:
    """Nothing is owed any more to a member who is erased: what was not exported goes, source by
    source. What they owe back stays as it is."""
    rows = connection_of(desk).execute(
        sa.select(
            _C.source_type,
            _C.source_ref,
            _C.source_id,
            _C.rule,
            sa.cast(sa.func.sum(_C.minor), sa.BigInteger),
        )
        .where(
            _C.program_id == desk.program_id, _C.member_id == member_id, _C.exported_by.is_(None)
        )
        .group_by(_C.source_type, _C.source_ref, _C.source_id, _C.rule)
        .order_by(_C.source_id, _C.rule)
    )
    found = [row for row in rows if row[-1]]
    if sum(minor for *_, minor in found) <= 0:
        return
    for source_type, source_ref, source_id, rule, minor in found:
        origin = _Withdrawn(source_type, source_ref, bytes(source_id), desk.now)
        add(desk, member_id, origin, rule=rule, minor=-minor, at=desk.now)

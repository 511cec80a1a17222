"""Switches: items of the document paused or set live at once, without a new version.

Owns the log of switches and what it makes of a document. Of each item the last line of the log is
in force, over the document's own state and over later publications. What is in force up to a
number never changes, so decisions pin that number and are decided alike when they are looked at
again. It refuses to say whether a document so switched may be decided by: that is the check's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock
from core.errors import Problem, invalid_at, not_found
from programs.models import ProgramSwitch

#: Where the keyed items of each section live in the document.
SECTIONS: dict[str, tuple[str, ...]] = {
    "points": ("points",),
    "rules": ("earning", "rules"),
    "levels": ("tiers", "levels"),
    "cards": ("cards",),
    "activities": ("activities",),
    "rewards": ("rewards",),
    "referral_offers": ("referral_offers",),
    "segments": ("segments",),
    "surprises": ("surprises",),
}
#: Those that can have items in this version.
OFFERED = (
    "points",
    "rules",
    "levels",
    "cards",
    "activities",
    "rewards",
    "referral_offers",
    "segments",
    "surprises",
)
#: Those whose items can be paused.
SWITCHED = ("rules", "levels", "cards", "rewards", "referral_offers", "segments", "surprises")

Item = tuple[str, str]


def path_of(section: str) -> tuple[str, ...]:
    """Where a section lives in the document; 404 when there is no such section."""
    path = SECTIONS.get(section)
    if path is None:
        raise Problem(
            404, "not_found", f"There is no such section; there are: {', '.join(OFFERED)}."
        )
    return path


def check_section(section: str) -> None:
    """422 for a section whose items cannot be switched."""
    offered = ", ".join(SWITCHED)
    if section in SWITCHED:
        return
    if section in OFFERED:
        raise invalid_at("/section", f"{section} cannot be paused; these can: {offered}")
    raise invalid_at("/section", f"must be one of: {offered}")


def items_of(document: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    """The keyed items of a section, in the document's order."""
    place: Any = document
    for name in path_of(section):
        place = (place or {}).get(name)
    return place or []


def in_force(connection: sa.Connection, program_id: bytes, *, upto: int) -> dict[Item, Any]:
    """The last switch of each item among the first `upto`, the oldest first."""
    rows = connection.execute(
        sa.select(ProgramSwitch)
        .where(ProgramSwitch.program_id == program_id, ProgramSwitch.number <= upto)
        .order_by(ProgramSwitch.number)
    ).all()
    if len(rows) < upto:
        raise not_found("switch")
    found: dict[Item, Any] = {}
    for row in rows:
        found.pop((row.section, row.key), None)
        found[row.section, row.key] = row
    return found


def switched(document: dict[str, Any], switches: Mapping[Item, Any]) -> dict[str, Any]:
    """The document with the items' states as switches have them; those of items that it does not
    have wait until it does."""
    result = document
    for section in {section for section, _ in switches}:
        path = path_of(section)
        items = [
            item
            if (switch := switches.get((section, item["key"]))) is None
            else item | {"state": switch.state}
            for item in items_of(document, section)
        ]
        result = _replaced(result, path, items)
    return result


def _replaced(document: dict[str, Any], path: Sequence[str], items: list[Any]) -> dict[str, Any]:
    """The document with a list put in its place, without touching the one given."""
    name, *rest = path
    if not items:
        return document
    return document | {name: _replaced(document[name], rest, items) if rest else items}


def list_log(
    connection: sa.Connection, program_id: bytes, *, before: int | None, limit: int
) -> list[Any]:
    """Switches, newest first, one more than `limit`."""
    statement = (
        sa.select(ProgramSwitch)
        .where(ProgramSwitch.program_id == program_id)
        .order_by(ProgramSwitch.number.desc())
        .limit(limit + 1)
    )
    if before is not None:
        statement = statement.where(ProgramSwitch.number < before)
    return list(connection.execute(statement))


def show(row: Any) -> dict[str, Any]:
    """A switch as the contract shows it."""
    return {
        "number": row.number,
        "section": row.section,
        "key": row.key,
        "state": row.state,
        "reason": row.reason,
        "actor": row.actor,
        "switched_at": clock.format_instant(row.switched_at),
    }

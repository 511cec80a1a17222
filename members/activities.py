"""Activities: what a member did, as the storefront tells it, and the facts that it says of it.

Owns the bodies, the types of declared facts and the stored rows. Refuses to know what an activity
brings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from core.errors import FieldError
from core.fields import Attributes, Instant, Reference, Schema, Text, described
from members.models import Activity
from rules import facts as types
from rules.facts import Catalogue, Fact, FactType, Words

ACTIVITIES: sa.Table = Activity.__table__  # type: ignore[assignment]
PREFIX = "act"
KIND = "[a-z_]{1,40}"
DONE, WITHDRAWN = "done", "withdrawn"
_FACTS = "activity.facts."
_TOLD = "the activity as the storefront told it"

ACTIVITY = Catalogue(
    [
        Fact(
            "activity.kind",
            "text",
            "What was done",
            _TOLD,
            words=Words("kind of activity", "kinds of activity", "활동 종류"),
        )
    ]
)
#: Facts of a kind that the program does not declare.
UNDECLARED = Catalogue(
    [Fact(f"{_FACTS}*", "attribute", "What the storefront says of the activity", _TOLD)]
)


class ActivitySchema(Schema):
    """What a member did."""

    member_ref = described(Reference, "Who did it.", required=True)
    kind = described(Text, "What was done: visit, review, …", required=True, most=40, pattern=KIND)
    occurred_at = described(Instant, "When.", required=True)
    facts = described(
        Attributes, "What there is to say of it; typed if the program declares the kind."
    )
    status = described(
        Text, "done (default), or withdrawn: then it brings nothing.", one_of=(DONE, WITHDRAWN)
    )


@dataclass(frozen=True, slots=True)
class StoredActivity:
    """An activity as it is stored."""

    id: bytes
    activity_ref: str
    member_id: bytes
    kind: str
    said_at: int
    occurred_at: int
    facts: str
    status: str
    qualifying_points: int
    decision_id: bytes
    created_at: int
    updated_at: int

    @property
    def is_done(self) -> bool:
        """Whether it stands."""
        return self.status == DONE


_NAMES = tuple(column.name for column in ACTIVITIES.columns if column.name != "program_id")


def find(connection: sa.Connection, program_id: bytes, activity_ref: str) -> StoredActivity | None:
    """An activity by the storefront's reference."""
    row = connection.execute(
        sa.select(*(ACTIVITIES.c[name] for name in _NAMES)).where(
            ACTIVITIES.c.program_id == program_id, ACTIVITIES.c.activity_ref == activity_ref
        )
    ).first()
    if row is None:
        return None
    values = dict(zip(_NAMES, row, strict=True))
    for name in ("id", "member_id", "decision_id"):
        values[name] = bytes(values[name])
    return StoredActivity(**values)


def list_done(
    connection: sa.Connection, program_id: bytes, member_id: bytes
) -> list[tuple[bytes, str, int]]:
    """Id, kind and instant of a member's activities that stand."""
    rows = connection.execute(
        sa.select(ACTIVITIES.c.id, ACTIVITIES.c.kind, ACTIVITIES.c.occurred_at).where(
            ACTIVITIES.c.program_id == program_id,
            ACTIVITIES.c.member_id == member_id,
            ACTIVITIES.c.status == DONE,
        )
    )
    return [(bytes(row.id), row.kind, row.occurred_at) for row in rows]


def find_ref(connection: sa.Connection, program_id: bytes, activity_id: bytes) -> str | None:
    """The storefront's reference behind our own id."""
    return connection.execute(
        sa.select(ACTIVITIES.c.activity_ref).where(
            ACTIVITIES.c.program_id == program_id, ACTIVITIES.c.id == activity_id
        )
    ).scalar()


def facts_text(body: Mapping[str, Any]) -> str:
    """The facts of a body as they are stored: the same facts are the same text."""
    given = body.get("facts") or {}
    return jsontext.sorted_text({name: one for name, one in given.items() if one is not None})


def told_text(stored: StoredActivity) -> str:
    """What a storefront told of an activity as it is stored; whose it is under our own id."""
    return jsontext.sorted_text(
        {
            "member_ref": ids.show_id("mem", stored.member_id),
            "kind": stored.kind,
            "occurred_at": stored.said_at,
            "facts": jsontext.parse(stored.facts),
            "status": stored.status,
        }
    )


def faults(facts: Mapping[str, Any], declared: Mapping[str, FactType] | None) -> list[FieldError]:
    """What of the facts is not as the program declares this kind."""
    found = []
    for name, value in facts.items():
        if value is None or declared is None:
            continue
        type_ = declared.get(name)
        if type_ is None:
            known = ", ".join(declared) or "none"
            found.append(
                FieldError(
                    f"/facts/{name}", "unknown_field", f"is no fact of this kind; known: {known}"
                )
            )
        elif not _is_of(value, type_):
            found.append(FieldError(f"/facts/{name}", "invalid", f"must be {_WORDS[type_]}"))
    return found


_WORDS: dict[FactType, str] = {
    "integer": "an integer",
    "text": "a text",
    "boolean": "true or false",
    "date": "a date, such as 2027-03-28",
    "instant": "an instant with its offset, such as 2027-03-28T22:00:00Z",
    "list": "a list of texts",
}
TYPES = tuple(_WORDS)


def _is_of(value: Any, type_: FactType) -> bool:
    if type_ == "list":
        return type(value) is list
    return types.literal_problem(value, type_=type_) is None


def own_facts(
    kind: str, facts: Mapping[str, Any], declared: Mapping[str, FactType] | None
) -> dict[str, Any]:
    """The facts that rules are asked by. What is not of the type that the pinned program declares
    is missing: a later version may have let something else pass."""
    found: dict[str, Any] = {"activity.kind": kind}
    for name, value in facts.items():
        if declared is not None:
            type_ = declared.get(name)
            if type_ is None or not _is_of(value, type_):
                continue
            if type_ == "instant":
                found[f"{_FACTS}{name}"] = types.microseconds_of(value)
                continue
        found[f"{_FACTS}{name}"] = value
    return found


def told_again(facts: Mapping[str, Any], declared: Mapping[str, FactType] | None) -> dict[str, Any]:
    """The facts that a storefront would tell to have rules asked by these."""
    found = {}
    for name, value in facts.items():
        if not name.startswith(_FACTS):
            continue
        told = name.removeprefix(_FACTS)
        is_instant = (declared or {}).get(told) == "instant"
        found[told] = types.instant_of(value) if is_instant else value
    return found


def catalogue(declared: Mapping[str, FactType] | None) -> Catalogue:
    """The facts of one kind of activity."""
    if declared is None:
        return ACTIVITY + UNDECLARED
    return ACTIVITY + Catalogue(
        [
            Fact(f"{_FACTS}{name}", type_, f"{name}, as declared", _TOLD)
            for name, type_ in declared.items()
        ]
    )

"""Segments of a compiled program: named conditions over members.

A segment is asked who belongs to it by facts alone, so it cannot ask `member.segments`: no
segment depends on another, and all are known at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core import jsontext
from programs import triggers
from rules import conditions
from rules.conditions import Condition

#: The fact that says which segments a member belongs to.
SEGMENTS = "member.segments"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment; a paused one has nobody. `definition` is its condition as the document writes
    it, `digest` what of it says who belongs to it."""

    key: str
    name: dict[str, str]
    description: dict[str, str]
    is_live: bool
    when: Condition
    definition: Any = field(compare=False)
    digest: str


def compile_segments(items: Sequence[Mapping[str, Any]]) -> tuple[Segment, ...]:
    """Compile checked segments, in the order of the document."""
    if not items:
        return ()
    facts = triggers.segment_facts()
    made = []
    for item in items:
        definition, is_live = item.get("when"), item.get("state", "live") == "live"
        made.append(
            Segment(
                key=item["key"],
                name=item.get("name") or {},
                description=item.get("description") or {},
                is_live=is_live,
                when=conditions.compile_condition(definition, catalogue=facts),
                definition=definition,
                digest=jsontext.sorted_text({"when": definition}) if is_live else "paused",
            )
        )
    return tuple(made)


def keys_of(segments: Sequence[Segment], facts: Mapping[str, Any]) -> list[str]:
    """The segments to which the member belongs whose facts these are."""
    return [one.key for one in segments if one.is_live and one.when.matches(facts)]


def asked_by(found: Sequence[Condition], segments: Sequence[Segment]) -> frozenset[str]:
    """Every fact that conditions ask for, those of the segments among them, where these are asked
    for."""
    asked = frozenset[str]().union(*(one.facts for one in found))
    if SEGMENTS in asked:
        asked = asked.union(*(one.when.facts for one in segments if one.is_live))
    return asked

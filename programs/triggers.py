"""What rules can listen to, and which facts each trigger offers to conditions.

Filled once, at start, by the packages above that own the facts; read by check and compile.
"""

import re
from collections.abc import Callable, Mapping

from rules.facts import Catalogue, FactType

#: Facts by name and type, as a document declares them of one kind of activity.
Declared = Mapping[str, FactType]
#: What listens to an activity: `activity:visit`.
ACTIVITY = "activity:"
_ACTIVITY = re.compile(r"activity:[a-z_]{1,40}")

#: Triggers that exist in the contract; those without a catalogue are not available yet.
KNOWN = (
    "order",
    "signup",
    "birthday",
    "anniversary",
    "tier_entered",
    "card_completed",
    "referral_qualified",
)

#: What only surprises listen to.
SILENCE = "silence"

_catalogues: dict[str, Catalogue] = {}
_of_activities: list[Callable[[Declared | None], Catalogue]] = []
_lines: dict[str, Catalogue] = {}
_of_segments: list[Catalogue] = []


def declare(trigger: str, facts: Catalogue, *, lines: Catalogue | None = None) -> None:
    """Make a trigger available with its facts, and with line facts if it has lines."""
    _catalogues[trigger] = facts
    if lines is not None:
        _lines[trigger] = lines


def declare_activities(facts: Callable[[Declared | None], Catalogue]) -> None:
    """Make the triggers of activities available: of every kind, `facts` gives what it offers, by
    what the document declares of it, if it does."""
    _of_activities[:] = [facts]


def find_facts(trigger: str, activities: Mapping[str, Declared] | None = None) -> Catalogue | None:
    """The facts of an available trigger, for a document that declares these activities."""
    if _of_activities and _ACTIVITY.fullmatch(trigger):
        return _of_activities[0]((activities or {}).get(trigger.removeprefix(ACTIVITY)))
    return _catalogues.get(trigger)


def declare_segments(facts: Catalogue) -> None:
    """Make these facts available to the conditions of segments."""
    _of_segments[:] = [facts]


def segment_facts() -> Catalogue:
    """The facts that segments may ask for."""
    return _of_segments[0]


def find_line_facts(trigger: str) -> Catalogue | None:
    """The line facts of an available trigger that has lines."""
    return _lines.get(trigger)


def available() -> tuple[str, ...]:
    """Triggers that can be used, in the order of declaration."""
    return (*_catalogues, *([f"{ACTIVITY}<kind>"] if _of_activities else []))

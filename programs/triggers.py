"""What rules can listen to, and which facts each trigger offers to conditions.

Filled once, at start, by the packages above that own the facts; read by check and compile.
"""

from rules.facts import Catalogue

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

_catalogues: dict[str, Catalogue] = {}
_lines: dict[str, Catalogue] = {}


def declare(trigger: str, facts: Catalogue, *, lines: Catalogue | None = None) -> None:
    """Make a trigger available with its facts, and with line facts if it has lines."""
    _catalogues[trigger] = facts
    if lines is not None:
        _lines[trigger] = lines


def find_facts(trigger: str) -> Catalogue | None:
    """The facts of an available trigger."""
    return _catalogues.get(trigger)


def find_line_facts(trigger: str) -> Catalogue | None:
    """The line facts of an available trigger that has lines."""
    return _lines.get(trigger)


def available() -> tuple[str, ...]:
    """Triggers that can be used, in the order of declaration."""
    return tuple(_catalogues)

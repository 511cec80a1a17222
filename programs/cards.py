"""Stamp cards of a compiled program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from programs.kinds import PointsKind
from programs.rules import Rule, compile_effects

TRIGGER = "card_completed"


@dataclass(frozen=True, slots=True)
class Card:
    """A stamp card: so many stamps complete it. `expires_after` is a duration as written: from the
    first stamp it ends the unfinished card, or each stamp by itself (`expires`)."""

    key: str
    name: dict[str, str]
    is_live: bool
    stamps: int
    effects: tuple[Rule, ...]
    repeats: bool
    expires_after: str | None
    expires: Literal["card", "stamp"]


def compile_cards(
    cards: Sequence[dict[str, Any]], kinds: tuple[PointsKind, ...]
) -> tuple[Card, ...]:
    """Compile checked cards, in the order of the document."""
    return tuple(
        Card(
            key=item["key"],
            name=item.get("name") or {},
            is_live=item.get("state", "live") == "live",
            stamps=item["stamps"],
            effects=compile_effects(item.get("effects") or [], item["key"], TRIGGER, kinds),
            repeats=item.get("repeats", True),
            expires_after=item.get("expires_after"),
            expires=item.get("expires", "card"),
        )
        for item in cards
    )

"""The rules of a document as far as the independent program knows them.

Owns conditions, schedules and what an effect is worth. Refuses limits, which need to know what
others were given, and to import anything of the application.
"""

import operator
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.independent.program_ladder import Ladder
from tests.independent.program_parts import Exact, Source

_OPERATORS = {">=": operator.ge, "<": operator.lt, "=": operator.eq}


class Program:
    """A document, looked up in."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.zone = ZoneInfo(document["timezone"])
        self.ladder = Ladder(document.get("tiers", {}), self.zone)
        self.cards: list[dict[str, Any]] = document.get("cards", [])

    def rules_of(self, trigger: str) -> list[dict[str, Any]]:
        """The rules of a trigger."""
        return [one for one in self.document["earning"]["rules"] if one["trigger"] == trigger]

    def factor(self, rank: int) -> Fraction:
        """The multiplier of a level."""
        basis_points = self.ladder.level(rank).get("multiplier_bp", 10_000) if rank else 10_000
        return Fraction(basis_points, 10_000)

    def entry_points(self, rank: int) -> int:
        """What entering a level brings."""
        return sum(one["points"] for one in self.ladder.level(rank).get("entry_effects", []))


def is_in_force(schedule: dict[str, Any] | None, at: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock on the wall lies in a schedule; hours do not cross midnight here."""
    if schedule is None:
        return True
    local = at.astimezone(zone)
    days = schedule.get("weekdays", range(1, 8))
    opens, closes = schedule.get("from", "00:00"), schedule.get("until", "24:00")
    return local.isoweekday() in days and opens <= local.strftime("%H:%M") < closes


def holds(rule: dict[str, Any], source: Source, level_key: str | None) -> bool:
    """Whether a rule's condition is met, by what is left of an order; fixed points that are kept
    or prorated are judged by the whole of it (B10)."""
    when = rule.get("when")
    if when is None:
        return True
    facts = {
        "order.net_minor": source.net if _is_rechecked(rule) else source.gross,
        "order.is_first": source.is_first,
        "member.tier": level_key,
        "activity.facts.rating": source.rating,
    }
    found = facts[when["fact"]]
    return found is not None and bool(_OPERATORS[when["op"]](found, when["value"]))


def _is_rechecked(rule: dict[str, Any]) -> bool:
    return bool(rule.get("on_refund", "recheck") == "recheck")


def exact(rule: dict[str, Any], source: Source) -> Exact:
    """What the effect is worth before limits; stamps count as one."""
    effect = rule["effect"]
    if effect["do"] == "points_per_amount":
        return Fraction(source.net * effect["points"], effect["per_minor"])
    if effect["do"] == "add_stamps":
        return 1
    if rule.get("on_refund") == "prorate":
        return Fraction(effect["points"] * source.net, source.gross)
    points: int = effect["points"]
    return points


def no_more(before: Exact, wanted: Exact) -> bool:
    """Whether no more is wanted than was before, in whole points."""
    return -(-wanted // 1) <= -(-before // 1)

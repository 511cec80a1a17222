"""What the advice reads of a document: its rules with their places, its levels, what they come to.

Tolerant of everything that a document may leave out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core import clock, jsontext
from rules.facts import Catalogue

FACTOR_ONE = 10_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the document, where it stands, and the facts of its trigger."""

    item: dict[str, Any]
    at: str
    facts: Catalogue
    lines: Catalogue | None

    @property
    def key(self) -> str:
        """Its key."""
        return str(self.item["key"])

    @property
    def trigger(self) -> str:
        """What it listens to."""
        return str(self.item.get("trigger", "order"))

    @property
    def effect(self) -> dict[str, Any]:
        """What it does."""
        found: dict[str, Any] = self.item["effect"]
        return found

    @property
    def when(self) -> Any:
        """Its condition."""
        return self.item.get("when")

    @property
    def lines_when(self) -> Any:
        """The condition on its lines."""
        return (self.effect.get("lines") or {}).get("when")

    @property
    def order(self) -> tuple[int, str]:
        """Its place among rules that give the same."""
        return self.item.get("priority", 0), self.key

    @property
    def group(self) -> str | None:
        """The exclusive group that it is in."""
        stacking = self.item.get("stacking") or {}
        found: str | None = stacking.get("group") if stacking.get("mode") == "exclusive" else None
        return found

    @property
    def schedule(self) -> dict[str, Any]:
        """What bounds when it is in force."""
        given = self.item.get("schedule") or {}
        return {name: value for name, value in given.items() if value not in (None, [])}


def is_live(item: dict[str, Any]) -> bool:
    """Whether an item is not paused."""
    return bool(item.get("state", "live") == "live")


def rules_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules as written."""
    return (document.get("earning") or {}).get("rules") or []


def levels_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The levels as written."""
    return (document.get("tiers") or {}).get("levels") or []


def live_effects(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every effect that can happen, with its place: of rules, levels, cards, offers and
    surprises."""
    for index, rule in enumerate(rules_of(document)):
        if is_live(rule):
            yield rule["effect"], f"/earning/rules/{index}/effect"
    for at, items, name in (
        ("/tiers/levels", levels_of(document), "entry_effects"),
        ("/cards", document.get("cards") or [], "effects"),
    ):
        for index, item in enumerate(items):
            if is_live(item):
                for number, effect in enumerate(item.get(name) or []):
                    yield effect, f"{at}/{index}/{name}/{number}"
    for index, offer in enumerate(document.get("referral_offers") or []):
        if is_live(offer):
            yield from _offered(offer, f"/referral_offers/{index}")
    for index, surprise in enumerate(document.get("surprises") or []):
        if is_live(surprise):
            yield from _drawn(surprise, f"/surprises/{index}")


def _drawn(surprise: dict[str, Any], at: str) -> Iterator[tuple[dict[str, Any], str]]:
    for number, prize in enumerate(surprise.get("prizes") or []):
        for place, effect in enumerate(prize.get("effects") or []):
            yield effect, f"{at}/prizes/{number}/effects/{place}"


def _offered(offer: dict[str, Any], at: str) -> Iterator[tuple[dict[str, Any], str]]:
    for name in ("advocate", "friend", "second_level"):
        for number, effect in enumerate(offer.get(name) or []):
            yield effect, f"{at}/{name}/{number}"
    for index, milestone in enumerate(offer.get("milestones") or []):
        for number, effect in enumerate(milestone.get("effects") or []):
            yield effect, f"{at}/milestones/{index}/effects/{number}"


def metrics_of(document: dict[str, Any]) -> tuple[str, ...]:
    """What moves members up."""
    metric = ((document.get("tiers") or {}).get("basis") or {}).get("metric") or "spend"
    return tuple(metric) if isinstance(metric, list) else (metric,)


def threshold(level: dict[str, Any], metrics: tuple[str, ...], metric: str) -> int | None:
    """What a level asks for of one metric."""
    value = level.get("enter_at")
    if isinstance(value, dict):
        found = value.get(metric)
        return found if isinstance(found, int) else None
    return value if isinstance(value, int) and metrics == (metric,) else None


def by_threshold(document: dict[str, Any], metric: str) -> list[tuple[int, dict[str, Any], str]]:
    """The live levels that ask for something of a metric, from the lowest up, with their places."""
    metrics = metrics_of(document)
    found = [
        (asked, level, f"/tiers/levels/{index}")
        for index, level in enumerate(levels_of(document))
        if is_live(level) and (asked := threshold(level, metrics, metric)) is not None
    ]
    return sorted(found, key=lambda one: one[0])


def value_of(kind: dict[str, Any] | None) -> tuple[int, int]:
    """How many points are worth how many minor units."""
    value = (kind or {}).get("value") or {}
    return value.get("points", 1), value.get("minor", 1)


def kind_of(document: dict[str, Any], effect: dict[str, Any]) -> dict[str, Any]:
    """The kind of points of an effect."""
    kinds = document["points"]
    key = effect.get("points_key") or kinds[0]["key"]
    return next((kind for kind in kinds if kind["key"] == key), kinds[0])


def same(one: Any, other: Any) -> bool:
    """Whether two parts say the same; to Python alone, true equals 1."""
    return jsontext.sorted_text(one) == jsontext.sorted_text(other)


def bounds_of(duration: str) -> tuple[int, int]:
    """The shortest and the longest that a duration can be, in seconds."""
    one = clock.parse_duration(duration)
    fixed = one.days * 86_400 + one.seconds
    return one.months * 28 * 86_400 + fixed, one.months * 31 * 86_400 + fixed

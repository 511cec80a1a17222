"""Kinds of points of a compiled program."""

from dataclasses import dataclass
from typing import Any, Literal

from core import clock
from programs import terms
from programs.terms import Terms

ReturnPolicy = Literal["within_balance", "only_pending", "unlimited", "deduct_from_refund"]


@dataclass(frozen=True, slots=True)
class PointsKind:
    """A kind of points; `minor` per `points` is what they are worth.

    `notices` are how long before they expire the member is told, the earliest first.
    """

    key: str
    name: dict[str, str]
    points: int
    minor: int
    terms: Terms
    notices: tuple[clock.Duration, ...]
    return_policy: ReturnPolicy

    def value_minor(self, points: int) -> int:
        """What points are worth in whole minor units."""
        return points * self.minor // self.points


def compile_kind(kind: dict[str, Any]) -> PointsKind:
    """Compile a checked kind of points."""
    value = kind.get("value") or {"points": 1, "minor": 1}
    return PointsKind(
        key=kind["key"],
        name=kind.get("name") or {"en": kind["key"]},
        points=value["points"],
        minor=value["minor"],
        terms=terms.of_document(kind),
        notices=_notices(kind),
        return_policy=kind.get("return_policy", "within_balance"),
    )


def _notices(kind: dict[str, Any]) -> tuple[clock.Duration, ...]:
    durations = (
        clock.parse_duration(text) for text in (kind.get("expiry") or {}).get("notify", ())
    )
    return tuple(
        sorted(durations, key=lambda one: (one.months, one.days, one.seconds), reverse=True)
    )

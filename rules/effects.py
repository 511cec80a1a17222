"""Effects: what a rule that fired does. A closed union, compiled from the document.

Conditions on lines say which lines of an order a points effect concerns.
"""

from dataclasses import dataclass

from rules.conditions import Condition


@dataclass(frozen=True, slots=True)
class PointsPerAmount:
    """`points` for each `per_minor` of money on the lines concerned."""

    points_key: str
    points: int
    per_minor: int
    lines: Condition | None = None
    counts_for_tier: bool = True


@dataclass(frozen=True, slots=True)
class PointsPerUnit:
    """`points` for each unit of quantity on the lines concerned."""

    points_key: str
    points: int
    lines: Condition | None = None
    counts_for_tier: bool = True


@dataclass(frozen=True, slots=True)
class AddPoints:
    """A fixed number of points."""

    points_key: str
    points: int
    counts_for_tier: bool = False


@dataclass(frozen=True, slots=True)
class MultiplyPoints:
    """Multiplies what amounts and units earned on the lines concerned, never fixed points."""

    points_key: str
    factor_bp: int
    lines: Condition | None = None
    counts_for_tier: bool = False


@dataclass(frozen=True, slots=True)
class AddStamps:
    """Stamps on a card: a fixed number, whatever the order's lines."""

    card: str
    stamps: int


PointsEffect = PointsPerAmount | PointsPerUnit | AddPoints | MultiplyPoints
Effect = PointsEffect | AddStamps

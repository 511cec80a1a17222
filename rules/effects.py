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


@dataclass(frozen=True, slots=True)
class GrantReward:
    """A reward, given without points."""

    reward: str


@dataclass(frozen=True, slots=True)
class Payable:
    """Cash owed: a fixed sum in minor units, or a share of an order's net in basis points."""

    minor: int | None = None
    percent_bp: int | None = None

    def owed(self, left_minor: int, whole_minor: int, *, is_prorated: bool) -> int:
        """What is owed for an order of which so much is left; the part below one minor unit is
        owed to nobody."""
        if self.percent_bp is not None:
            return left_minor * self.percent_bp // _WHOLE_BP
        assert self.minor is not None
        if is_prorated and whole_minor:
            return self.minor * left_minor // whole_minor
        return self.minor


_WHOLE_BP = 10_000

PointsEffect = PointsPerAmount | PointsPerUnit | AddPoints | MultiplyPoints
Effect = PointsEffect | AddStamps | GrantReward | Payable
#: What is counted in whole by limits, and never compared in points.
GIVEN = AddStamps | GrantReward | Payable


@dataclass(frozen=True, slots=True)
class Declaration:
    """An effect as documents write it: the fields it needs, those it may have, and what it does.

    `is_of_lines` are those that need an order; the others go with every trigger.
    """

    needs: tuple[str, ...]
    may: tuple[str, ...]
    meaning: str
    is_of_lines: bool


_TERMS = ("points_key", "pending", "expiry", "counts_for_tier")
EFFECTS: dict[str, Declaration] = {
    "points_per_amount": Declaration(
        ("points", "per_minor"),
        ("lines", *_TERMS),
        "So many points for each so many minor units of money, on its lines or on the whole order",
        is_of_lines=True,
    ),
    "points_per_unit": Declaration(
        ("points",),
        ("lines", *_TERMS),
        "So many points for each piece on its lines",
        is_of_lines=True,
    ),
    "add_points": Declaration(
        ("points",),
        _TERMS,
        "Fixed points; on a partial refund by the rule's `on_refund`: `recheck` (the condition"
        " again on what is left), `keep` or `prorate`",
        is_of_lines=False,
    ),
    "multiply_points": Declaration(
        ("factor_bp",),
        ("lines", "points_key", "counts_for_tier"),
        "Multiplies what amounts and units earned on its lines, never fixed points; several"
        " multiply each other",
        is_of_lines=True,
    ),
    "add_stamps": Declaration(
        ("card", "stamps"),
        (),
        "Stamps on a card; on a partial refund `recheck` or `keep`",
        is_of_lines=False,
    ),
    "grant_reward": Declaration(
        ("reward",),
        (),
        "A reward of the catalogue, given without points; taken back with its cause while it is"
        " unused; on a partial refund `recheck` or `keep`",
        is_of_lines=False,
    ),
    "payable": Declaration(
        (),
        ("minor", "percent_bp"),
        "Cash that is owed: one fixed sum, or a share of the order's net (without shipping, as it"
        " stands, rounded down). It is exported, and never paid out here; a fixed one follows the"
        " rule's `on_refund` on a partial refund",
        is_of_lines=False,
    ),
}
#: What each field of an effect says.
FIELDS: dict[str, str] = {
    "points": "how many points, or how many for each step",
    "per_minor": "the step of money, in minor units",
    "factor_bp": "the factor in basis points: 20,000 doubles",
    "lines": '`{"when": condition over line facts}`: only these lines',
    "points_key": "which kind of points; the first one when absent",
    "pending": "when they become available, instead of the kind's own policy",
    "expiry": "when they expire, instead of the kind's own policy",
    "counts_for_tier": "whether they count towards tiers; by default amounts and units do",
    "card": "key of the card",
    "stamps": "how many stamps",
    "reward": "key of the reward",
    "minor": "how much is owed, in minor units",
    "percent_bp": "how much of the order is owed, in basis points: 500 are 5 %; only where there"
    " is an order",
}

"""Exact points: integers over one common denominator, before the one rounding.

Pure. Amounts and units add up per line, multipliers multiply them on their lines, the tier's
multiplier comes last, fixed points are added. A rule gives at most the whole points that its limits
leave; others multiply what it gives. `loyalty.shares` shares the rounded total.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from programs.ladder import FACTOR_ONE
from programs.rules import Rule
from rules.effects import AddPoints, MultiplyPoints, PointsEffect, PointsPerAmount, PointsPerUnit
from rules.limits import Room

#: No order earns more of one kind: a guard against a document that multiplies without bound.
AWARD_MAX = 10**15
ORDER_LEVEL = ""
TIER_RULE = "tier"


class Line(Protocol):
    """What earning needs of a line (money in minor units)."""

    @property
    def line_ref(self) -> str:
        """The storefront's reference of the line."""

    @property
    def earning_minor(self) -> int:
        """Money of the line that earns."""

    @property
    def earning_quantity(self) -> int:
        """How many are left and earn."""


@dataclass(slots=True)
class Earner:
    """What an order brings to the rules; prorated points follow `left_minor` of `whole_minor`."""

    lines: Sequence[Line]
    line_facts: Sequence[Mapping[str, Any]]
    shipping_minor: int
    facts: Mapping[str, Any]
    facts_whole: Mapping[str, Any]
    left_minor: int
    whole_minor: int
    #: When it happened, which schedules are judged by, and what limits leave of rules that have
    #: any.
    at: int = 0
    rooms: Mapping[str, Room] = field(default_factory=dict)


@dataclass(slots=True)
class Share:
    """One row of a breakdown."""

    rule: str
    points: int
    detail: str


@dataclass(slots=True)
class Earned:
    """Points of one kind that an order deserves, and where they come from."""

    points_key: str
    points: int
    breakdown: tuple[Share, ...]
    by_line: tuple[tuple[str, int], ...]
    exact: str


@dataclass(frozen=True, slots=True)
class TierFactor:
    """The tier's multiplier as an exact ratio, and how it is explained."""

    numerator: int
    denominator: int
    detail: str


NO_TIER_FACTOR = TierFactor(1, 1, "")


@dataclass(frozen=True, slots=True)
class Want:
    """What a rule with limits would give, exactly, and the whole points it is capped at."""

    numerator: int
    scale: int
    cap: int | None

    @property
    def whole(self) -> int:
        """The least whole points that are not less."""
        return -(-self.numerator // self.scale)


@dataclass(slots=True)
class Fired:
    """A rule whose condition holds, with the lines that its effect on points concerns.

    `room` is what its limits leave. What a rule that adds points `wants` is known before others
    count, and it gives `part` of that; a multiplier's is known when the rest is.
    """

    rule: Rule
    effect: PointsEffect
    lines: list[int]
    has_shipping: bool
    room: Room | None = None
    wants: Want | None = None
    part: tuple[int, int] = (1, 1)

    def limit(self, room: Room, order: Earner) -> None:
        """Bound the rule by what its limits leave."""
        self.room = room
        wanted = _wanted(self, order)
        if wanted is None:
            return
        numerator, scale = wanted
        cap = room.cap(numerator, scale)
        self.wants = Want(numerator, scale, cap)
        if cap is not None:
            common = math.gcd(cap * scale, numerator)
            self.part = (cap * scale // common, numerator // common)


def _wanted(one: Fired, order: Earner) -> tuple[int, int] | None:
    """What a rule that adds points would give without limits; None for a multiplier."""
    effect = one.effect
    if isinstance(effect, PointsPerAmount):
        minor = sum(order.lines[index].earning_minor for index in one.lines)
        minor += order.shipping_minor if one.has_shipping else 0
        return minor * effect.points, effect.per_minor
    if isinstance(effect, PointsPerUnit):
        return effect.points * sum(order.lines[i].earning_quantity for i in one.lines), 1
    if isinstance(effect, AddPoints):
        if _is_prorated(one, order):
            return effect.points * order.left_minor, order.whole_minor
        return effect.points, 1
    return None


def most(fired: Iterable[Fired], order: Earner) -> int:
    """No fewer points than any multiplier of these rules can add to any kind."""
    points, numerator, denominator = 1, 1, 1
    for one in fired:
        if isinstance(one.effect, MultiplyPoints):
            numerator *= max(FACTOR_ONE, one.effect.factor_bp)
            denominator *= FACTOR_ONE
        elif not isinstance(one.effect, AddPoints):
            wanted = _wanted(one, order) if one.wants is None else None
            if wanted is not None:
                points += -(-wanted[0] // wanted[1])
            elif one.wants is not None:
                points += one.wants.whole
    return -(-points * numerator // denominator)


def _is_prorated(one: Fired, order: Earner) -> bool:
    return one.rule.on_refund == "prorate" and order.whole_minor != 0


def _common(fired: Sequence[Fired], order: Earner) -> int:
    """What every rule's points are whole numbers over, before multipliers."""
    common = 1
    for one in fired:
        effect, each = one.effect, one.part[1]
        if isinstance(effect, PointsPerAmount):
            each *= effect.per_minor
        elif isinstance(effect, AddPoints) and _is_prorated(one, order):
            each *= order.whole_minor
        common = math.lcm(common, each)
    return common


def _step(one: Fired, order: Earner, common: int) -> int:
    """Points over `common` for one minor unit, one piece, or in all when they are fixed."""
    effect, (numerator, denominator) = one.effect, one.part
    assert not isinstance(effect, MultiplyPoints)
    points = effect.points * numerator
    if isinstance(effect, PointsPerAmount):
        return common // (effect.per_minor * denominator) * points
    if isinstance(effect, AddPoints) and _is_prorated(one, order):
        return common // (order.whole_minor * denominator) * order.left_minor * points
    return common // denominator * points


def _part_of_extra(one: Fired, extra: int, scale: int) -> tuple[int, int]:
    """What part of its extra points a multiplier gives, as a ratio; notes what it wanted."""
    if one.room is None:
        return 1, 1
    cap = one.room.cap(extra, scale)
    one.wants = Want(extra, scale, cap)
    if cap is None:
        return 1, 1
    common = math.gcd(cap * scale, extra)
    return cap * scale // common, extra // common


def exact_points(
    points_key: str, fired: Sequence[Fired], order: Earner, tier: TierFactor
) -> tuple[int, int]:
    """Exact points of one kind as numerator and scale, without the rows of a breakdown."""
    effects = [(one.effect, one) for one in fired if one.effect.points_key == points_key]
    common = _common([one for _, one in effects], order)
    size = len(order.lines)
    cells, fixed, unit = [0] * (size + 1), 0, common
    for effect, one in effects:
        if isinstance(effect, PointsPerAmount):
            step = _step(one, order, common)
            for index in one.lines:
                cells[index] += order.lines[index].earning_minor * step
            if one.has_shipping:
                cells[size] += order.shipping_minor * step
        elif isinstance(effect, PointsPerUnit):
            step = _step(one, order, common)
            for index in one.lines:
                cells[index] += order.lines[index].earning_quantity * step
        elif isinstance(effect, AddPoints):
            fixed += _step(one, order, common)
    for effect, one in effects:
        if isinstance(effect, MultiplyPoints):
            concerned = {*one.lines, size} if one.has_shipping else set(one.lines)
            more = effect.factor_bp - FACTOR_ONE
            unit *= FACTOR_ONE
            extra = sum(cells[index] for index in concerned) * more
            numerator, denominator = _part_of_extra(one, extra, unit)
            unit *= denominator
            factor = FACTOR_ONE * denominator + more * numerator
            cells = [
                cell * (factor if index in concerned else FACTOR_ONE * denominator)
                for index, cell in enumerate(cells)
            ]
    points = sum(cells) * tier.numerator + fixed * (unit // common) * tier.denominator
    return points, unit * tier.denominator


@dataclass(slots=True)
class Grid:
    """Exact points of one kind: numerators over `scale`, by line and rule."""

    points_key: str
    scale: int
    rows: dict[str, dict[str, int]]
    details: dict[str, str]
    is_limited: bool = False

    def total(self) -> int:
        """The sum of all cells."""
        return sum(sum(cells.values()) for cells in self.rows.values())

    def refine(self, times: int) -> None:
        """Make the scale so many times as fine."""
        self.scale *= times
        for cells in self.rows.values():
            for rule in cells:
                cells[rule] *= times


def grids(fired: Sequence[Fired], order: Earner, tier: TierFactor) -> list[Grid]:
    """The exact points of each kind that these rules concern."""
    keys = list(dict.fromkeys(one.effect.points_key for one in fired))
    return [
        _grid(key, [one for one in fired if one.effect.points_key == key], order, tier)
        for key in keys
    ]


def _grid(points_key: str, fired: Sequence[Fired], order: Earner, tier: TierFactor) -> Grid:
    adding = [one for one in fired if isinstance(one.effect, PointsPerAmount | PointsPerUnit)]
    multiplying = [one for one in fired if isinstance(one.effect, MultiplyPoints)]
    fixed = [one for one in fired if isinstance(one.effect, AddPoints)]
    scale = _common(fired, order) * FACTOR_ONE ** len(multiplying) * tier.denominator
    grid = Grid(points_key, scale, {}, {}, any(one.room is not None for one in fired))
    for one in adding:
        _add(grid, one, order)
    for one in multiplying:
        _multiply(grid, one, order)
    if tier.numerator != tier.denominator:
        for cells in grid.rows.values():
            before = sum(cells.values())
            if before:
                cells[TIER_RULE] = before * tier.numerator // tier.denominator - before
        grid.details[TIER_RULE] = tier.detail
    for one in fixed:
        _fix(grid, one, order)
    return grid


def _concerned(one: Fired, order: Earner) -> list[str]:
    refs = [order.lines[index].line_ref for index in one.lines]
    return [*refs, ORDER_LEVEL] if one.has_shipping and order.shipping_minor else refs


def _add(grid: Grid, one: Fired, order: Earner) -> None:
    effect = one.effect
    if isinstance(effect, PointsPerAmount):
        step = _step(one, order, grid.scale)
        minor = 0
        for index in one.lines:
            line = order.lines[index]
            minor += line.earning_minor
            if line.earning_minor:
                grid.rows.setdefault(line.line_ref, {})[one.rule.key] = line.earning_minor * step
        if one.has_shipping and order.shipping_minor:
            minor += order.shipping_minor
            grid.rows.setdefault(ORDER_LEVEL, {})[one.rule.key] = order.shipping_minor * step
        detail = f"{effect.points} per {effect.per_minor} of {minor}"
        grid.details[one.rule.key] = detail + _capped(one)
    elif isinstance(effect, PointsPerUnit):
        units, step = 0, _step(one, order, grid.scale)
        for index in one.lines:
            line = order.lines[index]
            units += line.earning_quantity
            if line.earning_quantity:
                cells = grid.rows.setdefault(line.line_ref, {})
                cells[one.rule.key] = line.earning_quantity * step
        grid.details[one.rule.key] = f"{effect.points} for each of {units}" + _capped(one)


def _capped(one: Fired) -> str:
    """What the limits of a rule do to it, in its detail."""
    if one.wants is None or one.wants.cap is None:
        return ""
    return f", of which {one.wants.cap} are left"


def _multiply(grid: Grid, one: Fired, order: Earner) -> None:
    effect = one.effect
    assert isinstance(effect, MultiplyPoints)
    more = effect.factor_bp - FACTOR_ONE
    extras = {
        ref: sum(grid.rows[ref].values()) * more // FACTOR_ONE
        for ref in _concerned(one, order)
        if grid.rows.get(ref)
    }
    numerator, denominator = _part_of_extra(one, sum(extras.values()), grid.scale)
    if denominator != 1:
        grid.refine(denominator)
    for ref, extra in extras.items():
        grid.rows[ref][one.rule.key] = extra * numerator
    grid.details[one.rule.key] = f"× {show_ratio(effect.factor_bp)}" + _capped(one)


def _fix(grid: Grid, one: Fired, order: Earner) -> None:
    effect = one.effect
    assert isinstance(effect, AddPoints)
    detail = f"{effect.points} fixed"
    if _is_prorated(one, order) and order.left_minor != order.whole_minor:
        detail += f" × {order.left_minor} of {order.whole_minor}"
    cells = grid.rows.setdefault(ORDER_LEVEL, {})
    cells[one.rule.key] = _step(one, order, grid.scale)
    grid.details[one.rule.key] = detail + _capped(one)


def show_ratio(basis_points: int) -> str:
    """12,500 basis points as 1.25."""
    whole, rest = divmod(basis_points, FACTOR_ONE)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def round_points(numerator: int, scale: int, rounding: str) -> int:
    """Round an exact number of points by the program's policy; never below zero."""
    if rounding == "floor":
        points = numerator // scale
    elif rounding == "ceil":
        points = -(-numerator // scale)
    else:
        points = (2 * numerator + scale) // (2 * scale)
    return max(0, points)

"""Exact points: integers over one common denominator, rounded once, shared to the unit.

Pure. Amounts and units add up per line, multipliers multiply them on their lines, the tier's
multiplier comes last, fixed points are added. The rounded total is shared over lines, then over
the rules of each line, by largest remainder.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.money import spread
from programs.ladder import FACTOR_ONE
from programs.rules import Rule
from rules.effects import AddPoints, MultiplyPoints, PointsEffect, PointsPerAmount, PointsPerUnit

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


@dataclass(slots=True)
class Fired:
    """A rule whose condition holds, with the lines that its effect on points concerns."""

    rule: Rule
    effect: PointsEffect
    lines: list[int]
    has_shipping: bool


def exact_points(
    points_key: str, fired: Sequence[Fired], order: Earner, tier: TierFactor
) -> tuple[int, int]:
    """Exact points of one kind as numerator and scale, without the rows of a breakdown."""
    effects = [(one.effect, one) for one in fired if one.effect.points_key == points_key]
    common = math.lcm(*(e.per_minor for e, _ in effects if isinstance(e, PointsPerAmount)))
    size = len(order.lines)
    cells = [0] * (size + 1)
    for effect, one in effects:
        if isinstance(effect, PointsPerAmount):
            step = common // effect.per_minor * effect.points
            for index in one.lines:
                cells[index] += order.lines[index].earning_minor * step
            if one.has_shipping:
                cells[size] += order.shipping_minor * step
        elif isinstance(effect, PointsPerUnit):
            for index in one.lines:
                cells[index] += order.lines[index].earning_quantity * effect.points * common
    if any(one.rule.on_refund == "prorate" for _, one in effects) and order.whole_minor:
        common *= order.whole_minor
        cells = [cell * order.whole_minor for cell in cells]
    scale, fixed = common * tier.denominator, 0
    for effect, one in effects:
        if isinstance(effect, MultiplyPoints):
            concerned = {*one.lines, size} if one.has_shipping else set(one.lines)
            scale *= FACTOR_ONE
            cells = [
                cell * (effect.factor_bp if index in concerned else FACTOR_ONE)
                for index, cell in enumerate(cells)
            ]
        elif isinstance(effect, AddPoints):
            is_part = one.rule.on_refund == "prorate" and order.whole_minor
            # Over `common`, which holds the whole amount as a factor when anything is prorated.
            share = common // order.whole_minor * order.left_minor if is_part else common
            fixed += effect.points * share
    return sum(cells) * tier.numerator + fixed * (scale // common), scale


@dataclass(slots=True)
class Grid:
    """Exact points of one kind: numerators over `scale`, by line and rule."""

    points_key: str
    scale: int
    rows: dict[str, dict[str, int]]
    details: dict[str, str]

    def total(self) -> int:
        """The sum of all cells."""
        return sum(sum(cells.values()) for cells in self.rows.values())


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
    common = 1
    for one in adding:
        if isinstance(one.effect, PointsPerAmount):
            common = math.lcm(common, one.effect.per_minor)
    if any(one.rule.on_refund == "prorate" for one in fixed) and order.whole_minor:
        common = math.lcm(common, order.whole_minor)
    scale = common * FACTOR_ONE ** len(multiplying) * tier.denominator
    grid = Grid(points_key, scale, {}, {})
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
        step = grid.scale // effect.per_minor * effect.points
        minor = 0
        for index in one.lines:
            line = order.lines[index]
            minor += line.earning_minor
            if line.earning_minor:
                grid.rows.setdefault(line.line_ref, {})[one.rule.key] = line.earning_minor * step
        if one.has_shipping and order.shipping_minor:
            minor += order.shipping_minor
            grid.rows.setdefault(ORDER_LEVEL, {})[one.rule.key] = order.shipping_minor * step
        grid.details[one.rule.key] = f"{effect.points} per {effect.per_minor} of {minor}"
    elif isinstance(effect, PointsPerUnit):
        units = 0
        for index in one.lines:
            line = order.lines[index]
            units += line.earning_quantity
            if line.earning_quantity:
                cells = grid.rows.setdefault(line.line_ref, {})
                cells[one.rule.key] = line.earning_quantity * effect.points * grid.scale
        grid.details[one.rule.key] = f"{effect.points} for each of {units}"


def _multiply(grid: Grid, one: Fired, order: Earner) -> None:
    effect = one.effect
    assert isinstance(effect, MultiplyPoints)
    for ref in _concerned(one, order):
        cells = grid.rows.get(ref)
        if cells:
            before = sum(cells.values())
            cells[one.rule.key] = before * effect.factor_bp // FACTOR_ONE - before
    grid.details[one.rule.key] = f"× {show_ratio(effect.factor_bp)}"


def _fix(grid: Grid, one: Fired, order: Earner) -> None:
    effect = one.effect
    assert isinstance(effect, AddPoints)
    points, detail = effect.points * grid.scale, f"{effect.points} fixed"
    if one.rule.on_refund == "prorate" and order.whole_minor:
        points = points // order.whole_minor * order.left_minor
        if order.left_minor != order.whole_minor:
            detail += f" × {order.left_minor} of {order.whole_minor}"
    cells = grid.rows.setdefault(ORDER_LEVEL, {})
    cells[one.rule.key] = points
    grid.details[one.rule.key] = detail


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


def shared(grid: Grid, points: int, order: Earner) -> Earned:
    """Share rounded points over lines, then over the rules of each line."""
    refs = [line.line_ref for line in order.lines if line.line_ref in grid.rows]
    if ORDER_LEVEL in grid.rows:
        refs.append(ORDER_LEVEL)
    totals = [sum(grid.rows[ref].values()) for ref in refs]
    by_line = _largest_remainder(points, totals, grid.scale)
    by_rule: dict[str, int] = {}
    for ref, share in zip(refs, by_line, strict=True):
        cells = grid.rows[ref]
        parts = _largest_remainder(share, list(cells.values()), grid.scale)
        for rule, part in zip(cells, parts, strict=True):
            by_rule[rule] = by_rule.get(rule, 0) + part
    total = sum(totals)
    common = math.gcd(total, grid.scale)
    exact = str(total // common)
    if grid.scale != common:
        exact += f"/{grid.scale // common}"
    return Earned(
        points_key=grid.points_key,
        points=points,
        breakdown=tuple(
            Share(rule, part, grid.details.get(rule, "")) for rule, part in by_rule.items()
        ),
        by_line=tuple((ref, part) for ref, part in zip(refs, by_line, strict=True) if ref),
        exact=exact,
    )


def _largest_remainder(total: int, exact: Sequence[int], scale: int) -> list[int]:
    """Whole parts of `exact / scale` that add up to `total`: floors first, then one each to the
    largest remainders (ties by order)."""
    parts = [value // scale for value in exact]
    left = total - sum(parts)
    if left < 0 or left > len(exact):
        # The total was capped: every part gives way in proportion.
        return spread(total, [max(0, value) for value in exact])
    order = sorted(range(len(exact)), key=lambda index: (-(exact[index] % scale), index))
    for index in order[:left]:
        parts[index] += 1
    return parts

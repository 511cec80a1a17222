"""Shares of rounded points: over lines, and over rules.

Pure. The rounded total is shared over lines, then over the rules of each line, by largest
remainder; where a rule has limits, over lines and over rules, each by itself.
"""

import math
from collections.abc import Sequence

from core.money import spread
from loyalty.exact import ORDER_LEVEL, Earned, Earner, Grid, Share


def shared(grid: Grid, points: int, order: Earner) -> Earned:
    """Share rounded points over lines, then over the rules of each line."""
    refs = [line.line_ref for line in order.lines if line.line_ref in grid.rows]
    if ORDER_LEVEL in grid.rows:
        refs.append(ORDER_LEVEL)
    totals = [sum(grid.rows[ref].values()) for ref in refs]
    by_line = _largest_remainder(points, totals, grid.scale)
    by_rule = _by_rule(grid, points) if grid.is_limited else {}
    for ref, share in zip(refs, by_line, strict=True) if not by_rule else ():
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


def _by_rule(grid: Grid, points: int) -> dict[str, int]:
    """Shares of the rules by the whole of each: shared out line by line, one that is capped at
    whole points could come by a point more."""
    exact: dict[str, int] = {}
    for cells in grid.rows.values():
        for rule, value in cells.items():
            exact[rule] = exact.get(rule, 0) + value
    parts = _largest_remainder(points, list(exact.values()), grid.scale)
    return dict(zip(exact, parts, strict=True))


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

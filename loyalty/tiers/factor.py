"""The multiplier that a level gives an order, also to one that crosses into the next level."""

from collections.abc import Sequence

from loyalty.exact import NO_TIER_FACTOR, TierFactor, show_ratio
from loyalty.tiers.moving import reached
from programs.compiled import Compiled
from programs.ladder import FACTOR_ONE, Level


def factor(
    program: Compiled,
    held: Level | None,
    *,
    before: Sequence[int],
    adds: Sequence[int],
    is_fixed: bool = False,
) -> TierFactor:
    """The multiplier of an order that adds to the metrics what it adds.

    `order_time`: the level before the order; `new_tier`: the level after it; `split`: each part
    of the contribution at the level that it was made on (SEMANTICS A5). A level given by hand is
    fixed: no order moves it. Nor does an order ever lower a level.
    """
    ladder = program.ladder
    if not ladder.levels:
        return NO_TIER_FACTOR
    if program.tier_multiplier_at == "order_time" or is_fixed or max(adds) <= 0:
        return _single(held)
    after = reached(ladder, [one + more for one, more in zip(before, adds, strict=True)])
    if after is None or (held is not None and after.rank <= held.rank):
        return _single(held)
    if program.tier_multiplier_at == "new_tier":
        return _single(after)
    return _split(program, held, after, metric_before=before[0], contribution=adds[0])


def _split(
    program: Compiled, held: Level | None, after: Level, *, metric_before: int, contribution: int
) -> TierFactor:
    weighted, done, level = 0, 0, held
    details = []
    rank = held.rank if held else 0
    for upper in program.ladder.levels:
        if not rank < upper.rank <= after.rank or not (upper.is_live and upper.enter_at):
            continue
        part = max(0, min(contribution, upper.enter_at[0] - metric_before) - done)
        if part:
            weighted += part * _bp(level)
            details.append(f"{part} at {_key(level)}")
            done += part
        level = upper
    if contribution > done:
        weighted += (contribution - done) * _bp(level)
        details.append(f"{contribution - done} at {_key(level)}")
    return TierFactor(weighted, contribution * FACTOR_ONE, f"split over {' and '.join(details)}")


def _key(level: Level | None) -> str:
    return "no tier" if level is None else level.key


def _bp(level: Level | None) -> int:
    return FACTOR_ONE if level is None or not level.is_live else level.multiplier_bp


def _single(level: Level | None) -> TierFactor:
    if level is None or _bp(level) == FACTOR_ONE:
        return NO_TIER_FACTOR
    ratio = show_ratio(level.multiplier_bp)
    return TierFactor(level.multiplier_bp, FACTOR_ONE, f"× {ratio} ({level.key})")

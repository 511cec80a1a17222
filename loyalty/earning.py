"""Earning: what an order deserves under a program's rules.

Pure. Decides which rules fire, which of an exclusive group is best for the member (every
combination of choices is tried), what limits leave of each, and what counts for tiers;
`loyalty.exact` computes the points, with one rounding per kind of points (policy of the program;
SEMANTICS A1). Refuses to know what others took of a limit: the rooms are given.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from zoneinfo import ZoneInfo

from loyalty.exact import (
    AWARD_MAX,
    NO_TIER_FACTOR,
    Earned,
    Earner,
    Fired,
    TierFactor,
    exact_points,
    grids,
    most,
    round_points,
)
from loyalty.shares import shared
from programs.compiled import Compiled
from programs.rules import Rule
from rules.effects import (
    GIVEN,
    AddPoints,
    AddStamps,
    GrantReward,
    MultiplyPoints,
    Payable,
    PointsPerAmount,
)
from rules.limits import Kept
from rules.outcomes import Outcome, Reason


@dataclass(frozen=True, slots=True)
class Taken:
    """What a rule takes of its limits: that it fired, its own points of the breakdown, and the
    whole points that it wanted."""

    points: int
    wanted: int


@dataclass(slots=True)
class Earning:
    """The result: what is deserved by kind, the stamps by card, the rewards and the cash by rule,
    what counts for tiers, the outcome of each rule; what rules take of their limits, and by which
    limits they were bound."""

    earned: list[Earned] = field(default_factory=list)
    stamps: dict[str, int] = field(default_factory=dict)
    grants: dict[str, str] = field(default_factory=dict)
    payables: dict[str, int] = field(default_factory=dict)
    qualifying_points: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    taken: dict[str, Taken] = field(default_factory=dict)
    bound: dict[str, Kept] = field(default_factory=dict)


def none_fired(rules: Iterable[Rule], reason: Reason) -> Earning:
    """Nothing is deserved, for one reason common to all rules."""
    return Earning(
        outcomes=[
            Outcome(rule.key, is_fired=False, reason=reason if rule.is_live else "not_live")
            for rule in rules
        ]
    )


Factor = Callable[[Sequence[Fired]], TierFactor]
#: What fired whole, and counts for no points.
Given = AddStamps | GrantReward | Payable


@dataclass(slots=True)
class Chosen:
    """The rules that count after exclusive groups were decided, the stamps of those that give
    stamps, the rewards of those that grant one, the cash of those that owe it, and every rule's
    outcome."""

    fired: list[Fired]
    stamps: dict[str, int]
    grants: dict[str, str]
    payables: dict[str, int]
    outcomes: list[Outcome]
    #: Rules that give stamps, rewards or cash under limits, and what bound the rules that do not
    #: count.
    given: dict[str, Taken]
    bound: dict[str, Kept]


def choose(program: Compiled, rules: Sequence[Rule], order: Earner, factor: Factor) -> Chosen:
    """Which rules fire; of each exclusive group the one that is best for the member.

    `factor` gives the tier's multiplier if these rules count: a level that is reached with the
    order's own points depends on them.
    """
    outcomes: dict[str, Outcome] = {}
    free: list[Fired] = []
    stamps: dict[str, int] = {}
    grants: dict[str, str] = {}
    payables: dict[str, int] = {}
    given: dict[str, Taken] = {}
    bound: dict[str, Kept] = {}
    groups: dict[str, list[Fired]] = {}
    for rule in rules:
        fired = _fire(rule, order, program.zone)
        if not isinstance(fired, Outcome):
            fired = _limited(fired, rule, order, bound)
        if isinstance(fired, Outcome):
            outcomes[rule.key] = fired
            continue
        outcomes[rule.key] = Outcome(rule.key, is_fired=True)
        if isinstance(fired, GIVEN):
            if isinstance(fired, AddStamps):
                stamps[fired.card] = stamps.get(fired.card, 0) + fired.stamps
            elif isinstance(fired, GrantReward):
                grants[rule.key] = fired.reward
            elif owed := _owed(rule, fired, order):
                payables[rule.key] = owed
            else:
                continue
            if rule.key in order.rooms:
                given[rule.key] = Taken(0, 1)
        elif rule.group is None:
            free.append(fired)
        else:
            groups.setdefault(rule.group, []).append(fired)
    kept = free
    if groups:
        winners = _best(program, free, list(groups.values()), order, factor)
        for name, members in groups.items():
            for fired in members:
                if fired not in winners:
                    winner = next(one for one in winners if one.rule.group == name)
                    outcomes[fired.rule.key] = Outcome(
                        fired.rule.key,
                        is_fired=False,
                        reason="excluded",
                        detail=f"{winner.rule.key} of the group {name} gave more",
                    )
                    _bind_loser(fired, bound)
        kept = sorted(free + winners, key=lambda one: (one.rule.priority, one.rule.key))
    told = [outcomes[rule.key] for rule in rules]
    return Chosen(kept, stamps, grants, payables, told, given, bound)


def _owed(rule: Rule, effect: Payable, order: Earner) -> int:
    """The cash that a rule owes for what is left."""
    is_prorated = rule.on_refund == "prorate"
    return effect.owed(order.left_minor, order.whole_minor, is_prorated=is_prorated)


def _fire(rule: Rule, order: Earner, zone: ZoneInfo) -> Fired | Given | Outcome:
    if not rule.is_live:
        return Outcome(rule.key, is_fired=False, reason="not_live")
    if rule.schedule is not None and not rule.schedule.is_in_force(order.at, zone):
        return Outcome(
            rule.key,
            is_fired=False,
            reason="outside_schedule",
            again_at=rule.schedule.next_start(order.at, zone),
        )
    effect = rule.effect
    if not rule.when.matches(order.facts_whole if rule.is_kept_on_refund else order.facts):
        return Outcome(rule.key, is_fired=False, reason="condition_not_met")
    if isinstance(effect, GIVEN):
        return effect
    if isinstance(effect, AddPoints):
        return Fired(rule, effect, [], has_shipping=False)
    if effect.lines is None:
        return Fired(rule, effect, list(range(len(order.lines))), has_shipping=True)
    matches = effect.lines.matches
    lines = [index for index, facts in enumerate(order.line_facts) if matches(facts)]
    if not lines:
        return Outcome(
            rule.key, is_fired=False, reason="condition_not_met", detail="no line is concerned"
        )
    return Fired(rule, effect, lines, has_shipping=False)


def _limited(
    fired: Fired | Given, rule: Rule, order: Earner, bound: dict[str, Kept]
) -> Fired | Given | Outcome:
    """The same bounded by what the rule's limits leave; not fired when that is nothing."""
    room = order.rooms.get(rule.key)
    if room is None:
        return fired
    if isinstance(fired, GIVEN):
        wanted, cap = 1, room.cap(1, 1)
    else:
        fired.limit(room, order)
        if fired.wants is None:
            wanted, cap = None, 0 if room.is_closed else None
        else:
            wanted, cap = fired.wants.whole, fired.wants.cap
    if cap != 0:
        return fired
    bound[rule.key] = Kept(wanted, 0)
    return _reached(rule, order)


def _reached(rule: Rule, order: Earner) -> Outcome:
    room = order.rooms[rule.key]
    return Outcome(rule.key, is_fired=False, reason="limit_reached", again_at=room.again_at)


def _bind_loser(fired: Fired, bound: dict[str, Kept]) -> None:
    """What bounds a rule bounds it also where it was compared and found less."""
    room, wants = fired.room, fired.wants
    if room is None:
        return
    if isinstance(fired.effect, MultiplyPoints):
        if room.left is not None:
            bound[fired.rule.key] = Kept(None, room.left)
    elif wants is not None and wants.cap is not None:
        bound[fired.rule.key] = Kept(wants.whole, wants.cap)


def _best(
    program: Compiled,
    free: list[Fired],
    groups: list[list[Fired]],
    order: Earner,
    factor: Factor,
) -> list[Fired]:
    """One of each group, together worth most; ties go to smaller priority, then key.

    Worth is judged with the tier's multiplier: it decides between factors and fixed points.
    """
    bound = most(itertools.chain(free, *groups), order)
    groups = [_only_best_factor(group, free, order, bound) for group in groups]
    if all(len(group) == 1 for group in groups):
        return [group[0] for group in groups]
    worth = {kind.key: Fraction(kind.minor, kind.points) for kind in program.points}

    def rank(choice: Sequence[Fired]) -> tuple[Fraction, Fraction, list[tuple[int, str]]]:
        counting = sorted([*free, *choice], key=lambda one: (one.rule.priority, one.rule.key))
        tier, value, points = factor(counting), Fraction(0), Fraction(0)
        for key in {one.effect.points_key for one in counting}:
            exact = Fraction(*exact_points(key, counting, order, tier))
            points += exact
            value += exact * worth[key]
        # Points that are worth no money are still better for the member when they are more.
        return (-value, -points, sorted((one.rule.priority, one.rule.key) for one in choice))

    choices = [list(choice) for choice in itertools.product(*groups)]
    return min(choices, key=rank)


def _only_best_factor(
    group: list[Fired], free: Sequence[Fired], order: Earner, bound: int
) -> list[Fired]:
    """A group of factors on the same earning lines shrunk to the largest, without computing:
    whatever else counts, a larger factor on points of the same lines is worth more, where limits
    leave as much as it can add."""
    first = group[0]
    effect = first.effect
    for one in group:
        other = one.effect
        if (
            not isinstance(other, MultiplyPoints)
            or (one.room is not None and one.room.cap(bound, 1) is not None)
            or other.points_key != effect.points_key
            or other.counts_for_tier != effect.counts_for_tier
            or one.lines != first.lines
            or one.has_shipping != first.has_shipping
        ):
            return group
    earns = any(
        isinstance(one.effect, PointsPerAmount)
        and one.effect.lines is None
        and one.effect.points_key == effect.points_key
        for one in free
    ) and any(order.lines[index].earning_minor for index in first.lines)
    if not earns:
        return group
    return [min(group, key=_by_factor)]


def _by_factor(one: Fired) -> tuple[int, int, str]:
    effect = one.effect
    assert isinstance(effect, MultiplyPoints)
    return (-effect.factor_bp, one.rule.priority, one.rule.key)


def qualifying(program: Compiled, fired: Sequence[Fired], order: Earner) -> int:
    """Points that count for tiers: of the default kind, before the tier's multiplier."""
    points_key = program.points[0].key
    counting = [
        one for one in fired if one.effect.counts_for_tier and one.effect.points_key == points_key
    ]
    if not counting:
        return 0
    numerator, scale = exact_points(points_key, counting, order, NO_TIER_FACTOR)
    return min(round_points(numerator, scale, program.rounding), AWARD_MAX)


def settle(program: Compiled, chosen: Chosen, order: Earner, tier: TierFactor) -> Earning:
    """The points themselves, with the tier's multiplier and the one rounding."""
    result = Earning(
        stamps=chosen.stamps,
        grants=chosen.grants,
        payables=chosen.payables,
        outcomes=chosen.outcomes,
        taken=dict(chosen.given),
        bound=dict(chosen.bound),
    )
    result.qualifying_points = qualifying(program, chosen.fired, order)
    shares: dict[str, int] = {}
    for grid in grids(chosen.fired, order, tier):
        points = min(round_points(grid.total(), grid.scale, program.rounding), AWARD_MAX)
        if points > 0:
            earned = shared(grid, points, order)
            result.earned.append(earned)
            if grid.is_limited:
                shares |= {share.rule: share.points for share in earned.breakdown}
    for one in chosen.fired:
        if one.wants is not None:
            _take(program, one, order, result, points=shares.get(one.rule.key, 0))
    return result


def _take(program: Compiled, one: Fired, order: Earner, result: Earning, *, points: int) -> None:
    """Note what a rule takes of its limits, and what they withheld."""
    wants, key = one.wants, one.rule.key
    assert wants is not None
    place = next(at for at, outcome in enumerate(result.outcomes) if outcome.rule == key)
    if wants.cap is not None:
        result.bound[key] = Kept(wants.whole, wants.cap)
        over = round_points(
            wants.numerator - wants.cap * wants.scale, wants.scale, program.rounding
        )
        if wants.cap == 0:
            result.outcomes[place] = _reached(one.rule, order)
            return
        if over:
            result.outcomes[place] = Outcome(key, is_fired=True, reason="capped", withheld=over)
    if wants.whole > 0:
        result.taken[key] = Taken(max(0, points), wants.whole)

"""What redemptions take of the limits of their rewards: claims, as rules of earning have them.

A claim is of the instant at which the redemption was held, under the rule that its reward's limits
are written in; it is given back with the redemption, and taken anew when that is held again. What
is had by a grant takes none. Refuses to say what is left of limits: `loyalty.limits` counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import Problem
from loyalty.limits import storing
from loyalty.limits.claims import Claim, ClaimKey, CounterKey, Window
from programs import versions
from programs.compiled import Compiled
from rewards.carried import Row
from rewards.desk import Desk, connection_of
from rules.limits import Limit, span


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The limits of a redemption's reward: where each is counted. `windows` are the member's own,
    `counters` what all share."""

    key: ClaimKey
    windows: tuple[tuple[Limit, Window], ...]
    counters: tuple[tuple[Limit, CounterKey], ...]


def take(desk: Desk, row: Row) -> bool:
    """Claim once of every limit of its reward; False where one of them is used up."""
    bounds = _bounds(desk, row)
    if bounds is None:
        return True
    _read(desk, bounds)
    claims = desk.claims
    is_full = any(
        claims.use(window, but=row.id).times >= limit.most for limit, window in bounds.windows
    ) or any(
        claims.counted(counter, but=row.id) >= limit.most for limit, counter in bounds.counters
    )
    if is_full:
        return False
    for limit, counter in bounds.counters:
        claims.most[counter] = limit.most
    counters = tuple(counter for _, counter in bounds.counters)
    claims.take(row.id, {bounds.key.rule: Claim(bounds.key, 1, 0, 1, counters)})
    return True


def give_back(desk: Desk, row: Row) -> None:
    """What it claimed is there for others."""
    bounds = _bounds(desk, row)
    if bounds is None:
        return
    _read(desk, _Bounds(bounds.key, (), ()))
    if desk.claims.of(row.id):
        desk.claims.take(row.id, {})


def load(desk: Desk, rows: Sequence[Row]) -> None:
    """Read at once what many redemptions claim, before each gives it back."""
    keys = [bounds.key for row in rows if (bounds := _bounds(desk, row)) is not None]
    storing.read(
        connection_of(desk),
        desk.program_id,
        desk.claims,
        windows=(),
        own=keys,
        counters=(),
        is_locking=False,
    )


def limit_reached(reward_key: str) -> Problem:
    """409 `limit_reached`."""
    return Problem(
        409,
        "limit_reached",
        f"{reward_key} was redeemed as often as its limits allow; offer another reward, or this "
        "one later. Nothing changed.",
    )


def _read(desk: Desk, bounds: _Bounds) -> None:
    storing.read(
        connection_of(desk),
        desk.program_id,
        desk.claims,
        windows=[window for _, window in bounds.windows],
        own=[bounds.key],
        counters=[counter for _, counter in bounds.counters],
        is_locking=True,
    )


def _bounds(desk: Desk, row: Row) -> _Bounds | None:
    """None where nothing is limited."""
    program = _program(desk, row)
    reward = None if program is None else program.catalogue.find(row.reward_key)
    if program is None or reward is None or not reward.rule.limits:
        return None
    rule = reward.rule
    limits = [(one, span(one.period, row.held_at, program.zone)) for one in rule.limits]
    windows = tuple(
        (limit, (row.member_id, rule.key, of.start, of.end))
        for limit, of in limits
        if limit.per == "member"
    )
    counters = tuple(
        (limit, CounterKey(rule.key, limit.period, of.start, limit.unit))
        for limit, of in limits
        if limit.per == "program"
    )
    if not windows and not counters:
        return None
    return _Bounds(ClaimKey(row.member_id, rule.key, row.held_at, row.id), windows, counters)


def _program(desk: Desk, row: Row) -> Compiled | None:
    """The program as it was when a redemption was held; None where it takes of no limits."""
    if row.reward_key is None or row.grant_id is not None:
        return None
    if (row.version, row.switches) == desk.live.edition:
        return desk.live
    return versions.get_compiled(connection_of(desk), desk.program_id, row.version, row.switches)

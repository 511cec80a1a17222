"""Levels of the past that a refund undoes: stays that were over before it, or their terms.

What entering a level paid follows the orders that deserved it, however long ago. Notes which stays
are lost, or deserved again, by comparing where the orders lead to without and with the change;
what that takes or gives is for `tier_entries`. Refuses to move anybody's level now.
"""

from loyalty.tiers import moving
from loyalty.tiers.contributions import History
from loyalty.tiers.standing import LevelMove, Past, Standing, Stay
from storefront.plan import Plan
from storefront.tiers.places import Source

Path = list[tuple[int, Standing]]


def note(
    plan: Plan, member_id: bytes, source: Source, *, past: History, history: History, at: int
) -> None:
    """Note what a change of the past has lost as of an instant, and what it has brought back."""
    end = plan.now + 1
    paths = [list(moving.walked(one, at=plan.now)) for one in (past, history)]
    for level in plan.live.ladder.levels:
        before, after = (_stays(path, level.rank, end) for path in paths)
        if before == after:
            continue
        stood = Standing(level, 0)
        whence = (source.cause, source.type, source.ref, source.is_history)
        plan.level_moves.append(
            LevelMove(
                member_id, stood, stood, min(at, plan.now), *whence, past=Past(before, after, end)
            )
        )


def _stays(path: Path, rank: int, end: int) -> list[Stay]:
    """From when until when a path stands as high as a rank, each time."""
    found: list[Stay] = []
    since: int | None = None
    for at, standing in path:
        if standing.rank >= rank and since is None:
            since = at
        elif standing.rank < rank and since is not None:
            found.append((since, at))
            since = None
    return found if since is None else [*found, (since, end)]

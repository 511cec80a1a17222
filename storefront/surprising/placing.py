"""Places: where only every so-manieth member of a day has a chance, members who meet the condition
are counted, each once a day.

A place is kept whatever becomes of what happened: who comes after is the next one all the same.
Told anew, what happened takes no other (`earlier` sees to that), whoever it belongs to by then.
Exact under concurrency: a place is claimed last of all, under the condition that nobody else took
it meanwhile. Only surprises that count places are serialised by that. Refuses to draw.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from core import ids
from loyalty.limits import storing
from loyalty.limits.claims import Claim, ClaimKey, CounterKey
from programs.surprises import PLACE_PREFIX, Surprise
from rewards.surprises.carried import Chance
from rules.limits import span
from storefront.plan import Plan


@dataclass(frozen=True, slots=True)
class Place:
    """Which member of the day somebody is; None when they were counted that day before."""

    number: int | None
    is_turn: bool


def take(connection: sa.Connection, plan: Plan, surprise: Surprise, chance: Chance) -> Place:
    """Count a member who meets the condition, and see whether it is their turn."""
    assert surprise.every is not None
    claims, key = plan.claims, PLACE_PREFIX + surprise.key
    day = span("day", chance.at, plan.live.zone)
    window = (chance.member_id, key, day.start, day.end)
    counter = CounterKey(key, "day", day.start, "times")
    storing.read(
        connection,
        plan.program_id,
        claims,
        windows=[window],
        own=(),
        counters=[counter],
        is_locking=not plan.is_quote,
    )
    if claims.use(window, but=None).times:
        return Place(None, is_turn=False)
    number = claims.counted(counter, but=None) + 1
    # Nobody else's, or the unit starts again.
    claims.most[counter] = number
    source_id = ids.new_id()
    claim_key = ClaimKey(chance.member_id, key, chance.at, source_id)
    claims.take(source_id, {key: Claim(claim_key, 1, 0, 0, (counter,))})
    return Place(number, is_turn=number % surprise.every == 0)

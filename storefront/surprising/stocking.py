"""Prizes of which none is left: a reward with stock that is gone cannot be given, so nothing is
drawn for. Asked only of surprises whose prizes grant such rewards; read without a lock, since what
is taken is claimed last of all. Refuses to take any.
"""

import sqlalchemy as sa

from programs.surprises import Surprise
from rewards import stock
from storefront.plan import Plan


def is_gone(connection: sa.Connection, plan: Plan, surprise: Surprise) -> bool:
    """Whether some prize could not be given now."""
    firsts: dict[str, int] = {}
    for prize in surprise.prizes:
        for key in prize.reward_keys:
            reward = plan.live.catalogue.find(key)
            if reward is not None and reward.stock is not None:
                firsts[key] = reward.stock
    if not firsts:
        return False
    known = stock.read(connection, plan.program_id, sorted(firsts))
    for key, first in firsts.items():
        total, used = known.get(key, (first, 0))
        left = total - used - plan.rewards.stock.get(key, 0)
        if left < max(prize.reward_keys.count(key) for prize in surprise.prizes):
            return True
    return False

"""Pacing: how much of a surprise's probability its budget can bear (SEMANTICS 57)."""

import sqlalchemy as sa

from programs.surprises import CERTAIN_PPM, Surprise
from storefront.plan import Plan


def pace_ppm(connection: sa.Connection, plan: Plan, surprise: Surprise, *, at: int) -> int:
    """What is left of the probability, in millionths."""
    return CERTAIN_PPM

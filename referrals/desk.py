"""What the verbs of referrals need of the unit of work they are called in."""

from typing import Protocol

from referrals.carried import Carried
from rewards.desk import Desk as RewardsDesk
from rewards.desk import connection_of

__all__ = ["Desk", "connection_of"]


class Desk(RewardsDesk, Protocol):
    """A unit of work: the plan of the storefront is one."""

    referrals: Carried

"""What follows a redemption: its voucher is reserved, becomes usable or void with it, and the grant
that it uses is open again where it was given up.

One line here for each thing that hangs on a redemption. Refuses to end a redemption.
"""

from rewards.carried import Row
from rewards.desk import Desk


def held(desk: Desk, row: Row) -> None:
    """It was held."""


def captured(desk: Desk, row: Row) -> None:
    """It was captured."""


def given_up(desk: Desk, row: Row) -> None:
    """It was released, or ran out."""


def reversed_(desk: Desk, row: Row) -> None:
    """It is about to be reversed; 409 `state_conflict` where what hangs on it was used."""

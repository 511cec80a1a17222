"""What follows a redemption: its voucher is reserved, becomes usable or void with it, and the grant
that it uses is open again where it was given up.

One line here for each thing that hangs on a redemption. Refuses to end a redemption.
"""

from rewards import coupons, fulfilments, grants
from rewards.carried import Row
from rewards.desk import Desk


def held(desk: Desk, row: Row) -> None:
    """It was held."""
    if row.grant_id is not None:
        grant = grants.find_by_id(desk, row.grant_id)
        assert grant is not None
        grants.use(desk, grant, row.id)
    coupons.held(desk, row)


def captured(desk: Desk, row: Row) -> None:
    """It was captured; an order that captures it is its `kept_by` by now."""
    coupons.captured(desk, row)
    fulfilments.captured(desk, row)


def given_up(desk: Desk, row: Row) -> None:
    """It was released, or ran out."""
    coupons.given_up(desk, row)
    _give_grant_up(desk, row)


def reversed_(desk: Desk, row: Row) -> None:
    """It is about to be reversed; 409 `state_conflict` where what hangs on it was used."""
    coupons.reversed_(desk, row)
    fulfilments.reversed_(desk, row)
    _give_grant_up(desk, row)


def _give_grant_up(desk: Desk, row: Row) -> None:
    grant = None if row.grant_id is None else grants.find_by_id(desk, row.grant_id)
    if grant is not None and grant.redemption_id == row.id:
        grants.give_up(desk, grant)

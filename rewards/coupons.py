"""Coupons: the vouchers that come with redemptions, and what becomes of them with these.

While the redemption is held its code is reserved and shown. Captured with an order, a discount's
code is used by that order; otherwise it can be used from then on. Given up, a pool gets its code
back, and a generated one is void until the same redemption is held again.
"""

from programs.rewards import STORED_VALUE
from rewards import issuing, spending, vouchers
from rewards.carried import Row
from rewards.desk import Desk


def held(desk: Desk, row: Row) -> None:
    """Reserve a code: the same again where the redemption had one."""
    terms = row.frozen
    if terms.voucher is None:
        return
    if row.voucher_id is not None:
        known = vouchers.get(desk, row.voucher_id)
        if known.redemption_id == row.id and vouchers.revive(desk, known, "reserved"):
            return
    issued = issuing.issue(
        desk,
        terms,
        member_id=row.member_id,
        redemption_id=row.id,
        state="reserved",
        at=desk.now,
    )
    row.voucher_id = issued.id


def captured(desk: Desk, row: Row) -> None:
    """The code can be used, or the order that captured it has used it."""
    if row.voucher_id is None:
        return
    voucher = vouchers.get(desk, row.voucher_id)
    vouchers.activate(desk, voucher)
    if row.kept_by is not None and _is_used_with(desk, row):
        spending.use(
            desk,
            voucher,
            row.kept_by,
            member_id=row.member_id,
            minor=row.discount_minor or 0,
        )


def _is_used_with(desk: Desk, row: Row) -> bool:
    """Whether the order that captured it has had what its code is for: all but money that is spent
    in parts, and a product that the order does not hold."""
    terms = row.frozen
    if terms.kind in STORED_VALUE:
        return False
    return terms.kind != "free_product" or terms.sku in desk.rewards.skus.get(row.kept_by, ())


def given_up(desk: Desk, row: Row) -> None:
    """Nobody has the code any more."""
    if row.voucher_id is None:
        return
    voucher = vouchers.get(desk, row.voucher_id)
    if voucher.pool_key is not None:
        row.voucher_id = None
    vouchers.return_to_pool(desk, voucher)


def reversed_(desk: Desk, row: Row) -> None:
    """The code is void; 409 `state_conflict` where another order uses it than the one that the
    redemption is of."""
    if row.voucher_id is None:
        return
    voucher = vouchers.get(desk, row.voucher_id)
    problem = spending.unreversible(desk, voucher, row.kept_by)
    if row.kept_by is not None:
        # Where others use it too, its own use goes back all the same.
        spending.release(desk, voucher, row.kept_by)
    if problem is not None:
        raise problem
    vouchers.void(desk, voucher)

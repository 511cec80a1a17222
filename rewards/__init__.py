"""Rewards: what points are worth. Redemptions, vouchers, gift cards, grants, stock, fulfilments.

Points move by `loyalty.ledger` alone. Refuses to know orders: the storefront says what they do to
a redemption, a voucher or a grant.
"""

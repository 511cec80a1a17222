"""Voucher codes and gift cards at the checkout, and pools of imported codes.

Refuses the rows of vouchers: `rewards` has them.
"""

"""Budgets of the use cases: what surprises and referral offers may cost, what of it is used, and
the alerts before it is gone. What is taken of them is claimed by who pays."""

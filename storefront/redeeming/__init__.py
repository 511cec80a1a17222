"""Redeeming at the checkout: what can be had for points, holding it, and what orders make of it.

Refuses the rows of rewards: `rewards` has them.
"""

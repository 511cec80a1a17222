"""Loyalty: the ledger of points with its lots, how orders earn, and tiers.

Owns every row that says how many points a member has; `loyalty.ledger` alone writes them.
Refuses to know the shape of an order: it is given money, quantities and facts.
"""

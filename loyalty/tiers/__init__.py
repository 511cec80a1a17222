"""Tiers: which level a member stands on, and until when.

Owns the ladder's arithmetic (`moving`), what windows hold (`contributions`), the multiplier
(`factor`), and the rows of where members stand. Spending points never lowers a level; refunds can,
and time can where the program says so. Refuses to decide by anything but instants and sums.
"""

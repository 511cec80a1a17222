"""What a browser may ask: the public face of a program, and a member's own affairs.

Only by a publishable key or a member's token. Refuses cost, weights, budgets, holdout, paused items
and everybody else.
"""

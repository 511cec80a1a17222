"""Limits as they are used: what each source claims of them, and counters of what all share.

Owns the claims and the counters: `claims` holds them in memory for one unit of work, `storing`
reads and writes them. Refuses to decide what is given; `rules.limits` says what is left.
"""

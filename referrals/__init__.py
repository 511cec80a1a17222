"""Referrals: who brought whom, by which link, and what becomes of it.

Owns links and their codes, clicks, the choice among evidence, referrals with their two sides and
the log of what became of them, traces by which one person is known under two names, milestones.
Refuses to pay: what a side deserves is decided and written by the storefront's units of work.
"""

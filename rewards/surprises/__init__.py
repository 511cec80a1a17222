"""Surprises: rewards that nobody asked for, within guards, budgets and holdouts.

Owns the guards in their order, the holdout and the notes. Refuses to give anything: what a prize
brings is paid by the storefront's one engine.
"""

"""Segments: named conditions over members, evaluated in Python for one and in SQL for all.

Owns the facts that only all members together or all orders of one can give (rank by spend, own
rhythm), and who is in which segment. Refuses to decide anything: rules ask it for facts.
"""

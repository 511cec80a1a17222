"""Rewards given without points, by rules and by hand, and the fulfilment of what staff sends.

Refuses the rows of grants: `rewards` has them.
"""

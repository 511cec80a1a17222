"""A member's life with the program: signing up, moving in, claiming, merging, being erased.
Refuses to know what a rule pays.
"""

"""Fairness: what anybody may check of draws.

Owns the closing of epochs, and receipts, seeds and roots as they are shown. Refuses to draw, and
to show a seed whose epoch is open.
"""

"""Luck: draws that anybody can check afterwards.

Owns the chain of seeds, epochs, receipts and their daily roots. Refuses to know rules: it is told
chances and answers rolls.
"""

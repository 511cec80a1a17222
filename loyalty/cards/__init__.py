"""Stamp cards: what stands of each stamp, and which completions were claimed.

Stamps are facts: each source has so many on a card. How full a card is and when it expires is
derived from them (`folding`). A completion is a claim: taken once, given back when its stamps
fall, taken again before a new one (`held`). Refuses to pay: the use cases do.
"""

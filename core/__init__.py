"""What every package stands on: databases, ids, time, money, errors, HTTP, keys, paging, outbox.

Owns mechanisms and no domain word: nothing here knows what a member, an order or a point is.
"""

"""The ledger: points move between buckets by entries that are only ever appended.

The single writer of accounts, entries, allocations, lots and holds. An entry takes from one
bucket what it puts into another, so an account balances by construction; it carries the balances
after it and a hash over the entry before it, so that a chain per account can be proved. Refuses
to know why points move: callers bring a cause.
"""

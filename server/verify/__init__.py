"""`flask ledger verify`: every balance, lot, claim and chain of a program recomputed.

Owns one module for each thing that is proved, which `whole` puts together. Refuses to mend: what
does not agree is named, row by row.
"""

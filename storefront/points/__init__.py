"""Points as such: adjustments, transfers, holds, statements, proofs, the test clock. Refuses to
write the ledger otherwise than by `loyalty.ledger`.
"""

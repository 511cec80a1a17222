"""What the program comes to: reports for the accountant and the founder, read and never written.

Refuses to decide anything, and to count what the ledger does not say.
"""

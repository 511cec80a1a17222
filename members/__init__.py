"""Members: who they are, how to reach them, what they consented to.

Owns personal data (nothing above stores any), contact digests for matching, consents, and facts
about a member's person. Refuses to know orders and points.
"""

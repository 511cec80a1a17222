"""Holdouts: members whom no surprise, or one of them, ever reaches (SEMANTICS 56).

A member's bucket is a digest of a salt and the reference that they were created with, so it never
changes, and a larger share only adds members. The salts are the program's own and differ by rule:
who is held out of one is no more likely to be held out of another.
"""

import hashlib

BUCKETS = 10_000


def bucket(salt: str, member_ref: str) -> int:
    """From 0 to 9,999: SHA-256 of salt, colon and reference, as a share of its range."""
    digest = hashlib.sha256(f"{salt}:{member_ref}".encode()).digest()
    return int.from_bytes(digest, "big") * BUCKETS >> 256


def is_held(salt: str, member_ref: str, share_bp: int) -> bool:
    """Whether a share of all members, in basis points, has this one in it."""
    return share_bp > 0 and bucket(salt, member_ref) < share_bp


def program_salt(program_salt: str) -> str:
    """The salt of the whole program's holdout."""
    return f"{program_salt}:program"


def rule_salt(program_salt: str, key: str) -> str:
    """The salt of one surprise's holdout."""
    return f"{program_salt}:surprise:{key}"

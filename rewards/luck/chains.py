"""Chains of seeds, each the hash of the next one (pure).

The first seed of a chain is its anchor, published before anything is drawn; the last one is
random. Seeds are used from the front, so one that is revealed tells nothing of those to come, and
everything of those before: hashed as often as its place says, it is the anchor.
"""

import hashlib
import os

#: Seeds of a chain that are drawn with: at one epoch a day they last for eleven years.
LENGTH = 4096
SEED_BYTES = 32


class BrokenChainError(ValueError):
    """A seed that does not lead to the anchor that was published."""


def new_last() -> bytes:
    """The last seed of a new chain, which no one can know."""
    return os.urandom(SEED_BYTES)


def back(seed: bytes, steps: int) -> bytes:
    """The seed so many places before."""
    for _ in range(steps):
        seed = hashlib.sha256(seed).digest()
    return seed


def seed_at(last: bytes, place: int, *, length: int, anchor: bytes) -> bytes:
    """The seed of a place, 1 to `length`, from the last one.

    BrokenChainError when it does not lead to the anchor: nothing may be drawn with it.
    """
    if not 1 <= place <= length:
        raise BrokenChainError(f"a chain of {length} seeds has none at place {place}")
    seed = back(last, length - place)
    if back(seed, place) != anchor:
        raise BrokenChainError("the seed does not lead to the anchor that was published")
    return seed

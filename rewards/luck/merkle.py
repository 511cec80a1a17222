"""Merkle trees as in RFC 6962, section 2.1: one root for many receipts, and proofs (pure).

A leaf is hashed behind 0x00 and a node behind 0x01; where leaves do not pair up, the left side
holds the largest power of two. Memory grows with the logarithm of the leaves.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

#: The root of nothing.
EMPTY = hashlib.sha256(b"").digest()
#: Leaves below one kept node: a proof needs those of one block, and the nodes of all.
BLOCK = 256


def leaf(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two nodes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Tree:
    """A tree that grows leaf by leaf: its complete subtrees, the largest first."""

    count: int = 0
    _peaks: list[bytes] = field(default_factory=list)

    def add(self, hashed: bytes) -> None:
        """Add the hash of a leaf, or of a subtree where all are of one size."""
        self.count += 1
        whole = self.count
        while not whole & 1:
            hashed = node(self._peaks.pop(), hashed)
            whole >>= 1
        self._peaks.append(hashed)

    def root(self) -> bytes:
        """The hash over all that was added."""
        if not self._peaks:
            return EMPTY
        found = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            found = node(peak, found)
        return found


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over the hashes of leaves."""
    tree = Tree()
    for one in hashes:
        tree.add(one)
    return tree.root()


def proof(hashes: Sequence[bytes], place: int) -> list[bytes]:
    """What the leaf at a place is hashed with on its way to the root, from below."""
    if len(hashes) == 1:
        return []
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if place < split:
        return [*proof(hashes[:split], place), root(hashes[split:])]
    return [*proof(hashes[split:], place - split), root(hashes[:split])]


def root_of_proof(hashed: bytes, place: int, count: int, *, path: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to (RFC 9162, 2.1.3.2); None when it is of no such tree."""
    if not 0 <= place < count:
        return None
    last = count - 1
    for one in path:
        if not last:
            return None
        if place & 1 or place == last:
            hashed = node(one, hashed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hashed = node(hashed, one)
        place, last = place >> 1, last >> 1
    return None if last else hashed

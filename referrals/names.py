"""Names that are alike: written in another order, with an initial, or with a slip of the finger.

Compared as letters without case, accents and punctuation; Hangul by its jamo, so that one wrong
key is one difference as it is in Latin. Refuses to store anything: names are compared as members
have them now. Alike is no proof (families share names), so it never decides alone.
"""

import itertools
import unicodedata

#: From so many letters on one difference is a slip; from so many on two are.
ONE_SLIP_FROM = 6
TWO_SLIPS_FROM = 12
#: Longer names, and those of more parts in another order, are compared as they are.
_LETTERS_MOST = 64
_PARTS_MOST = 3


def tokens(name: str) -> tuple[str, ...]:
    """The parts of a name, each as bare letters, in an order of their own."""
    letters = (
        symbol
        for symbol in unicodedata.normalize("NFKD", name).casefold()
        if unicodedata.category(symbol)[0] != "M"
    )
    bare = "".join(symbol if symbol.isalnum() else " " for symbol in letters)
    return tuple(sorted(bare.split()))


def are_alike(one: str, other: str) -> bool:
    """Whether two names could be one person's."""
    first, second = tokens(one), tokens(other)
    if not first or not second:
        return False
    if first == second or _have_initials(first, second):
        return True
    if "".join(first) == "".join(second):
        return True
    # A slip in a first letter changes the order of the parts.
    orders = itertools.permutations(second) if len(second) <= _PARTS_MOST else [second]
    return any(_differ_by_slip(" ".join(first), " ".join(order)) for order in orders)


def _have_initials(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether they are the same but for initials: M. Kim and Minji Kim. A whole part must agree."""
    shared = [one for one in first if one in second and len(one) > 1]
    if len(first) != len(second) or not shared:
        return False
    left = sorted(set(first) - set(shared))
    right = sorted(set(second) - set(shared))
    return len(left) == len(right) and all(
        one[0] == other[0] and 1 in (len(one), len(other))
        for one, other in zip(left, right, strict=True)
    )


def _differ_by_slip(one: str, other: str) -> bool:
    shorter = min(len(one), len(other))
    if not ONE_SLIP_FROM <= shorter <= _LETTERS_MOST:
        return False
    most = 2 if shorter >= TWO_SLIPS_FROM else 1
    return abs(len(one) - len(other)) <= most and _distance(one, other) <= most


def _distance(one: str, other: str) -> int:
    """How many letters must be added, dropped or changed to make one the other."""
    row = list(range(len(other) + 1))
    for count, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], count
        for place, against in enumerate(other, start=1):
            changed = diagonal + (letter != against)
            diagonal = row[place]
            row[place] = min(changed, row[place] + 1, row[place - 1] + 1)
    return row[-1]

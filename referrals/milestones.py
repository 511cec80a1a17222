"""Milestones: which of them a number of approved friends reaches.

Pure. A milestone that repeats is reached once more at each further so many friends; what was
reached is numbered from 1. Refuses to know what a milestone brings.
"""

from collections.abc import Iterable

#: Which milestone of an offer: at so many friends, for the so manyth time.
Reached = tuple[int, int]
#: The numbers of what was reached twice by two members who turned out to be one, and had been
#: taken back by then, start below this: it never stands again.
_NEVER = 0


def reached(friends: int, milestones: Iterable[tuple[int, bool]]) -> list[Reached]:
    """What so many friends reach of milestones, each given as its count and whether it repeats;
    the ones of fewer friends first."""
    found = [
        (at, number)
        for at, repeats in milestones
        for number in range(1, (friends // at if repeats else min(friends // at, 1)) + 1)
    ]
    return sorted(found, key=lambda one: (one[0] * one[1], one[0]))


def stands(friends: int, one: Reached) -> bool:
    """Whether what was reached once still is: by the count that it was promised for, whatever
    the offer says by now."""
    at, number = one
    return number > _NEVER and friends >= at * number


def renumbered(
    kept: Iterable[tuple[Reached, bool]], added: Iterable[tuple[Reached, bool]]
) -> dict[Reached, Reached]:
    """Which numbers the milestones `added` of one member get among those `kept` of another whose
    friends are counted together, each given with whether it stands.

    Both reached the first one at so many friends, so together they have enough for a second one:
    nothing is paid twice for the same friends. One that was taken back already stays so.
    """
    taken = {one for one, _ in kept}
    found: dict[Reached, Reached] = {}
    ordered = sorted(added, key=lambda one: (not one[1], one[0]))
    for (at, number), is_standing in ordered:
        place = (at, number)
        if place in taken:
            numbers = [other for of, other in taken if of == at]
            place = (at, max(numbers) + 1 if is_standing else min(*numbers, _NEVER + 1) - 1)
        taken.add(place)
        found[at, number] = place
    return found

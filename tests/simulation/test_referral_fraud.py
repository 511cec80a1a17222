"""A simulated referral programme: honest friends are paid, cheats are not, whatever arrives when.

Small by default; REFERRAL_PEOPLE=2000 plays the whole of it (2,000 advocates, 20,000 clicks, 3,000
honest friends, 500 cheats), REFERRAL_SEED draws other people.
"""

import os
from collections.abc import Callable

from tests.simulation.referral_people import People, draw
from tests.simulation.referral_run import ADVOCATE, DOCUMENT, FRIEND, MILESTONE, Outcome, play
from tests.world import World

MakeWorld = Callable[..., World]

ADVOCATES = int(os.environ.get("REFERRAL_PEOPLE", "20"))
SEED = int(os.environ.get("REFERRAL_SEED", "1"))


def _people() -> People:
    return draw(
        SEED,
        advocates=ADVOCATES,
        clicks=10 * ADVOCATES,
        honest=ADVOCATES * 3 // 2,
        cheats=max(18, ADVOCATES // 4),
    )


def test_cheats_are_not_paid_and_honest_friends_are_whatever_arrives_when(
    make_world: MakeWorld,
) -> None:
    people = _people()
    world = make_world(**DOCUMENT)
    in_time = play(world, people, delivery=None)
    _check(people, in_time)
    assert world.verify()["mismatches"] == []
    other = make_world(**DOCUMENT)
    late = play(other, people, delivery=SEED)
    _check(people, late)
    assert other.verify()["mismatches"] == []
    assert (late.balances, late.paid) == (in_time.balances, in_time.paid)
    assert late.advocate_of == in_time.advocate_of


def _check(people: People, found: Outcome) -> None:
    assert found.machine_tokens == 0
    honest = [one for one in people.friends if one.kind == "honest"]
    cheats = [one for one in people.friends if one.kind != "honest"]
    assert not [one.person.ref for one in cheats if found.paid.get(one.person.ref)]
    waiting = {ref for ref, (state, _) in found.states.items() if state == "in_review"}
    # Honest friends whose order deserves it are paid, but for those whom somebody looks at first.
    refused = [
        (one.person.ref, found.states.get(one.person.ref))
        for one in honest
        if one.deserves and not found.paid.get(one.person.ref) and one.person.ref not in waiting
    ]
    assert len(refused) * 100 <= len(honest), refused
    seen = [one.person.ref for one in honest if one.person.ref in waiting]
    assert len(seen) * 20 <= len(honest) or ADVOCATES < 200, seen
    undeserved = [
        one.person.ref for one in honest if not one.deserves and found.paid.get(one.person.ref)
    ]
    assert not undeserved
    for one in honest:
        assert found.advocate_of[one.person.ref] == one.advocate
    _check_sums(people, found)


def _check_sums(people: People, found: Outcome) -> None:
    """Each balance is what the friends who were paid for come to, to the point."""
    expected = dict.fromkeys(found.balances, 0)
    brought: dict[str, int] = {}
    for one in people.friends:
        if one.kind == "honest" and found.paid.get(one.person.ref):
            expected[one.person.ref] += FRIEND
            brought[one.advocate] = brought.get(one.advocate, 0) + 1
    for ref, count in brought.items():
        expected[ref] += ADVOCATE * count + (MILESTONE if count >= 3 else 0)
    assert found.balances == expected

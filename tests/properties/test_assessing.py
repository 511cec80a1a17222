"""Looking at everybody in SQL equals looking at each member in Python, under any two ladders."""

import itertools
import random  # noqa: TID251
from collections import Counter
from dataclasses import replace

import pytest
from flask import Flask

from core import clock, db, ids
from loyalty.tiers import moving
from loyalty.tiers.standing import Place
from loyalty.tiers.sums import Scope
from programs import drafts, versions
from programs.compiled import Compiled, compile_document
from storefront import impact
from storefront.tiers import assessing
from tests.properties import tier_worlds
from tests.properties.tier_worlds import NOW, SEOUL, Person
from tests.world import World, document

WORLDS, MEMBERS = 40, 40


def _world(app: Flask, tiers: dict[str, object]) -> tuple[World, bytes]:
    world = World(app, tiers=tiers)
    world.set_clock(clock.format_instant(NOW))
    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    return world, program_id


def _live(program_id: bytes) -> Compiled:
    return db.reading(lambda connection: versions.get_live(connection, program_id))[0]


def _draft(program_id: bytes) -> Compiled:
    written, _ = db.reading(lambda connection: drafts.read(connection, program_id))
    return compile_document(program_id, 2, written)


def naive(live: Compiled, person: Person, place: Place) -> Place:
    """Where a member stands once they were looked at under the ladder, all by themselves."""
    ladder, derived, history = live.ladder, place.derived, person.history(live.ladder)
    if ladder.has_term and derived.level is not None and derived.until is None:
        derived = replace(derived, until=moving.term_end(ladder, NOW, SEOUL))
    steps = moving.forward(ladder, derived, history, to=NOW)
    derived = steps[-1][1] if steps else derived
    derived = moving.bought(ladder, derived, history.values(NOW), at=NOW, zone=SEOUL)
    change = moving.next_change(ladder, derived, history, now=NOW)
    dates = [at for at in place.ends if at > NOW] + ([] if change is None else [change])
    return replace(place, derived=derived, due_at=min(dates, default=None))


def _shown(place: Place) -> tuple[object, ...]:
    derived = place.derived
    since = derived.since if derived.level is not None else 0
    return (derived.key, since, derived.until, derived.grace_until, derived.is_at_risk)


@pytest.mark.parametrize("seed", range(WORLDS))
def test_everybody_ends_where_they_would_alone(app: Flask, seed: int) -> None:
    chance = random.Random(seed)
    world, program_id = _world(app, tier_worlds.ladder_document(chance))
    with app.app_context():
        found = tier_worlds.people(chance, _live(program_id).ladder, count=MEMBERS)
        tier_worlds.write(program_id, found)
    world.publish(tiers=tier_worlds.ladder_document(chance))
    with app.app_context():
        live = _live(program_id)
        before = tier_worlds.places(program_id, live.ladder)
        ids_found = assessing.find(program_id)
        moved = {bytes(ids_found[at : at + 16]) for at in range(0, len(ids_found), 16)}
        assert assessing.reassess(program_id) == len(moved)
        after = tier_worlds.places(program_id, live.ladder)
        for person in found:
            expected = naive(live, person, before.get(person.id, Place()))
            place = after.get(person.id, Place())
            assert _shown(place) == _shown(expected)
            if expected.due_at is not None:
                assert place.due_at is not None and place.due_at <= expected.due_at
        again = len(assessing.find(program_id)) // 16
        assert again <= len(moved)


def _is_unsure(live: Compiled, person: Person) -> bool:
    """Whether sums cannot tell: points were taken, or of a rolling window more than one thing, or
    one and a term, come to an end within the same few days."""
    if any(one.points < 0 for one in person.contributions):
        return True
    dates = sorted(one.at for one in person.contributions)
    days = 5 * 86_400 * clock.SECOND
    is_close = any(later - earlier < days for earlier, later in itertools.pairwise(dates))
    ends = {person.place.derived.until, *person.place.ends}
    return live.ladder.window == "rolling" and (is_close or person.place.due_at in ends)


@pytest.mark.parametrize("seed", range(WORLDS))
def test_nobody_is_looked_at_whom_the_same_ladder_placed(app: Flask, seed: int) -> None:
    chance = random.Random(seed)
    _, program_id = _world(app, tier_worlds.ladder_document(chance))
    with app.app_context():
        live = _live(program_id)
        found = tier_worlds.people(chance, live.ladder, count=MEMBERS)
        tier_worlds.write(program_id, found)
        ids_found = assessing.find(program_id)
        moved = {bytes(ids_found[at : at + 16]) for at in range(0, len(ids_found), 16)}
        for person in found:
            if person.id in moved:
                assert _is_unsure(live, person)
        some = [person.id for person in found[::3]]
        named = assessing.find(program_id, some)
        assert {bytes(named[at : at + 16]) for at in range(0, len(named), 16)} == moved & {*some}


@pytest.mark.parametrize("seed", range(WORLDS))
def test_the_preview_counts_what_each_member_would_come_to(app: Flask, seed: int) -> None:
    chance = random.Random(1000 + seed)
    world, program_id = _world(app, tier_worlds.ladder_document(chance))
    world.put("/program/draft", document(tiers=tier_worlds.ladder_document(chance)))
    with app.app_context():
        live, draft = _live(program_id), _draft(program_id)
        found = tier_worlds.people(chance, live.ladder, count=MEMBERS)
        tier_worlds.write(program_id, found)
        counted = db.reading(lambda connection: impact.count(connection, live, draft, now=NOW))
        scopes = [Scope(one.ladder, one.zone, NOW) for one in (live, draft)]
        expected: impact.Pairs = Counter()
        kept = [tier_worlds.places(program_id, scope.ladder) for scope in scopes]
        for person in found:
            if not person.contributions and person.place == Place():
                continue
            first, second = (
                impact.outlook_of(
                    scope, places.get(person.id, Place()), person.history(scope.ladder)
                )
                for scope, places in zip(scopes, kept, strict=True)
            )
            expected[first, second] += 1
    # Whoever has nothing that the ladders measure stands nowhere, counted or not.
    assert _somewhere(counted) == _somewhere(expected)


def _somewhere(counted: impact.Pairs) -> impact.Pairs:
    found = {
        pair: members
        for pair, members in counted.items()
        if any(side.now or side.at_end for side in pair)
    }
    return Counter(found)

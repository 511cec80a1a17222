"""Replaying: one life of a scratch program, from its first version to the end of a period.

Owns the order of things: what was told in the order of arrival, what falls due when its clock
passes, and the publication of the tested document where the period begins.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import sqlalchemy as sa

from analytics.backtests import scratch
from analytics.backtests.luck import Luck, end_of_day
from analytics.backtests.scratch import Original, Scratch
from analytics.backtests.telling import Teller
from analytics.backtests.told import Bounds, Fact, Told
from core import clock, db
from programs import versions
from programs.compiled import Compiled
from segments.facts import SPEND_RANK
from storefront import due

#: Orders told in one unit of work.
TOGETHER = 100
#: So many instants of a day are gone through one by one; what is due at more of them is settled
#: when the day is over, each still as of its own instant.
_STEPS = 24
#: Processes may record what they are told at once in another order than it comes, by so much; what
#: lies further back came before a test program's clock was first set.
_ASKEW = 3600 * clock.SECOND


class Stopped(Exception):  # noqa: N818
    """Whoever asked for it no longer wants it."""


@dataclass(slots=True)
class Life:
    """What a replay needs to know, and how far it has come."""

    copy: Scratch
    told: Told
    original: Original
    bounds: Bounds
    document: str
    #: The program's clock: nothing falls due behind it.
    until: int
    #: Told how many facts have been told; raises `Stopped` when it is to go no further.
    go_on: Callable[[int], None]
    #: Seeds, where anything is ever drawn.
    luck: Luck | None = None
    done: int = 0
    now: int = -(2**62)
    is_published: bool = False


def warm_up(life: Life) -> Teller:
    """Live up to where the tested document is published, without it; who goes on from there."""
    teller = teller_of(life)
    before = life.bounds.last_id
    if life.bounds.cut_id is not None and before is not None:
        before = min(before, _just_before(life.bounds.cut_id))
    with life.copy.entered():
        luck = life.luck
        if luck is not None:
            db.in_transaction(lambda connection: luck.begin(connection, life.copy.program_id))
        _tell_all(life, teller, after=b"", upto=before)
        if life.bounds.last_id is not None or life.bounds.cut_at <= life.until:
            _pass(life, min(life.bounds.cut_at, life.until))
    return teller


def finish(life: Life, teller: Teller, *, to_at: int) -> None:
    """Publish the tested document and live on to the end of the period."""
    with life.copy.entered():
        at = clock.Instant(max(life.bounds.cut_at, life.now))
        scratch.publish(life.copy.program_id, life.document, at=at)
        life.is_published, life.now = True, at
        cut = life.bounds.cut_id
        if cut is not None:
            _tell_all(life, teller, after=_just_before(cut), upto=life.bounds.last_id)
        _pass(life, min(max(to_at, life.now), life.until))
        # Who is in which segment matters at the end alone.
        due.settle_all(life.copy.program_id)


def teller_of(life: Life) -> Teller:
    """Who tells facts to a life."""
    return Teller(life.copy.program_id, has_rewards=lambda: _has_rewards(life))


def part(life: Life, copy: Scratch, number: int) -> Life:
    """A further life from here on, with other luck, in a copy of the scratch."""
    luck = None if life.luck is None else life.luck.another(number)
    twin = replace(life, copy=copy, luck=luck)
    if luck is not None:
        with copy.entered():
            db.in_transaction(lambda connection: luck.begin_own(connection, copy.program_id))
    return twin


def _just_before(fact_id: bytes) -> bytes:
    return (int.from_bytes(fact_id, "big") - 1).to_bytes(16, "big")


def _has_rewards(life: Life) -> bool:
    live = db.reading(lambda connection: versions.get_live(connection, life.copy.program_id)[0])
    return bool(live.catalogue.rewards)


def _tell_all(life: Life, teller: Teller, *, after: bytes, upto: bytes | None) -> None:
    waiting: list[Fact] = []
    refs: set[str] = set()
    midnight = life.now

    def tell() -> None:
        if waiting:
            teller.tell_together(waiting)
            life.done += len(waiting)
            waiting.clear()
            refs.clear()
            life.go_on(life.done)

    for fact in life.told.read(upto, after=after):
        if fact.kind in ("version", "switch"):
            tell()
            _change(life, fact)
            continue
        if fact.recorded_at < life.now - _ASKEW:
            tell()
            life.now = midnight = fact.recorded_at
        if fact.recorded_at >= midnight:
            tell()
            midnight = _pass(life, fact.recorded_at)
        if not teller.can_join(fact) or fact.ref in refs:
            tell()
        waiting.append(fact)
        refs.add(fact.ref)
        if not teller.can_join(fact):
            _tell_alone(life, teller, waiting)
            refs.clear()
        elif len(waiting) == TOGETHER:
            tell()
    tell()


def _tell_alone(life: Life, teller: Teller, waiting: list[Fact]) -> None:
    [fact] = waiting
    waiting.clear()
    teller.tell(fact)
    life.done += 1
    life.go_on(life.done)


def _change(life: Life, fact: Fact) -> None:
    """Publish a version, or throw a switch, as it was. Under the tested document no other version
    is published; switches are thrown all the same."""
    number = int(fact.ref)
    program_id = life.copy.program_id
    at = max(fact.recorded_at, life.now)
    if fact.kind == "switch":
        db.in_transaction(lambda connection: scratch.set_clock(connection, program_id, at))
        scratch.throw_again(program_id, life.original.switches[number])
    elif number > 1 and not life.is_published:
        db.in_transaction(lambda connection: scratch.set_clock(connection, program_id, at))
        scratch.publish_again(program_id, life.original.versions[number])


def _pass(life: Life, to: int) -> int:
    """Let time pass: what falls due on the way is settled in its order; when to look again: the
    next midnight of the program, or of the days of draws."""
    program_id = life.copy.program_id
    steps, settled_at = 0, None
    while True:
        life.go_on(life.done)
        live, following = db.reading(lambda connection: _following(connection, program_id))
        is_looking = SPEND_RANK in live.asked
        if following is None or following > to:
            break
        if following == settled_at:
            # Something waits for what will not come: the others are settled where this ends.
            life.now = max(life.now, to)
            _set(life, life.now)
            due.settle_all(program_id, is_looking=is_looking)
            break
        at = max(following, life.now)
        settled_at = None if following > life.now else following
        steps += 1
        if steps > _STEPS:
            at, steps = min(to, _midnight(life, live, at)), 0
        life.now = at
        _set(life, at)
        due.settle_all(program_id, is_looking=is_looking)
    life.now = max(life.now, to)
    _set(life, life.now)
    return _midnight(life, live, life.now)


def _midnight(life: Life, live: Compiled, at: int) -> int:
    midnight = clock.end_of_day(clock.local_date(at, live.zone), live.zone)
    return midnight if life.luck is None else min(midnight, end_of_day(at))


def _set(life: Life, at: int) -> None:
    """Set the clock, and open the epoch of its day."""

    def work(connection: sa.Connection) -> None:
        scratch.set_clock(connection, life.copy.program_id, at)
        if life.luck is not None:
            life.luck.open_day(connection, life.copy.program_id, at)

    db.in_transaction(work)


def _following(connection: sa.Connection, program_id: bytes) -> tuple[Compiled, int | None]:
    live, _ = versions.get_live(connection, program_id)
    # Only ranks are asked for by what is told: nobody hears who enters a segment here.
    is_looking = SPEND_RANK in live.asked
    return live, due.next_due(connection, program_id, is_looking=is_looking)

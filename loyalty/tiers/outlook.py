"""Where everybody would stand under another ladder, at once and when their terms are over.

Owns one statement that counts the members of a program by what is known of them: the level held
with its term, and which levels their windows reach and keep, under two ladders at once. What
follows from that is judged here for each group, by the rules of `loyalty.tiers.moving`. Refuses to
look at members one by one; those of whom sums do not tell enough are left out and listed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock
from loyalty.tiers import sums
from loyalty.tiers.models import TIERS
from loyalty.tiers.moving import term_end
from loyalty.tiers.sums import Scope
from programs.ladder import BEGINNING, Ladder

_NO_GRACE = -1


@dataclass(frozen=True, slots=True)
class Outlook:
    """The keys of the levels on which members stand at once, and when their term is over."""

    now: str | None
    at_end: str | None


@dataclass(frozen=True, slots=True)
class _Look:
    """What sums say of a group of members under one ladder: the rank held, the rank reached, and
    whether the level is kept now; at the end whether it is kept, and what else is reached."""

    held: int
    reached: int
    is_kept: bool
    is_kept_at_end: bool
    reached_at_end: int


@dataclass(frozen=True, slots=True)
class _Promises:
    """What is promised to a group of members, whichever ladder there is."""

    until: int | None
    grace_until: int | None
    manual_key: str | None
    manual_until: int | None
    assured_key: str | None
    assured_until: int | None


def terms(connection: sa.Connection, program_id: bytes) -> list[tuple[int, int | None]]:
    """Every end of a term that somebody has, each with the end of the grace that goes with it."""
    rows = connection.execute(
        sa.select(TIERS.c.until, TIERS.c.grace_until)
        .where(TIERS.c.program_id == program_id, TIERS.c.until.is_not(None))
        .distinct()
    )
    return [(until, grace_until) for until, grace_until in rows]


def count(
    connection: sa.Connection,
    program_id: bytes,
    scopes: tuple[Scope, Scope],
    ends: Sequence[tuple[int, int | None]],
) -> Iterator[tuple[tuple[Outlook, Outlook], int]]:
    """How many members have which outlook under the one and the other ladder."""
    values: dict[str, Any] = {"program_id": program_id}
    for letter, scope in zip("ab", scopes, strict=True):
        values |= sums.keys(scope.ladder, prefix=letter)
    statement = sa.text(_sql(scopes, ends, has_promises=_has_promises(connection, program_id)))
    rows = connection.execute(statement, values, execution_options={"yield_per": 1000})
    for row in rows:
        promises = _Promises(*row[:6])
        looks = (_Look(*row[6:11]), _Look(*row[11:16]))
        first, second = (
            judge(scope, look, promises) for scope, look in zip(scopes, looks, strict=True)
        )
        yield (first, second), row[16]


def _has_promises(connection: sa.Connection, program_id: bytes) -> bool:
    """Whether a level is assured to anybody, or was given by hand."""
    promised = sa.or_(TIERS.c.manual_key.is_not(None), TIERS.c.assured_key.is_not(None))
    statement = sa.select(sa.literal(1)).where(TIERS.c.program_id == program_id, promised).limit(1)
    return connection.execute(statement).first() is not None


def judge(scope: Scope, look: _Look, promises: _Promises) -> Outlook:
    """What becomes of members under a ladder, by what sums say of them."""
    ladder = scope.ladder
    rank, until, grace_until = max(look.held, 0), promises.until, promises.grace_until
    is_begun = look.reached > rank or (grace_until is not None and rank and look.is_kept)
    if is_begun or (rank and until is None):
        until, grace_until = term_end(ladder, scope.now, scope.zone), None
    is_open = bool(rank) and not ladder.has_term and until is None
    if look.reached > rank or (is_open and _is_lost(ladder, rank, look.is_kept)):
        rank = look.reached
    now = _shown(scope, rank, promises, at=scope.now)
    if not rank or until is None:
        return Outlook(now, now)
    end, lower = _at_end(scope, look, rank, until=until, grace_until=grace_until)
    return Outlook(now, _shown(scope, lower, promises, at=end))


def _is_lost(ladder: Ladder, rank: int, is_kept: bool) -> bool:
    """Whether a level that nothing promises is lost."""
    has_threshold = ladder.levels[rank - 1].retain_at is not None
    return ladder.downgrade != "none" and has_threshold and not is_kept


def _at_end(
    scope: Scope, look: _Look, rank: int, *, until: int, grace_until: int | None
) -> tuple[int, int]:
    """When the promise of a level is over, and the rank from then on."""
    ladder, reached = scope.ladder, look.reached_at_end
    end = until if grace_until is None else grace_until
    if not ladder.has_term:
        return end, reached if _is_lost(ladder, rank, look.is_kept_at_end) else rank
    if grace_until is None:
        if ladder.downgrade == "none" or look.is_kept_at_end:
            return end, rank
        end = grace_end(scope, until)
    if ladder.downgrade == "one_down":
        below = (one.rank for one in reversed(ladder.levels[: rank - 1]) if one.is_live)
        reached = max(reached, next(below, 0))
    return end, reached


def _shown(scope: Scope, rank: int, promises: _Promises, *, at: int) -> str | None:
    """The level that is seen: the one given by hand, or at least the one that is assured."""
    ladder = scope.ladder
    given = ladder.find(promises.manual_key)
    if given is not None and _lasts(promises.manual_until, at):
        return given.key
    floor = ladder.find(promises.assured_key)
    if floor is not None and _lasts(promises.assured_until, at):
        rank = max(rank, floor.rank)
    return ladder.levels[rank - 1].key if rank else None


def _lasts(until: int | None, at: int) -> bool:
    return until is None or at < until


def grace_end(scope: Scope, until: int) -> int:
    """When the grace after a term is over; the end of the term where there is none."""
    if scope.ladder.grace is None:
        return until
    last = clock.step(clock.local_date(until - 1, scope.zone), scope.ladder.grace)
    return max(until, clock.end_of_day(last, scope.zone))


def _windows(scope: Scope, until: int, grace_until: int | None) -> tuple[int, int]:
    """What the windows start after by which it is judged at the end whether a level is kept, and
    what else is reached."""
    ladder, zone = scope.ladder, scope.zone
    if not ladder.has_term:
        start = ladder.window_from(until if grace_until is None else grace_until, zone)
        return start, start
    end = grace_end(scope, until) if grace_until is None else grace_until
    return ladder.closing_from(until, zone), ladder.closing_from(end, zone)


class _Sums:
    """The sums that a statement needs, each once however often it is asked for; and what windows
    start after by which the terms that members have are judged at their ends."""

    def __init__(self, ends: Sequence[tuple[int, int | None]]) -> None:
        self.ends = ends
        self.names: dict[str, str] = {}
        self.starts: dict[tuple[int, ...], str] = {}

    def of(self, ladder: Ladder, start: int | str) -> list[str]:
        """The names of the sums of a ladder's metrics in the window after an instant."""
        return [
            self.names.setdefault(sql, f"s{len(self.names)}") for sql in sums.added(ladder, start)
        ]

    def at_ends(self, scope: Scope, place: int) -> list[str]:
        """The same in the windows at the ends of members' own terms, as `_windows` has them."""
        if scope.ladder.window == "lifetime" or not self.ends:
            # Where nobody has a term nobody is judged by what is left at its end.
            return self.of(scope.ladder, BEGINNING)
        starts = tuple(_windows(scope, *end)[place] for end in self.ends)
        name = self.starts.setdefault(starts, f"w{len(self.starts)}")
        return self.of(scope.ladder, f"w.{name}")

    @property
    def join(self) -> str:
        """The join that brings the starts of those windows to what their members contributed."""
        if not self.starts:
            return ""
        rows = zip(self.ends, *self.starts, strict=True)
        values = ", ".join(
            f"({until}, {_NO_GRACE if grace is None else grace}, {', '.join(map(str, starts))})"
            for (until, grace), *starts in rows
        )
        names = ", ".join(
            f"column{number} AS {name}" for number, name in enumerate(self.starts.values(), 3)
        )
        return f"""
LEFT JOIN (SELECT t.member_id, l.* FROM member_tiers t
JOIN (SELECT column1 AS ends_at, column2 AS grace, {names} FROM (VALUES {values}) listed) l
ON l.ends_at = t.until AND l.grace = COALESCE(t.grace_until, {_NO_GRACE})
WHERE t.program_id = :program_id) w ON w.member_id = c.member_id"""


_PROMISES = ("mk", "mu", "ak", "au")
_NONE = tuple(
    (f"CAST(NULL AS {kind})", name)
    for name, kind in zip(_PROMISES, ("TEXT", "BIGINT", "TEXT", "BIGINT"), strict=True)
)
_GROUPS = ("until", "grace_until", *_PROMISES)
_LOOKS = tuple(f"{kind}{letter}" for letter in "ab" for kind in ("h", "r", "k", "e", "l"))


def _sql(
    scopes: Sequence[Scope], ends: Sequence[tuple[int, int | None]], *, has_promises: bool
) -> str:
    wanted, ranked, judged, held = _Sums(ends), [], [], []
    for letter, scope in zip("ab", scopes, strict=True):
        now = wanted.of(scope.ladder, scope.ladder.window_from(scope.now, scope.zone))
        held.append(f"{sums.rank_held(scope.ladder, 't.level_key', prefix=letter)} AS h{letter}")
        ranked += [
            f"COALESCE(h{letter}, 0) AS h{letter}",
            f"{sums.rank_reached(scope.ladder, now)} AS r{letter}",
        ]
        kept = sums.is_kept(scope.ladder, f"h{letter}", now)
        judged += [f"h{letter}", f"r{letter}", f"{kept} AS k{letter}"]
        judged += _judged(scope, letter, wanted, kept=kept)
    contributing = sums.contributing(
        counts_points=any(scope.counts_points for scope in scopes),
        counts_referrals=any(scope.counts_referrals for scope in scopes),
    )
    names = list(wanted.names.values())
    today = scopes[0].now
    known = ("until", "grace_until", "ha", "hb") + (_PROMISES if has_promises else ())
    # What nobody has need not be carried along.
    unknown = "" if has_promises else "".join(f", {one} AS {name}" for one, name in _NONE)
    promised = f"{_promised('manual', today)}, {_promised('assured', today)}, "
    return f"""
SELECT {", ".join([*_GROUPS, *_LOOKS])}, COUNT(*) FROM (
SELECT {", ".join([*_GROUPS, *judged])} FROM (
SELECT {", ".join([*_GROUPS, *names, *ranked])} FROM (
SELECT member_id, {", ".join(f"MAX({name}) AS {name}" for name in known)}{unknown},
    {", ".join(sums.total(name) for name in names)}, MAX(is_odd) AS is_odd
FROM (
SELECT t.member_id, t.until, t.grace_until, {", ".join(held)},
    {promised if has_promises else ""}
    {", ".join(f"0 AS {name}" for name in names)}, 0 AS is_odd
FROM member_tiers t WHERE t.program_id = :program_id
UNION ALL
SELECT c.member_id, {", ".join("NULL" for _ in known)},
    {", ".join(wanted.names)}, c.is_odd
FROM ({contributing}) c{wanted.join}
) parts GROUP BY member_id
) everybody WHERE is_odd = 0 AND member_id NOT IN (
SELECT m.id FROM members m WHERE m.program_id = :program_id AND m.erased_at IS NOT NULL)
) ranked
) judged GROUP BY {", ".join([*_GROUPS, *_LOOKS])}
"""


def _promised(promise: str, now: int) -> str:
    """What is promised and holds now, and until when; under short names."""
    since, until = f"t.{promise}_since", f"t.{promise}_until"
    holds = f"{since} <= {now} AND ({until} IS NULL OR {until} > {now})"
    return (
        f"CASE WHEN {holds} THEN t.{promise}_key END AS {promise[0]}k,"
        f" CASE WHEN {holds} THEN {until} END AS {promise[0]}u"
    )


def _judged(scope: Scope, letter: str, wanted: _Sums, *, kept: str) -> list[str]:
    """Whether the level is kept at the end and what else is reached: where a term begins now by
    the windows of its end, otherwise by those of the end of the member's own."""
    ladder, held, reached = scope.ladder, f"h{letter}", f"r{letter}"
    own = [wanted.at_ends(scope, place) for place in range(2)]
    own_kept, own_reached = sums.is_kept(ladder, held, own[0]), sums.rank_reached(ladder, own[1])
    until = term_end(ladder, scope.now, scope.zone)
    if until is None:
        return [f"{own_kept} AS e{letter}", f"{own_reached} AS l{letter}"]
    fresh = [wanted.of(ladder, start) for start in _windows(scope, until, None)]
    is_fresh = f"{reached} > {held} OR until IS NULL OR (grace_until IS NOT NULL AND ({kept}) = 1)"
    level = f"(CASE WHEN {reached} > {held} THEN {reached} ELSE {held} END)"
    return [
        f"CASE WHEN {is_fresh} THEN {sums.is_kept(ladder, level, fresh[0])}"
        f" ELSE {own_kept} END AS e{letter}",
        f"CASE WHEN {is_fresh} THEN {sums.rank_reached(ladder, fresh[1])}"
        f" ELSE {own_reached} END AS l{letter}",
    ]

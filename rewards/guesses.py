"""Wrong guesses of codes: counted by who guesses, and answered 429 beyond a number of them.

Whoever tries codes is a member, an address, or, where a server names neither, its key. A code is
counted as a wrong one before it is looked at, in a unit of its own that no refusal rolls back, and
given back when it was right: however many are tried at once, no more wrong ones are told than may
be. They are counted in windows of the machine's clock, each code once. Beyond the limit right
codes are refused like wrong ones: nobody learns anything by going on. Stores no member, address or
code: digests alone.
"""

import functools
import ipaddress
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from flask import current_app

from config import Settings
from core import clock, db, rawsql, sealing
from core.errors import Problem
from rewards import codes
from rewards.models import WrongGuess

GUESSES: sa.Table = WrongGuess.__table__  # type: ignore[assignment]
#: A window is counted in so many parts, and moves on by one of them.
_PARTS = 15
_PURPOSE = "voucher guesses"
_FORGOTTEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """Who guesses: `member` (by our id), `address`, or `key`."""

    kind: str
    value: bytes

    @property
    def most(self) -> int:
        """How many wrong codes it may try within a window."""
        settings = _settings()
        is_key = self.kind == "key"
        return settings.voucher_guesses_per_key if is_key else settings.voucher_guesses

    def digest(self, program_id: bytes, code: str = "") -> bytes:
        """What rows know of it; with a code, of its having tried that one."""
        parts = [program_id, self.kind.encode(), self.value, codes.canonical(code).encode()]
        message = b"\x00".join(bytes([len(part) >> 8, len(part) & 255]) + part for part in parts)
        return sealing.digests(message, purpose=_PURPOSE, keys=sealing.keys())[0]


def member(member_id: bytes) -> Subject:
    """A member, by our id."""
    return Subject("member", member_id)


def address(text: str) -> Subject | None:
    """A network address; of version 6 its /64, which one household has as a whole. None for what
    cannot be read as one: every text would be another address."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return Subject("address", found.ipv4_mapped.packed)
        return Subject("address", found.packed[:8])
    return Subject("address", found.packed)


def key(key_id: bytes) -> Subject:
    """A server's key, where it names nobody."""
    return Subject("key", key_id)


def subjects(
    *, member_id: bytes | None, ip: str | None, key_id: bytes | None = None
) -> list[Subject]:
    """Whom a wrong code is counted against: member and address, else the key."""
    found = [] if member_id is None else [member(member_id)]
    at = address(ip) if ip else None
    if at is not None:
        found.append(at)
    if not found and key_id is not None:
        found.append(key(key_id))
    return found


#: A row that counts: whose, and of which window.
_Row = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """Codes that may be looked at: counted as wrong ones until they are given back."""

    program_id: bytes
    texts: frozenset[str] = frozenset()
    #: What was counted for each; nothing for those that were wrong before.
    rows: Mapping[str, Sequence[_Row]] = field(default_factory=dict)


def claim(
    connection: sa.Connection, program_id: bytes, subjects: Sequence[Subject], texts: Iterable[str]
) -> Claim:
    """Count codes as wrong ones, as many as there is room for, in the order given; 429
    `rate_limited` where there is room for none. The unit must be committed before any of them is
    looked at. One that was wrong before takes no room again."""
    wanted = list(dict.fromkeys(texts))
    if not wanted or not subjects:
        return Claim(program_id, frozenset(wanted))
    _take_turns(connection, program_id, subjects)
    counted = _Counted.read(connection, program_id, subjects, wanted)
    counted.check(subjects)
    allowed: set[str] = set()
    rows: dict[str, list[_Row]] = {}
    for text in wanted:
        fresh = counted.fresh(subjects, text)
        if all(counted.room(one) > 0 for one in fresh):
            allowed.add(text)
            rows[text] = counted.add(fresh, text)
    _write(connection, program_id, rows.values())
    return Claim(program_id, frozenset(allowed), rows)


def give_back(claimed: Claim, texts: Iterable[str]) -> None:
    """What was right is no wrong guess, in a unit of its own."""
    counts = Counter(row for text in set(texts) for row in claimed.rows.get(text, ()))
    if not counts:
        return

    def unit(connection: sa.Connection) -> None:
        statements = _give_back_sql(rawsql.mark(connection.dialect.name))
        for (subject, window_at), count in sorted(counts.items()):
            for sql in statements:
                rawsql.later(connection, sql, [claimed.program_id, subject, window_at, count])

    db.in_transaction(unit)


def note(
    connection: sa.Connection, program_id: bytes, subjects: Sequence[Subject], texts: Iterable[str]
) -> None:
    """Count wrong codes within a unit that is not refused for them, however many there are."""
    wrong = list(dict.fromkeys(texts))
    if not wrong or not subjects:
        return
    counted = _Counted.read(connection, program_id, subjects, wrong)
    rows = [counted.add(counted.fresh(subjects, text), text) for text in wrong]
    _write(connection, program_id, rows)


@dataclass(slots=True)
class _Counted:
    """What is counted of some who guess within the window that ends now."""

    program_id: bytes
    part: int
    now_at: int
    #: By whom: the parts of the window and what is counted in each, the oldest first.
    rows: dict[bytes, list[tuple[int, int]]]
    #: What was tried, each once in a whole window.
    tried: set[bytes]

    @classmethod
    def read(
        cls,
        connection: sa.Connection,
        program_id: bytes,
        subjects: Sequence[Subject],
        texts: Sequence[str],
    ) -> "_Counted":
        """Read it in one statement."""
        part = _part()
        now_at = _window_at(part)
        found = cls(program_id, part, now_at, {}, set())
        own = {one.digest(program_id) for one in subjects}
        tried = {one.digest(program_id, text) for one in subjects for text in texts}
        statement = (
            sa.select(GUESSES.c.subject, GUESSES.c.window_at, GUESSES.c.count)
            .where(
                GUESSES.c.program_id == program_id,
                GUESSES.c.subject.in_(sorted(own | tried)),
                GUESSES.c.window_at >= now_at - (_PARTS - 1) * part,
                GUESSES.c.count > 0,
            )
            .order_by(GUESSES.c.window_at)
        )
        for subject, window_at, count in connection.execute(statement):
            if subject in own:
                found.rows.setdefault(bytes(subject), []).append((window_at, count))
            elif window_at == found.whole_at:
                found.tried.add(bytes(subject))
        return found

    @property
    def whole_at(self) -> int:
        """When the window began in which each code counts once."""
        return self.now_at - self.now_at % (_PARTS * self.part)

    def room(self, subject: Subject) -> int:
        """How many more wrong codes it may try."""
        rows = self.rows.get(subject.digest(self.program_id), ())
        return subject.most - sum(count for _, count in rows)

    def check(self, subjects: Sequence[Subject]) -> None:
        """429 where one of them has tried as many as it may."""
        for one in subjects:
            if self.room(one) <= 0:
                raise _limited(self.rows[one.digest(self.program_id)], -self.room(one), self.part)

    def fresh(self, subjects: Sequence[Subject], text: str) -> list[Subject]:
        """Who has not tried a code yet."""
        return [one for one in subjects if one.digest(self.program_id, text) not in self.tried]

    def add(self, subjects: Sequence[Subject], text: str) -> list[_Row]:
        """Count a code of theirs; the rows that grow by one."""
        grown: list[_Row] = []
        for one in subjects:
            own, tried = one.digest(self.program_id), one.digest(self.program_id, text)
            self.rows.setdefault(own, []).append((self.now_at, 1))
            self.tried.add(tried)
            grown += [(own, self.now_at), (tried, self.whole_at)]
        return grown


def _limited(rows: Iterable[tuple[int, int]], over: int, part: int) -> Problem:
    """429, and when enough of them are long enough ago."""
    until = 0
    for window_at, count in rows:
        until, over = window_at + _PARTS * part, over - count
        if over < 0:
            break
    seconds = max(1, -((clock.system_now() - until) // clock.SECOND))
    return Problem(
        429,
        "rate_limited",
        "Too many codes were tried that are none: wait as Retry-After says, then try again.",
        headers={"Retry-After": str(seconds)},
    )


def _take_turns(connection: sa.Connection, program_id: bytes, subjects: Sequence[Subject]) -> None:
    """Whoever claims for the same ones waits until this unit is written. Writers on SQLite wait
    for each other anyway."""
    if connection.dialect.name != "postgresql":
        return
    for digest in sorted(one.digest(program_id) for one in subjects):
        number = int.from_bytes(digest[:8], "big", signed=True)
        rawsql.run(connection, "SELECT pg_advisory_xact_lock($1)", [number])


def _write(connection: sa.Connection, program_id: bytes, rows: Iterable[Sequence[_Row]]) -> None:
    # In the order of the rows, so that two who try the same codes wait for each other at most.
    sql = _count_sql(rawsql.mark(connection.dialect.name))
    counts = Counter(row for many in rows for row in many)
    for (subject, window_at), count in sorted(counts.items()):
        rawsql.later(connection, sql, [program_id, subject, window_at, count])


@functools.cache
def _count_sql(mark: str) -> str:
    return (
        "INSERT INTO wrong_guesses (program_id, subject, window_at, count)"
        f" VALUES ({mark}1, {mark}2, {mark}3, {mark}4)"
        " ON CONFLICT (program_id, subject, window_at)"
        " DO UPDATE SET count = wrong_guesses.count + excluded.count"
    )


@functools.cache
def _give_back_sql(mark: str) -> tuple[str, str]:
    """What leaves nothing is deleted, or what is left is written."""
    its = f" WHERE program_id = {mark}1 AND subject = {mark}2 AND window_at = {mark}3"
    return (
        f"DELETE FROM wrong_guesses{its} AND count <= {mark}4",
        f"UPDATE wrong_guesses SET count = count - {mark}4{its}",
    )


def forget_old(now: clock.Instant) -> int:
    """A duty of the worker: delete windows that are over, some of each program; how many."""
    before = now - 2 * _PARTS * _part()
    programs = db.reading(
        lambda connection: connection.execute(
            sa.select(GUESSES.c.program_id).where(GUESSES.c.window_at < before).distinct()
        ).all()
    )
    return sum(
        db.in_transaction(functools.partial(_forget_old, program_id=bytes(one), before=before))
        for (one,) in programs
    )


def _forget_old(connection: sa.Connection, *, program_id: bytes, before: int) -> int:
    keys = list(GUESSES.primary_key.columns)
    old = connection.execute(
        sa.select(*keys)
        .where(GUESSES.c.program_id == program_id, GUESSES.c.window_at < before)
        .limit(_FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    if old:
        connection.execute(
            sa.delete(GUESSES).where(sa.tuple_(*keys).in_([tuple(row) for row in old]))
        )
    return len(old)


def _settings() -> Settings:
    found: Settings = current_app.extensions["dangol.settings"]
    return found


def _part() -> int:
    return max(clock.SECOND, _settings().voucher_guess_seconds * clock.SECOND // _PARTS)


def _window_at(part: int) -> int:
    now = clock.system_now()
    return now - now % part

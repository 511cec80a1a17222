"""Wrong guesses of codes: counted by who guesses, and answered 429 beyond a number of them.

Whoever tries codes is a member, an address, or, where a server names neither, its key. What is
wrong is counted in windows of the machine's clock, each code once, in a unit of its own that no
refusal rolls back. Beyond the limit right codes are refused like wrong ones: nobody learns
anything by going on. Stores no member, address or code: digests alone.
"""

import functools
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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


def address(text: str) -> Subject:
    """A network address; of version 6 its /64, which one household has as a whole."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return Subject("address", text.strip().lower().encode())
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
    if ip:
        found.append(address(ip))
    if not found and key_id is not None:
        found.append(key(key_id))
    return found


def check(program_id: bytes, subjects: Sequence[Subject]) -> None:
    """429 `rate_limited` where one of them has tried too many wrong codes."""
    db.reading(lambda connection: check_on(connection, program_id, subjects))


def check_on(connection: sa.Connection, program_id: bytes, subjects: Sequence[Subject]) -> None:
    """The same within a transaction that is open already."""
    part = _part()
    oldest = _window_at(part) - (_PARTS - 1) * part
    for subject in subjects:
        rows = connection.execute(
            sa.select(GUESSES.c.window_at, GUESSES.c.count)
            .where(
                GUESSES.c.program_id == program_id,
                GUESSES.c.subject == subject.digest(program_id),
                GUESSES.c.window_at >= oldest,
            )
            .order_by(GUESSES.c.window_at)
        ).all()
        over = sum(count for _, count in rows) - subject.most
        if over >= 0:
            raise _limited(rows, over, part)


def _limited(rows: Iterable[sa.Row[tuple[int, int]]], over: int, part: int) -> Problem:
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


def note_wrong(program_id: bytes, subjects: Sequence[Subject], texts: Iterable[str]) -> None:
    """Count codes that are none, in a unit of its own; one tried again is no further guess."""
    wrong = list(dict.fromkeys(texts))
    if wrong and subjects:
        db.in_transaction(lambda connection: _note(connection, program_id, subjects, wrong))


def _note(
    connection: sa.Connection, program_id: bytes, subjects: Sequence[Subject], wrong: list[str]
) -> None:
    part = _part()
    now_at = _window_at(part)
    whole_at = now_at - now_at % (_PARTS * part)
    counted: dict[bytes, int] = {}
    # In the order of the rows, so that two who try the same codes wait for each other at most.
    tried = {
        one.digest(program_id, text): one.digest(program_id) for one in subjects for text in wrong
    }
    for digest, subject in sorted(tried.items()):
        if _count(connection, program_id, digest, whole_at, 1) == 1:
            counted[subject] = counted.get(subject, 0) + 1
    for subject, count in sorted(counted.items()):
        _count(connection, program_id, subject, now_at, count)


def _count(
    connection: sa.Connection, program_id: bytes, subject: bytes, window_at: int, count: int
) -> int:
    """Add to a window; what it then holds."""
    sql = _count_sql(rawsql.mark(connection.dialect.name))
    [(total,)] = rawsql.run(connection, sql, [program_id, subject, window_at, count])
    return int(total)


@functools.cache
def _count_sql(mark: str) -> str:
    return (
        "INSERT INTO wrong_guesses (program_id, subject, window_at, count)"
        f" VALUES ({mark}1, {mark}2, {mark}3, {mark}4)"
        " ON CONFLICT (program_id, subject, window_at)"
        " DO UPDATE SET count = wrong_guesses.count + excluded.count RETURNING count"
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

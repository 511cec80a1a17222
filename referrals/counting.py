"""Counting of clicks: in memory first, written in bulk within about a second, off the redirect.

Owns `clicks` and, with whoever shares links, `link_counts`. A redirect notes what happened and
answers; a thread of its process writes what was noted, and what is left is written when the process
ends. A visitor's clicks on one link and local day count once, whichever processes saw them: the
unique row of `clicks` decides when they are written. What cannot be written is kept and tried
again. Refuses to hold more than so much of it, and then says how much it lost; a process that is
killed loses a second of counts, and no evidence: that is in the token.
"""

import functools
import itertools
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import util
from typing import Literal, TypeVar

import sqlalchemy as sa
from flask import Flask, current_app

from core import db, ids, rawsql

T = TypeVar("T")
Kind = Literal["shared", "clicked", "repeated", "previewed"]
#: A link, a local day, a channel ("" where none was named) and what happened.
Count = tuple[bytes, str, str, Kind]
#: How long what was noted may wait for more, in seconds; and after a failure.
_PAUSE, _PAUSE_FAILED = 0.5, 5.0
#: So many visitors and counts are held at most.
HELD_MAX = 100_000
#: So many channels of a link and day are told apart by a process: anybody may name any.
CHANNELS_MAX = 50
OTHER = "other"
_LINKS_MAX = 10_000
_ROWS = 100
_NAME = "dangol.counting"
_log = logging.getLogger("dangol.clicks")
_CLICK_COLUMNS = (
    *("program_id", "id", "link_id", "day", "channel", "visitor"),
    *("version", "switches", "clicked_at", "expires_at"),
)
_COUNT_COLUMNS = ("program_id", "link_id", "day", "channel", "kind", "count")


@dataclass(frozen=True, slots=True)
class Clicked:
    """A person's click on a link; `day` is the program's local one."""

    link_id: bytes
    day: str
    channel: str
    visitor: bytes
    version: int
    switches: int
    clicked_at: int
    expires_at: int

    @property
    def key(self) -> tuple[bytes, str, bytes]:
        """What counts once."""
        return self.link_id, self.day, self.visitor


def write(
    connection: sa.Connection,
    program_id: bytes,
    clicked: Iterable[Clicked],
    counts: Counter[Count] | None = None,
) -> None:
    """Write clicks and further counts of a program within a unit: a click of a visitor who clicked
    before on that day counts as repeated."""
    counts = Counter() if counts is None else Counter(counts)
    clicks = sorted(clicked, key=lambda one: one.key)
    for many in _portions(clicks):
        written = {
            (bytes(link_id), day, bytes(visitor))
            for link_id, day, visitor in _run(
                connection, "clicks", [_click_row(program_id, one) for one in many]
            )
        }
        for one in many:
            kind: Kind = "clicked" if one.key in written else "repeated"
            # Of one visitor in one portion, only the first is new.
            written.discard(one.key)
            counts[one.link_id, one.day, one.channel, kind] += 1
    # In one order, so that two who count the same links wait for each other at most.
    for rows in _portions(sorted(counts.items())):
        _run(connection, "counts", [(program_id, *key, number) for key, number in rows])


def _portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _ROWS] for start in range(0, len(items), _ROWS))


def _click_row(program_id: bytes, one: Clicked) -> tuple[object, ...]:
    return (
        *(program_id, ids.new_id(), one.link_id, one.day, one.channel, one.visitor),
        *(one.version, one.switches, one.clicked_at, one.expires_at),
    )


def _run(
    connection: sa.Connection, kind: Literal["clicks", "counts"], rows: Sequence[Sequence[object]]
) -> rawsql.Rows:
    sql = _sql(rawsql.mark(connection.dialect.name), kind, len(rows))
    values = list(itertools.chain.from_iterable(rows))
    # Full portions and single rows come again and again.
    return rawsql.run(connection, sql, values, is_rare=len(rows) not in (1, _ROWS))


@functools.cache
def _sql(mark: str, kind: Literal["clicks", "counts"], count: int) -> str:
    columns = _CLICK_COLUMNS if kind == "clicks" else _COUNT_COLUMNS
    numbers = iter(range(1, count * len(columns) + 1))
    rows = ", ".join(
        f"({', '.join(f'{mark}{next(numbers)}' for _ in columns)})" for _ in range(count)
    )
    if kind == "clicks":
        return (
            f"INSERT INTO clicks ({', '.join(columns)}) VALUES {rows}"
            " ON CONFLICT (program_id, link_id, day, visitor) DO NOTHING"
            " RETURNING link_id, day, visitor"
        )
    return (
        f"INSERT INTO link_counts ({', '.join(columns)}) VALUES {rows}"
        " ON CONFLICT (program_id, link_id, day, channel, kind)"
        " DO UPDATE SET count = link_counts.count + excluded.count"
    )


@dataclass(slots=True)
class _Noted:
    """What happened in a program and is not written yet."""

    clicks: dict[tuple[bytes, str, bytes], Clicked] = field(default_factory=dict)
    counts: Counter[Count] = field(default_factory=Counter)

    def add(self, one: Clicked) -> None:
        """One more click; by who clicked here before, a repeat of it."""
        if self.clicks.setdefault(one.key, one) is not one:
            self.counts[one.link_id, one.day, one.channel, "repeated"] += 1


class Counting:
    """What one process has noted and not written."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._noted: dict[bytes, _Noted] = {}
        #: How much is held, and how much there was no room for.
        self._held = self._lost = 0
        self._channels: dict[tuple[bytes, str], set[str]] = {}
        self._has_more = threading.Condition()
        self._flushing = threading.Lock()
        self._pid = 0

    def click(self, program_id: bytes, one: Clicked) -> None:
        """Note a person's click."""
        with self._has_more:
            noted = self._of(program_id)
            if noted is not None:
                noted.add(one)

    def count(self, program_id: bytes, one: Count) -> None:
        """Note what is counted without a visitor: previews, and clicks of nobody known."""
        with self._has_more:
            noted = self._of(program_id)
            if noted is not None:
                noted.counts[one] += 1

    def _of(self, program_id: bytes) -> _Noted | None:
        """Where to note something of a program; None where there is no room."""
        if self._held >= HELD_MAX:
            self._lost += 1
            return None
        self._held += 1
        if self._held == 1:
            self._begin()
        return self._noted.setdefault(program_id, _Noted())

    def known_channel(self, link_id: bytes, day: str, channel: str) -> str:
        """The channel to count under: `other` where a link was named too many on one day."""
        if not channel:
            return channel
        if len(self._channels) >= _LINKS_MAX:
            self._channels.clear()
        seen = self._channels.setdefault((link_id, day), set())
        if channel not in seen:
            if len(seen) >= CHANNELS_MAX:
                return OTHER
            seen.add(channel)
        return channel

    def _begin(self) -> None:
        """Wake the thread of this process, or start it: one from before a fork is not here."""
        if self._pid == os.getpid():
            self._has_more.notify()
            return
        self._pid = os.getpid()
        threading.Thread(target=self._go_on, name=_NAME, daemon=True).start()
        # Also in worker processes, which end without the hooks of `atexit`.
        util.Finalize(None, self._end, exitpriority=10)

    def _go_on(self) -> None:
        while True:
            with self._has_more:
                while not self._held:
                    self._has_more.wait()
            time.sleep(_PAUSE)
            if not self.flush():
                time.sleep(_PAUSE_FAILED)

    def _end(self) -> None:
        if not self.flush():
            _log.error("clicks were not counted", extra={"count": self._held})

    def flush(self) -> bool:
        """Write what was noted; False when some of it could not be written and is kept."""
        with self._flushing:
            with self._has_more:
                taken, self._noted = self._noted, {}
                lost, self._held, self._lost = self._lost, 0, 0
            if lost:
                _log.error("clicks were not counted: too many waited", extra={"count": lost})
            kept = {
                program_id: noted
                for program_id, noted in taken.items()
                if not self._write(program_id, noted)
            }
            with self._has_more:
                for program_id, noted in kept.items():
                    self._keep(program_id, noted)
        return not kept

    def _keep(self, program_id: bytes, noted: _Noted) -> None:
        """Put back what could not be written, before what was noted since."""
        since = self._noted.get(program_id, _Noted())
        for one in since.clicks.values():
            noted.add(one)
        noted.counts.update(since.counts)
        self._noted[program_id] = noted
        self._held = sum(len(one.clicks) + len(one.counts) for one in self._noted.values())

    def _write(self, program_id: bytes, noted: _Noted) -> bool:
        try:
            with self._app.app_context():
                db.in_transaction(
                    lambda connection: write(
                        connection, program_id, noted.clicks.values(), noted.counts
                    )
                )
        except Exception as error:
            if db.is_refused(error) and len(noted.clicks) + len(noted.counts) > 1:
                return self._write_singly(program_id, noted)
            if db.is_refused(error):
                _log.exception("a click was not counted: its row is refused")
                return True
            _log.warning("clicks wait to be counted", extra={"error": type(error).__name__})
            return False
        return True

    def _write_singly(self, program_id: bytes, noted: _Noted) -> bool:
        """What is refused must not hold up the rest."""
        singles = [_Noted(clicks={key: one}) for key, one in noted.clicks.items()]
        singles += [_Noted(counts=Counter({key: one})) for key, one in noted.counts.items()]
        kept = [one for one in singles if not self._write(program_id, one)]
        noted.clicks = {key: one for each in kept for key, one in each.clicks.items()}
        noted.counts = sum((each.counts for each in kept), Counter())
        return not kept


def init(app: Flask) -> None:
    """Give an application what it counts with."""
    app.extensions[_NAME] = Counting(app)


def of_process() -> Counting:
    """What this process counts with."""
    found: Counting = current_app.extensions[_NAME]
    return found

"""The laboratory: a directory in which a program is copied and lives again; gone afterwards.

Owns the directory. Everything is read of the program in one consistent reading; from then on
nothing here looks at it, or writes to it.
"""

import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa
from flask import current_app

from analytics.backtests import collecting, luck, replaying, rooms
from analytics.backtests.luck import Drawn, Luck
from analytics.backtests.replaying import Life
from analytics.backtests.scratch import Original, Scratch
from analytics.backtests.told import Bounds, Told
from analytics.points import lift_limits
from config import Settings
from core import db, ids, jsontext
from programs import versions


@dataclass(frozen=True, slots=True)
class Asked:
    """What is tried on which program and period."""

    program_id: bytes
    document: str
    from_at: int
    to_at: int


@dataclass(slots=True)
class Laboratory:
    """A program copied, ready to live again."""

    directory: Path
    settings: Settings
    asked: Asked
    told: Told
    original: Original
    bounds: Bounds
    now: int
    drawn: Drawn
    left_out: dict[str, int]
    #: What further luck is derived from.
    secret: bytes = field(default_factory=ids.new_id)
    #: Every scratch that was made here.
    copies: list[Scratch] = field(default_factory=list)
    #: How many facts came before the tested document was published.
    warm_count: int = 0

    def start(self, go_on: Callable[[int], None]) -> Life:
        """A scratch program at its beginning."""
        path = rooms.private(self.directory / "scratch.db")
        copy = Scratch.create(path, self.settings, self.original)
        self.copies.append(copy)
        return self._life(copy, go_on)

    def _life(self, copy: Scratch, go_on: Callable[[int], None]) -> Life:
        return Life(
            copy=copy,
            told=self.told,
            original=self.original,
            bounds=self.bounds,
            document=self.asked.document,
            until=self.now,
            go_on=go_on,
            luck=Luck(self.drawn, self.secret) if self.draws else None,
        )

    @property
    def draws(self) -> bool:
        """Whether anything was drawn, or may be."""
        return bool(self.drawn.chains or self.drawn.lost) or bool(
            jsontext.parse(self.asked.document).get("surprises")
        )


@contextlib.contextmanager
def opened(
    asked: Asked,
    *,
    name: str = "",
    also: Callable[[sa.Connection, Told], None] = lambda *_: None,
    go_on: Callable[[int], None] = lambda _: None,
) -> Iterator[Laboratory]:
    """A laboratory with everything that was told, in a room named after the back-test; `also`
    reads more of the program, as of then."""
    rooms.clear()
    with rooms.opened(name) as room, contextlib.ExitStack() as end:
        told = Told(rooms.private(room / "told.db"))
        end.callback(told.close)

        def collect(connection: sa.Connection) -> Laboratory:
            return _collect(connection, asked, told, also=also, go_on=lambda: go_on(0))

        made = db.reading(collect)
        end.callback(_close_all, made.copies)
        yield replace(made, directory=room)


def _close_all(copies: Sequence[Scratch]) -> None:
    for copy in copies:
        copy.close()


def _collect(
    connection: sa.Connection,
    asked: Asked,
    told: Told,
    *,
    also: Callable[[sa.Connection, Told], None],
    go_on: Callable[[], None],
) -> Laboratory:
    lift_limits(connection)
    settings: Settings = current_app.extensions["dangol.settings"]
    program_id = asked.program_id
    _, now = versions.get_live(connection, program_id)
    left_out = collecting.collect(connection, program_id, told, go_on=go_on)
    drawn = luck.read(connection, program_id)
    if drawn.lost:
        left_out["lost_seeds"] = drawn.lost
    also(connection, told)
    told.finish()
    go_on()
    return Laboratory(
        directory=Path(),
        settings=settings,
        asked=asked,
        told=told,
        original=Original(
            collecting.program_row(connection, program_id),
            collecting.published(connection, program_id),
            collecting.thrown(connection, program_id),
        ),
        bounds=told.bounds(asked.from_at, asked.to_at),
        now=now,
        drawn=drawn,
        left_out=left_out,
    )


def live(
    laboratory: Laboratory,
    go_on: Callable[[int], None] = lambda _: None,
    *,
    seeds: int = 1,
    seen: Callable[[Life], None] = lambda _: None,
) -> Life:
    """One life under the tested document to the end of the period, as it would really have been;
    before it some with other luck, each seen at its end and gone."""
    with _undisturbed():
        return _live(laboratory, go_on, seeds=seeds, seen=seen)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """What the process holds by now stays while the block runs: looking through it for garbage,
    with the thousands of things that every unit makes, is a tenth of the time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _live(
    laboratory: Laboratory,
    go_on: Callable[[int], None],
    *,
    seeds: int,
    seen: Callable[[Life], None],
) -> Life:
    life = laboratory.start(go_on)
    teller = replaying.warm_up(life)
    for number in range(1, seeds if laboratory.draws else 1):
        path = rooms.private(laboratory.directory / f"seed-{number}.db")
        copy = life.copy.twin(path)
        laboratory.copies.append(copy)
        further = replaying.part(life, copy, number)
        replaying.finish(further, replaying.teller_of(further), to_at=laboratory.asked.to_at)
        seen(further)
        copy.close()
        path.unlink()
    replaying.finish(life, teller, to_at=laboratory.asked.to_at)
    laboratory.left_out |= {f"refused_{kind}": count for kind, count in teller.refused.items()}
    return life

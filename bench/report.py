"""Owns the report: what was measured, the ratios against the bars, the table for the docs.

Ratios are taken pair by pair within a round and only then is the median of the rounds quoted, so
that a machine that slows down between rounds does not decide a bar.
"""

import os
import platform
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import time

import psutil

from bench.load import Load


@dataclass(frozen=True, slots=True)
class Measurement:
    """One timed run of one section."""

    section: str
    load: Load
    units_per_request: int
    application_cpu_s: float | None
    database_cpu_s: float | None
    errors: int

    @property
    def per_second(self) -> float:
        """Orders per second, or requests where a request is no order."""
        return self.load.per_second * self.units_per_request

    def application_us(self) -> float | None:
        """CPU microseconds of the application for each order."""
        return self._for_each(self.application_cpu_s)

    def database_us(self) -> float | None:
        """CPU microseconds of the database for each order."""
        return self._for_each(self.database_cpu_s)

    def tail(self) -> float:
        """How many times the median the 99th percentile is."""
        return self.load.percentile_ms(99) / self.load.percentile_ms(50)

    def _for_each(self, seconds: float | None) -> float | None:
        units = self.load.count * self.units_per_request
        return None if seconds is None or not units else seconds * 1e6 / units


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise: what is compared, and on which side of the limit it must be."""

    title: str
    limit: float
    is_least: bool
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.values)

    @property
    def is_met(self) -> bool:
        """Whether the median is on the right side."""
        return self.value >= self.limit if self.is_least else self.value <= self.limit


Rounds = Sequence[dict[str, Measurement]]


def bars(rounds: Rounds, *, statements: float | None) -> list[Bar]:
    """Every bar for which both sides were measured."""
    found = [
        _ratio(rounds, "c", "a", title="new orders (c) / pgbench (a)", limit=0.10),
        _ratio(rounds, "d", "c", title="hot member (d) / spread (c)", limit=0.4),
        _ratio(rounds, "e", "b", title="balances (e) / Flask hello (b)", limit=0.25),
        _least_most("c", rounds, Measurement.tail, title="p99 / p50 of (c)", limit=4.0),
        _ratio(rounds, "f", "c", title="orders by batch (f) / single (c)", limit=3.0),
        _ratio(rounds, "g", "h", title="SQLite (g) / raw sqlite3 loop", limit=0.1),
    ]
    if statements is not None:
        title = "SQL statements per new order, BEGIN and COMMIT included"
        found.insert(1, [Bar(title, 8.0, is_least=False, values=(statements,))])
    errors = tuple(float(sum(one.errors for one in round_.values())) for round_ in rounds)
    found.append([Bar("answers that are errors, all sections", 0.0, False, (max(errors),))])
    return [bar for group in found for bar in group]


def _ratio(rounds: Rounds, top: str, bottom: str, *, title: str, limit: float) -> list[Bar]:
    values = tuple(
        round_[top].per_second / round_[bottom].per_second
        for round_ in rounds
        if top in round_ and bottom in round_
    )
    return [Bar(title, limit, is_least=True, values=values)] if values else []


def _least_most(
    section: str,
    rounds: Rounds,
    figure: Callable[[Measurement], float],
    *,
    title: str,
    limit: float,
) -> list[Bar]:
    values = tuple(figure(round_[section]) for round_ in rounds if section in round_)
    return [Bar(title, limit, is_least=False, values=values)] if values else []


def markdown(
    rounds: Rounds,
    found: Sequence[Bar],
    *,
    titles: dict[str, str],
    postgres_version: str,
    command: str,
    clients: int,
    seconds: float,
) -> str:
    """The whole result as it stands in docs/performance.md."""
    lines = [
        f"`{command}`, {_today()}: {_machine()}, Python {platform.python_version()}, "
        f"PostgreSQL {postgres_version} (fsync on), SQLite {sqlite3.sqlite_version} "
        f"(WAL, synchronous FULL), {clients} clients, rounds of {seconds:g} s each: {len(rounds)}, "
        "medians. CPU is for each order (or request), in microseconds.",
        "",
        "| | per second | p50 ms | p99 ms | CPU application | CPU database | errors |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for section, title in titles.items():
        runs = [round_[section] for round_ in rounds if section in round_]
        if runs:
            lines.append(_row(title, runs))
    lines += ["", "| bar | needed | measured | rounds | |", "|---|---:|---:|---|---|"]
    lines += [_bar_row(bar) for bar in found]
    return "\n".join(lines) + "\n"


def _row(title: str, runs: list[Measurement]) -> str:
    cells = [
        f"{median(run.per_second for run in runs):,.0f}",
        f"{median(run.load.percentile_ms(50) for run in runs):.2f}",
        f"{median(run.load.percentile_ms(99) for run in runs):.2f}",
        _cpu([run.application_us() for run in runs]),
        _cpu([run.database_us() for run in runs]),
        str(sum(run.errors for run in runs)),
    ]
    return f"| {title} | {' | '.join(cells)} |"


def _cpu(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):,.0f}" if known else ""


def _bar_row(bar: Bar) -> str:
    sign = "≥" if bar.is_least else "≤"
    each = ", ".join(f"{value:.3g}" for value in bar.values)
    verdict = "met" if bar.is_met else "**missed**"
    return f"| {bar.title} | {sign} {bar.limit:g} | {bar.value:.3g} | {each} | {verdict} |"


def _today() -> str:
    return datetime.fromtimestamp(time(), UTC).date().isoformat()


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB memory"


def _processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

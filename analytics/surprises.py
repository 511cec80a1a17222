"""What surprises came to in a period: chances and why none was taken, draws, prizes, cost, budget,
and what they changed, by those held out.

Receipts count in the period in which what they are about happened, as they stand now. Costs are
what stands of what won prizes brought. Only the experiments say what surprises caused: whoever won
was lucky among those who shopped anyway, so nothing here compares winners with losers. Writes
nothing.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from analytics import exposures, points, surprise_costs
from analytics.experiments import comparison
from analytics.funnel import Period
from core import clock
from core.errors import FieldError, invalid
from loyalty.limits.storing import LIMIT_COUNTERS
from programs import versions
from programs.compiled import Compiled
from programs.surprises import CERTAIN_PPM, Budget
from rewards.surprises.carried import DRAWS
from rules import limits

_EVER = clock.Instant(0)
#: The guards behind the holdout, in the order in which they are asked.
GUARDS = ("excluded", "limit_reached", "cooldown", "budget")
#: How many standard errors luck may be off before it looks wrong: by chance once in 16,000 looks.
_ERRORS = 4
#: The lift of the repeat rate that is looked for unless the query says another: three points.
_DETECT_BP = 300


@dataclass(slots=True)
class Prize:
    """One prize: won, and of these still standing."""

    won: int = 0
    standing: int = 0


@dataclass(slots=True)
class Counted:
    """Receipts of one surprise. `rolled` are the draws that chance alone decided, and `hits` those
    of them that won; `expected` (millionths) and `variance` are what was to be expected."""

    considered: int = 0
    held: dict[str, int] = field(default_factory=dict)
    guards: dict[str, int] = field(default_factory=dict)
    draws: int = 0
    won: int = 0
    standing: int = 0
    pity: int = 0
    rolled: int = 0
    hits: int = 0
    expected: int = 0
    variance: float = 0.0
    #: What is taken of the budget, by the version that drew.
    claimed: dict[int, int] = field(default_factory=dict)
    prizes: dict[int, Prize] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """As the contract has it."""
        return {
            "considered": self.considered,
            "held_out": {scope: self.held.get(scope, 0) for scope in ("program", "rule")},
            "guards": [{"guard": guard, "count": self.guards.get(guard, 0)} for guard in GUARDS],
            "draws": self.draws,
            "won": self.won,
            "standing": self.standing,
            "taken_back": self.won - self.standing,
            "won_by_pity": self.pity,
            "luck": self._luck(),
        }

    def _luck(self) -> dict[str, Any]:
        """Beside what the probabilities promise; exact luck is proved by the receipts."""
        off = abs(self.hits - self.expected / CERTAIN_PPM)
        return {
            "draws": self.rolled,
            "won": self.hits,
            "won_ppm": self.hits * CERTAIN_PPM // self.rolled if self.rolled else None,
            "expected_ppm": self.expected // self.rolled if self.rolled else None,
            "is_within_chance": off <= _ERRORS * math.sqrt(self.variance),
        }


@dataclass(slots=True)
class Of:
    """One surprise: its receipts, and apart those of the time in which it only pretended."""

    real: Counted = field(default_factory=Counted)
    shadow: Counted = field(default_factory=Counted)


def report(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """The report of a period; by default from the first receipt on until now."""
    live, now = versions.get_live(connection, program_id)
    start, end = query.get("from", _EVER), query.get("to", now + 1)
    if end < start:
        raise invalid([FieldError("?to", "invalid", "must not be before from")])
    points.lift_limits(connection)
    period, only = Period(start, end), query.get("surprise")
    found = _count(connection, program_id, period, only=only)
    costs = surprise_costs.read(connection, live, period, only=only)
    used = _read_budgets(connection, live, now)
    keys = [one.key for one in live.surprises.all if only in (None, one.key)]
    keys += sorted(found.keys() - set(keys))
    return {
        "from": None if "from" not in query else clock.format_instant(clock.Instant(start)),
        "to": clock.format_instant(clock.Instant(query.get("to", now))),
        "currency": live.currency,
        "surprises": [
            _shown(connection, live, key, found.get(key, Of()), cost=costs.get(key), used=used)
            for key in keys
        ],
        "cost": surprise_costs.shown(live, costs.values()),
        "experiments": _experiments(connection, live, period, query),
    }


def _count(
    connection: sa.Connection, program_id: bytes, period: Period, *, only: str | None
) -> dict[str, Of]:
    """Receipts by what became of them: one row for every way in which one can end."""
    columns = DRAWS.c
    threshold = sa.cast(columns.threshold_ppm, sa.Double) / CERTAIN_PPM
    lead = (
        columns.surprise_key,
        columns.version,
        columns.is_shadow,
        columns.guard,
        columns.holdout_scope,
        columns.is_pity,
        columns.won,
        columns.prize,
        columns.stands,
    )
    rows = connection.execute(
        sa.select(
            *lead,
            sa.func.count(),
            sa.func.sum(columns.threshold_ppm),
            sa.func.sum(threshold * (1 - threshold)),
            sa.func.sum(columns.cost),
        )
        .where(columns.program_id == program_id, period.has(columns.drawn_at), *_only(only))
        .group_by(*lead)
    )
    found: dict[str, Of] = {}
    for row in rows:
        of = found.setdefault(row.surprise_key, Of())
        _add(of.shadow if row.is_shadow else of.real, row)
    return found


def _only(key: str | None) -> Iterable[sa.ColumnElement[bool]]:
    return () if key is None else (DRAWS.c.surprise_key == key,)


def _add(one: Counted, row: Any) -> None:
    count, expected, variance, cost = row[-4:]
    count = int(count)
    one.considered += count
    if row.guard == "holdout":
        one.held[row.holdout_scope] = one.held.get(row.holdout_scope, 0) + count
        return
    if row.guard is not None:
        one.guards[row.guard] = one.guards.get(row.guard, 0) + count
        return
    one.draws += count
    if row.won:
        prize = one.prizes.setdefault(row.prize, Prize())
        one.won, prize.won = one.won + count, prize.won + count
        if row.stands:
            one.standing, prize.standing = one.standing + count, prize.standing + count
        # What fell and was used costs on.
        one.claimed[row.version] = one.claimed.get(row.version, 0) + int(cost)
    if row.is_pity:
        one.pity += count
        return
    one.rolled += count
    one.expected += int(expected)
    one.variance += float(variance)
    if row.won:
        one.hits += count


def _shown(
    connection: sa.Connection,
    live: Compiled,
    key: str,
    of: Of,
    *,
    cost: surprise_costs.Cost | None,
    used: Mapping[tuple[str, str], int],
) -> dict[str, Any]:
    surprise = live.surprises.find(key)
    places = set(of.real.prizes) | set(range(0 if surprise is None else len(surprise.prizes)))
    prizes = {place: of.real.prizes.get(place, Prize()) for place in sorted(places)}
    pretended = of.shadow
    return {
        "surprise": key,
        "state": None if surprise is None else surprise.state,
        **of.real.shown(),
        "prizes": [
            {"prize": place, "won": prize.won, "standing": prize.standing}
            for place, prize in prizes.items()
        ],
        "cost": surprise_costs.shown(live, () if cost is None else (cost,)),
        "budget": None
        if surprise is None or surprise.budget is None
        else _budget(
            key, surprise.budget, _claimed(connection, live, key, surprise.budget, of.real), used
        ),
        "shadow": {
            "considered": pretended.considered,
            "draws": pretended.draws,
            "won": pretended.won,
        },
    }


def _claimed(
    connection: sa.Connection, live: Compiled, key: str, budget: Budget, real: Counted
) -> int:
    """What receipts take of the budget: of those drawn when it had this unit."""
    claimed = 0
    for version, cost in real.claimed.items():
        program = versions.get_compiled(connection, live.program_id, version)
        drawn = program.surprises.find(key)
        if drawn is not None and drawn.budget is not None and drawn.budget.unit == budget.unit:
            claimed += cost
    return claimed


def _budget(
    key: str, budget: Budget, claimed: int, used: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    in_all, today = used.get((key, "ever"), 0), used.get((key, "day"), 0)
    per_day, left = budget.per_day, max(0, budget.total - in_all)
    return {
        "unit": budget.unit,
        "claimed": claimed,
        "total": budget.total,
        "used": in_all,
        "left": left,
        "per_day": per_day,
        "used_today": None if per_day is None else today,
        "left_today": None if per_day is None else min(left, max(0, per_day - today)),
        "ends_at": None
        if budget.ends_at is None
        else clock.format_instant(clock.Instant(budget.ends_at)),
    }


def _read_budgets(
    connection: sa.Connection, live: Compiled, now: clock.Instant
) -> dict[tuple[str, str], int]:
    """What is taken of every budget now, in all and today: the counters that draws claim from."""
    rules = {one.budget.rule.key: one.key for one in live.surprises.all if one.budget}
    if not rules:
        return {}
    columns = LIMIT_COUNTERS.c
    today = limits.span("day", now, live.zone).start
    rows = connection.execute(
        sa.select(columns.rule, columns.period, columns.used).where(
            columns.program_id == live.program_id,
            columns.rule.in_(list(rules)),
            sa.or_(
                columns.period == "ever",
                sa.and_(columns.period == "day", columns.starts_at == today),
            ),
        )
    )
    return {(rules[rule], period): int(used) for rule, period, used in rows}


def _experiments(
    connection: sa.Connection, live: Compiled, period: Period, query: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What those held out tell: of the program first, then of each surprise."""
    columns, only = DRAWS.c, query.get("surprise")
    rows = connection.execute(
        sa.select(columns.surprise_key, columns.live_version)
        .where(
            columns.program_id == live.program_id,
            columns.is_shadow.is_(False),
            columns.drawn_at < period.end,
            *_only(only),
        )
        .distinct()
    )
    seen = [(key, version) for key, version in rows]
    shares = exposures.read_shares(
        connection, live, seen, is_until_now="to" not in query, only=only
    )
    found = exposures.read(connection, live.program_id, period, shares)
    shown = []
    for key, one in sorted(found.items()):
        first_at = one.first_at
        shown.append(
            {
                "surprise": key or None,
                "is_running": key in shares.running,
                "first_exposed_at": None
                if first_at is None
                else clock.format_instant(clock.Instant(first_at)),
                "left_out": {"other_share": one.other_share, "both_arms": one.both_arms},
                **comparison.compare(
                    one.treated,
                    one.held,
                    holdout_bp=shares.holdout_bp[key],
                    detect_bp=query.get("detect_bp", _DETECT_BP),
                ),
            }
        )
    return shown

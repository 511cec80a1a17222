"""Reporting: what the tested document would have come to, beside what really happened.

Pure but for what it is given. Points and money are integers; over several seeds `forecast` is the
median, and percentiles stand beside it. Members are named by our own ids: who they are is looked
up when the report is read, so nobody is in it who has been erased.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from analytics.backtests.measuring import Figures, OfRule, OfSurprise
from core import clock
from programs.compiled import Compiled

#: So many members whose points change most are named.
MEMBERS_MAX = 20


def spread(name: str, values: Sequence[int]) -> dict[str, int]:
    """Percentiles of a forecast by the nearest rank, and its mean, rounded down."""
    ordered = sorted(values)

    def rank(percent: int) -> int:
        return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]

    return {
        name: rank(50),
        f"{name}_mean": sum(ordered) // len(ordered),
        f"{name}_p5": rank(5),
        f"{name}_p50": rank(50),
        f"{name}_p95": rank(95),
    }


def compare(
    forecasts: Sequence[Figures], actual: Figures, *, tested: Compiled, live: Compiled
) -> dict[str, Any]:
    """The report, without members. Points are worth what the document they are of says."""
    points = [sum(one.points.values()) for one in forecasts]
    minor = [one.worth(tested) for one in forecasts]
    keys = sorted({key for one in (*forecasts, actual) for key in (*one.points, *one.expired)})
    return {
        "points": spread("forecast", points)
        | {
            "actual": sum(actual.points.values()),
            "kinds": [
                {
                    "points_key": key,
                    **_pair(forecasts, actual, lambda one, key=key: one.points[key]),  # type: ignore[misc]
                    "expired": _pair(forecasts, actual, lambda one, key=key: one.expired[key]),  # type: ignore[misc]
                }
                for key in keys
            ],
        },
        "minor": spread("forecast", minor) | {"actual": actual.worth(live)},
        "orders": actual.orders,
        "rules": _rules(forecasts, actual, tested=tested, live=live),
        "tiers": _tiers(forecasts, actual),
        "conflicts": _conflicts(forecasts),
        "surprises": _surprises(forecasts, actual, tested=tested, live=live),
        "segments": [_segment(forecasts, actual, one.key) for one in tested.segments],
    }


def _median(values: Iterable[int]) -> int:
    return spread("it", list(values))["it"]


def _pair(
    forecasts: Sequence[Figures], actual: Figures, of: Callable[[Figures], int]
) -> dict[str, int]:
    return {"forecast": _median(of(one) for one in forecasts), "actual": of(actual)}


def _rules(
    forecasts: Sequence[Figures], actual: Figures, *, tested: Compiled, live: Compiled
) -> list[dict[str, Any]]:
    found = []
    nothing = OfRule()
    for key in sorted({key for one in (*forecasts, actual) for key in one.rules}):

        def of(one: Figures, key: str = key) -> OfRule:
            return one.rules.get(key, nothing)

        found.append(
            {
                "rule": key,
                "points": _pair(forecasts, actual, lambda one, of=of: of(one).points.total()),  # type: ignore[misc]
                "awards": _pair(forecasts, actual, lambda one, of=of: of(one).awards),  # type: ignore[misc]
                "withheld": _pair(forecasts, actual, lambda one, of=of: of(one).withheld),  # type: ignore[misc]
                "minor": {
                    "forecast": _median(one.rule_worth(tested, key) for one in forecasts),
                    "actual": actual.rule_worth(live, key),
                },
            }
        )
    return found


def _tiers(forecasts: Sequence[Figures], actual: Figures) -> list[dict[str, Any]]:
    keys = {key for one in (*forecasts, actual) for key in (*one.gained, *one.lost)}
    return [
        {
            "key": key,
            "gained": _pair(forecasts, actual, lambda one, key=key: one.gained[key]),  # type: ignore[misc]
            "lost": _pair(forecasts, actual, lambda one, key=key: one.lost[key]),  # type: ignore[misc]
        }
        for key in sorted(keys)
    ]


def _conflicts(forecasts: Sequence[Figures]) -> list[dict[str, Any]]:
    pairs = {pair for one in forecasts for pair in one.conflicts}
    found = [
        {
            "rule": rule,
            "excluded_by": winner,
            "times": _median(one.conflicts[rule, winner] for one in forecasts),
        }
        for rule, winner in sorted(pairs)
    ]
    return sorted(found, key=lambda one: -int(str(one["times"])))


def _segment(forecasts: Sequence[Figures], actual: Figures, key: str) -> dict[str, Any]:
    return {"key": key, **_pair(forecasts, actual, lambda one: one.segments.get(key, 0))}


def _surprises(
    forecasts: Sequence[Figures], actual: Figures, *, tested: Compiled, live: Compiled
) -> list[dict[str, Any]]:
    found = []
    nothing = OfSurprise()
    for key in sorted({key for one in (*forecasts, actual) for key in one.surprises}):
        told = [one.surprises.get(key, nothing) for one in forecasts]
        real = actual.surprises.get(key, nothing)
        # Where it lasted in half of the lives and more, it is told to last.
        ends = sorted(2**62 if one.exhausted_at is None else one.exhausted_at for one in told)
        end = ends[(len(ends) - 1) // 2]
        found.append(
            {
                "key": key,
                "draws": spread("forecast", [one.draws for one in told]) | {"actual": real.draws},
                "winners": spread("forecast", [one.winners for one in told])
                | {"actual": real.winners},
                "cost": spread("forecast", [one.cost for one in told]) | {"actual": real.cost},
                "points": spread("forecast", [one.points.total() for one in told])
                | {"actual": real.points.total()},
                "minor": spread("forecast", [one.prize_worth(tested, key) for one in forecasts])
                | {"actual": actual.prize_worth(live, key)},
                "budget_exhausted_at": {
                    "forecast": None if end == 2**62 else clock.format_instant(end),
                    "actual": None
                    if real.exhausted_at is None
                    else clock.format_instant(real.exhausted_at),
                },
            }
        )
    return found

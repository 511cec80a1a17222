"""Advice on rules by themselves: whether they can fire, when, and within which limits."""

import difflib
from typing import Any
from zoneinfo import ZoneInfo

from core import clock
from programs.checking.advice import holding
from programs.checking.advice.reading import Rule, is_live, levels_of
from programs.checking.findings import Findings
from rules.facts import Catalogue
from rules.schedules import compile_schedule

_DAY = 86_400
_SHORTEST = {"week": 7, "month": 28, "year": 365}
_TESTS_OF_TIER = ("=", "!=", "in", "not_in")


def advise_rule(
    found: Findings, rule: Rule, document: dict[str, Any], now: clock.Instant | None
) -> None:
    """Everything about one live rule."""
    _advise_condition(found, rule.when, rule.facts, f"{rule.at}/when", rule.key)
    if rule.lines is not None:
        at = f"{rule.at}/effect/lines/when"
        _advise_condition(found, rule.lines_when, rule.lines, at, rule.key)
    _advise_tiers(found, rule, levels_of(document))
    _advise_activity(found, rule, document.get("activities") or [])
    _advise_schedule(found, rule, ZoneInfo(document["timezone"]), now)
    _advise_limits(found, rule)


def _advise_condition(found: Findings, condition: Any, facts: Catalogue, at: str, key: str) -> None:
    demands = holding.conflict(condition, facts)
    if demands is None:
        return
    told = " and ".join(holding.readable(demand, facts) for demand in demands)
    why = f"{told} never holds" if len(demands) == 1 else f"{told} cannot hold at once"
    found.warning(at, "rule_never_fires", f"the rule {key} can never fire: {why}")


def _advise_tiers(found: Findings, rule: Rule, levels: list[dict[str, Any]]) -> None:
    known = {level["key"]: level for level in levels}
    for leaf, at in holding.leaves(rule.when, f"{rule.at}/when"):
        if leaf["fact"] != "member.tier" or leaf["op"] not in _TESTS_OF_TIER:
            continue
        is_list = isinstance(leaf["value"], list)
        for index, key in enumerate(leaf["value"] if is_list else [leaf["value"]]):
            place = f"{at}/value/{index}" if is_list else f"{at}/value"
            if key not in known:
                near = difflib.get_close_matches(str(key)[:100], list(known), n=1)
                hint = f"did you mean {near[0]}?" if near else _listed(known)
                detail = f"no level has the key {str(key)[:60]}, so nobody is ever in it; {hint}"
                found.warning(place, "unknown_tier", detail)
            elif not is_live(known[key]):
                detail = f"the level {key} is paused: nobody enters it any more"
                found.warning(place, "paused_tier", detail)


def _listed(known: dict[str, Any]) -> str:
    return f"there are: {', '.join(known)}" if known else "this program has no levels"


def _advise_activity(found: Findings, rule: Rule, declared: list[dict[str, Any]]) -> None:
    kind = rule.trigger.removeprefix("activity:")
    keys = [item["key"] for item in declared]
    if kind == rule.trigger or kind in keys:
        return
    near = difflib.get_close_matches(kind, keys, n=1, cutoff=0.7)
    if near:
        detail = f"no activity {kind} is declared; did you mean activity:{near[0]}?"
        found.warning(f"{rule.at}/trigger", "unknown_activity", detail)


def _advise_schedule(
    found: Findings, rule: Rule, zone: ZoneInfo, now: clock.Instant | None
) -> None:
    given = rule.schedule
    schedule = compile_schedule(given)
    if schedule is None:
        return
    at = f"{rule.at}/schedule"
    if "from" in given and "until" not in given:
        detail = (
            f"the rule {rule.key} is in force from {given['from']} to the midnight that ends the "
            "day; if that is meant, say until 24:00"
        )
        found.warning(f"{at}/from", "open_ended_hours", detail)
    starts_at, ends_at = schedule.starts_at, schedule.ends_at
    if starts_at is not None and ends_at is not None:
        opens_at = None if ends_at <= starts_at else schedule.next_start(starts_at, zone)
        if opens_at is None:
            detail = f"the rule {rule.key} is never in force: the schedule {_bounds(given)}"
            days = ", ".join(map(str, given.get("weekdays", ())))
            hours = " to ".join(given[one] for one in ("from", "until") if one in given)
            if ends_at > starts_at:
                within = [f"on weekdays {days}"] if days else []
                within += [f"at {hours}"] if hours else []
                detail += f", and never {' '.join(within)} in between"
            found.warning(at, "schedule_never_opens", detail)
            return
    if ends_at is not None and now is not None and ends_at <= now:
        ended = clock.format_instant(ends_at)
        detail = f"the rule {rule.key} ended at {ended} and will not fire again"
        found.warning(f"{at}/ends_at", "schedule_over", detail)


def _bounds(given: dict[str, Any]) -> str:
    return f"starts at {given['starts_at']} and ends at {given['ends_at']}"


def _advise_limits(found: Findings, rule: Rule) -> None:
    award = rule.effect.get("points")
    schedule = compile_schedule(rule.schedule)
    lasts = None
    if schedule is not None and schedule.starts_at is not None and schedule.ends_at is not None:
        lasts = (schedule.ends_at - schedule.starts_at) // clock.SECOND
    for index, limit in enumerate(rule.item.get("limits") or []):
        at = f"{rule.at}/limits/{index}"
        period = limit.get("period") or "day"
        each = "" if limit.get("per") == "order" else _EACH[period]
        most = limit.get("points")
        if isinstance(most, int) and isinstance(award, int) and most < award:
            detail = (
                f"the rule {rule.key} gives {award:,} points at a time, but the limit is "
                f"{most:,}{each}: the whole of it is never given"
            )
            found.warning(f"{at}/points", "cap_below_award", detail)
        days = _SHORTEST.get(period)
        if lasts is None or days is None or limit.get("per") == "order" or lasts <= 0:
            continue
        if lasts < days * _DAY:
            detail = (
                f"the limit counts by calendar {period}s, but the rule {rule.key} is in force for "
                f"{_days(lasts)} only: across the end of a {period} it counts twice; use ever"
            )
            found.warning(f"{at}/period", "limit_longer_than_schedule", detail)


_EACH = {
    "day": " a day",
    "week": " a week",
    "month": " a month",
    "year": " a year",
    "ever": " in all",
}


def _days(seconds: int) -> str:
    days = -(-seconds // _DAY)
    return "one day" if days == 1 else f"{days} days"

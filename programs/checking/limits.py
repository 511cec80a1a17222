"""The check of a rule's schedule and limits."""

from typing import Any

from core import clock
from programs.checking.findings import Findings


def check_limits(found: Findings, rule: dict[str, Any], at: str) -> None:
    """The schedule and the limits of a rule that stands at a pointer."""
    _check_schedule(found, rule.get("schedule") or {}, f"{at}/schedule")
    seen: set[tuple[str, str, str]] = set()
    given = {"add_stamps": "stamps are", "payable": "cash is"}.get(rule["effect"]["do"])
    for index, limit in enumerate(rule.get("limits") or ()):
        where = f"{at}/limits/{index}"
        units = [name for name in ("times", "points") if name in limit]
        if len(units) != 1:
            found.error(where, "needs times or points, and not both", "required")
            continue
        per, period = limit.get("per", "member"), limit.get("period")
        if per == "order":
            if units == ["times"]:
                found.error(f"{where}/times", "means nothing: a rule fires once for an order")
            if period not in (None, "ever"):
                found.error(f"{where}/period", "means nothing for one order", "unknown_field")
        if given is not None and units == ["points"]:
            found.error(f"{where}/points", f"means nothing: {given} no points; limit the times")
        key = (per, period or ("ever" if per == "order" else "day"), units[0])
        if key in seen:
            found.error(where, f"limits the {units[0]} twice per {per} and period", "duplicate")
        seen.add(key)


def _check_schedule(found: Findings, schedule: dict[str, Any], at: str) -> None:
    starts_at, ends_at = schedule.get("starts_at"), schedule.get("ends_at")
    if starts_at and ends_at and clock.parse_instant(starts_at) >= clock.parse_instant(ends_at):
        found.error(f"{at}/ends_at", "must be after starts_at: the rule is never in force")
    opens, closes = schedule.get("from"), schedule.get("until")
    if opens and opens == closes:
        found.error(f"{at}/until", "must not be the same as from; leave both out for whole days")
    if opens is None and closes == "00:00":
        found.error(f"{at}/until", "is midnight, when the day has not begun; 24:00 ends it")
    weekdays = schedule.get("weekdays")
    if weekdays is not None and not weekdays:
        found.error(f"{at}/weekdays", "has no day; leave it out for every day")
    if len(set(weekdays or ())) != len(weekdays or ()):
        found.error(f"{at}/weekdays", "names a day twice", "duplicate")

"""A member's tier as the contract shows it: level, term, progress, what is missing to keep it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core import clock
from loyalty.tiers.contributions import History
from loyalty.tiers.moving import Values, passed
from loyalty.tiers.standing import Place, Standing
from programs.compiled import Compiled
from programs.ladder import Ladder, Level


@dataclass(frozen=True, slots=True)
class View:
    """Where a member stands as of an instant, and all that is said of it.

    `values` are the metrics in the window now, `at_end` what the window as of the end of the term
    will hold of them; `projected` is the level after that end if nothing more is bought. Beneath a
    level given by hand it is the level `beneath` towards and from which there is progress.
    """

    standing: Standing
    values: Values
    at_end: Values | None = None
    projected: Level | None = None
    reason: str | None = None
    beneath: Standing | None = None

    @property
    def computed(self) -> Standing:
        """Where the member would stand without a hand."""
        return self.standing if self.beneath is None else self.beneath


def view(
    ladder: Ladder,
    place: Place,
    history: History | None,
    *,
    values: Values,
    at: int,
    reason: str | None = None,
) -> View:
    """What is to be shown of a place as of an instant. Without a history what the window holds
    stays in it."""
    standing = place.shown(at)
    if standing.is_manual:
        under = view(ladder, replace(place, manual=None), history, values=values, at=at)
        later = _after(ladder, place, history, at=standing.until)
        return replace(
            under, standing=standing, projected=later, reason=reason, beneath=under.standing
        )
    if standing.until is None:
        return View(standing, values)
    if standing.is_assured:
        return View(standing, values, projected=_after(ladder, place, history, at=standing.until))
    if history is None:
        return View(standing, values, values, standing.level)
    # Renewed, given grace, or lowered: grace alone says nothing yet.
    projected = passed(ladder, standing, history, to=standing.until)
    if projected.grace_until is not None:
        projected = passed(ladder, projected, history, to=projected.grace_until)
    return View(standing, values, history.closing(standing.until), projected.level)


def _after(
    ladder: Ladder, place: Place, history: History | None, *, at: int | None
) -> Level | None:
    """The level when what is assured or given by hand is over, if nothing more is bought."""
    if at is None:
        return None
    beneath = place.derived
    if history is not None:
        beneath = passed(ladder, beneath, history, to=at)
    return place.with_derived(beneath).shown(at).level


def show(
    program: Compiled, seen: View, *, change: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A tier as the contract shows it, with the progress to the next level."""
    standing, ladder = seen.standing, program.ladder
    level = standing.level
    body: dict[str, Any] = {
        "key": standing.key,
        "name": None if level is None else (level.name or {program.locales[0]: level.key}),
        "since": None if level is None else clock.format_instant(standing.since),
        "until": _instant(standing.until),
        "grace_until": _instant(standing.grace_until),
        "at_risk": is_at_risk(ladder, seen),
        "projected": None if seen.projected is None else seen.projected.key,
        "is_manual": standing.is_manual,
        "progress": [],
    }
    if standing.is_manual:
        body["reason"] = seen.reason
    if any(one.enter_at is not None for one in ladder.levels):
        body["progress"] = [
            {
                "metric": metric,
                "value": seen.values[index],
                "next": _next(ladder, seen.computed, seen.values[index], index),
                "retain": _retain(ladder, seen, index),
            }
            for index, metric in enumerate(ladder.metrics)
        ]
    if change is not None:
        body["change"] = dict(change)
    return body


def _instant(at: int | None) -> str | None:
    return None if at is None else clock.format_instant(at)


def _next(ladder: Ladder, standing: Standing, value: int, index: int) -> dict[str, Any] | None:
    """The next level that can be reached, and what is missing of one metric."""
    for level in ladder.levels:
        if level.rank > standing.rank and level.enter_at is not None and level.is_live:
            return {"key": level.key, "missing": max(0, level.enter_at[index] - value)}
    return None


def _retain(ladder: Ladder, seen: View, index: int) -> dict[str, Any] | None:
    """What is missing of one metric to keep the level, and by when: by the end of the term, what
    will have left the window by then counts no more; by the end of what is assured, what it takes
    to enter the level."""
    standing, value = seen.computed, seen.values[index]
    level = standing.level
    if level is None or level.enter_at is None or level.retain_at is None:
        return None
    if standing.is_assured and standing.until is not None:
        missing = max(0, level.enter_at[index] - value)
        return {"missing": missing, "by": _instant(standing.until)}
    if ladder.downgrade == "none":
        return None
    if standing.grace_until is not None:
        # Bought within grace, it counts at once, beside what the window holds then.
        missing = max(0, level.retain_at[index] - value)
        return {"missing": missing, "by": _instant(standing.grace_until)}
    if standing.until is not None and seen.at_end is not None:
        missing = max(0, level.retain_at[index] - seen.at_end[index])
        return {"missing": missing, "by": _instant(standing.until)}
    return {"missing": max(0, level.retain_at[index] - value), "by": None}


def is_at_risk(ladder: Ladder, seen: View) -> bool:
    """Whether the window holds less now than it takes to keep the level."""
    standing = seen.standing
    level = standing.level
    if level is None or standing.is_manual:
        return False
    if standing.is_assured:
        return standing.until is not None and not ladder.is_met(level.enter_at, seen.values)
    if ladder.downgrade == "none":
        return False
    return not ladder.is_met(level.retain_at, seen.values)


def entitlements(standing: Standing) -> list[dict[str, Any]]:
    """What the level entitles its members to."""
    level = standing.level
    if level is None or not level.is_live:
        return []
    until = _instant(standing.ends_at)
    return [
        {"perk": key, "name": name, "until": until, "source": f"tier:{level.key}"}
        for key, name in level.perks
    ]


def change(before: Level | None, after: Level | None) -> dict[str, Any] | None:
    """The change from one level to another, or None."""
    from_key = None if before is None else before.key
    to_key = None if after is None else after.key
    if from_key == to_key:
        return None
    up = (after.rank if after else 0) > (before.rank if before else 0)
    return {"from": from_key, "to": to_key, "kind": "upgrade" if up else "downgrade"}

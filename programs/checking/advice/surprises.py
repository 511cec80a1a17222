"""Advice on surprises: what is never won, what costs without end, and what cannot be measured."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from core import clock
from programs import triggers
from programs.checking.advice.reading import Rule, is_live
from programs.checking.advice.rules import advise_rule
from programs.checking.findings import Findings
from programs.surprises import CERTAIN_PPM
from programs.triggers import Declared

#: So many members of each side are looked at before anything is said of a holdout.
_COMPARED = 100
#: A smaller share, in basis points, takes more members than most programs have.
_SHARE_LEAST = 100
_WHOLE_BP = 10_000
#: Of a program that names none.
_LOCALES = ("en",)


def advise_surprises(
    found: Findings,
    document: dict[str, Any],
    *,
    activities: Mapping[str, Declared],
    now: clock.Instant | None,
) -> None:
    """Everything about the surprises that are not paused, shadows too: they are to go live."""
    running = [
        (item, f"/surprises/{index}")
        for index, item in enumerate(document.get("surprises") or [])
        if item.get("state") != "paused"
    ]
    _advise_share(found, document.get("holdout_bp"), "/holdout_bp", "the program")
    groups = Counter(item["group"] for item, _ in running if item.get("group") is not None)
    for item, at in running:
        facts = triggers.find_facts(item.get("trigger", "order"), activities)
        if facts is not None:
            # What is said of rules by themselves holds for whatever has a condition.
            rule = Rule(item | {"effect": {"do": "surprise"}}, at, facts, None)
            advise_rule(found, rule, document, now)
        _advise_luck(found, item, at)
        _advise_bounds(found, item, at)
        _advise_budget(found, item, at)
        _advise_share(found, item.get("holdout_bp"), f"{at}/holdout_bp", item["key"])
        if groups[item.get("group")] == 1:
            detail = f"{item['key']} is alone in the group {item['group']}: it excludes nothing"
            found.warning(f"{at}/group", "lone_group", detail)
        for number, prize in enumerate(item.get("prizes") or []):
            where = f"{at}/prizes/{number}"
            _advise_note(found, prize, document.get("locales") or _LOCALES, where)
            _advise_gifts(found, prize, document, where)


def _advise_share(found: Findings, share: int | None, at: str, whose: str) -> None:
    """A comparison waits until both sides have enough members."""
    if share and share < _SHARE_LEAST:
        members = -(-_COMPARED * _WHOLE_BP // share)
        detail = (
            f"the holdout of {whose} is {share} of {_WHOLE_BP:,}: nothing can be said before"
            f" {members:,} members had a chance, {_COMPARED} of them held out"
        )
        found.warning(at, "holdout_too_small", detail)


def _advise_luck(found: Findings, item: Mapping[str, Any], at: str) -> None:
    probability = item.get("probability_ppm", CERTAIN_PPM)
    pity = item.get("pity_after")
    if probability == 0 and pity is None:
        detail = f"the probability of {item['key']} is 0: nobody ever wins it"
        found.warning(f"{at}/probability_ppm", "surprise_never_won", detail)
    if pity is not None and not _is_bounded(item):
        detail = (
            f"after {pity:,} losses {item['key']} is won whatever the roll, as often as it is"
            " drawn: give it limits, a cool-down or a budget"
        )
        found.warning(f"{at}/pity_after", "pity_without_bound", detail)


def _is_bounded(item: Mapping[str, Any]) -> bool:
    return bool(item.get("limits") or item.get("budget") or item.get("cooldown"))


def _advise_bounds(found: Findings, item: Mapping[str, Any], at: str) -> None:
    is_certain = item.get("probability_ppm", CERTAIN_PPM) == CERTAIN_PPM
    is_everybodys = item.get("when") is None and item.get("every") is None
    of_orders = item.get("trigger", "order") == "order"
    if of_orders and is_certain and is_everybodys and not _is_bounded(item):
        detail = (
            f"{item['key']} comes with every order of every member, without end: that is earning,"
            " and no surprise; give it a condition, a probability, a cool-down or a budget"
        )
        found.warning(at, "surprise_without_end", detail)


def _advise_budget(found: Findings, item: Mapping[str, Any], at: str) -> None:
    """A budget must have the dearest prize before a draw."""
    budget = item.get("budget") or {}
    unit = budget.get("unit", "points")
    dearest = max((_fixed(prize, unit) for prize in item.get("prizes") or []), default=0)
    for name in ("total", "per_day"):
        most = budget.get(name)
        if most is not None and most < dearest:
            what = "minor units" if unit == "minor" else unit
            detail = (
                f"a prize of {item['key']} costs {dearest:,} {what}, and the budget is"
                f" {most:,}: nothing of it is ever drawn"
            )
            found.warning(f"{at}/budget/{name}", "budget_below_prize", detail)


def _fixed(prize: Mapping[str, Any], unit: str) -> int:
    """What a prize costs at least, by what it says itself."""
    effects = prize.get("effects") or []
    if unit == "points":
        return sum(one.get("points", 0) for one in effects if one["do"] == "add_points")
    estimated: int | None = prize.get("estimated_cost_minor")
    if estimated is not None:
        return estimated
    return sum(one.get("minor") or 0 for one in effects if one["do"] == "payable")


def _advise_note(
    found: Findings, prize: Mapping[str, Any], locales: Sequence[str], at: str
) -> None:
    note = prize.get("note") or {}
    spoken = {locale.partition("-")[0] for locale in note}
    lacking = [one for one in locales if one.partition("-")[0] not in spoken]
    if note and lacking:
        detail = (
            f"the note has no text in {', '.join(lacking)}: members of that locale read it in"
            " another language"
        )
        found.warning(f"{at}/note", "note_lacks_locale", detail)


def _advise_gifts(
    found: Findings, prize: Mapping[str, Any], document: Mapping[str, Any], at: str
) -> None:
    rewards = {reward["key"]: reward for reward in document.get("rewards") or []}
    for number, effect in enumerate(prize.get("effects") or []):
        if effect["do"] != "grant_reward":
            continue
        reward = rewards.get(effect["reward"]) or {}
        where = f"{at}/effects/{number}/reward"
        if reward.get("stock") == 0:
            detail = f"{effect['reward']} has no stock: who wins it goes without"
            found.warning(where, "gift_not_to_be_had", detail)
        elif reward and not is_live(reward):
            detail = f"{effect['reward']} is paused: who wins it goes without"
            found.warning(where, "gift_not_to_be_had", detail)

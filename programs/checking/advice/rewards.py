"""Advice on rewards and on paying with points: what costs the program more than it says, what
nobody can have, and codes that can be guessed."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

from core import clock
from programs import triggers
from programs.checking.advice import holding
from programs.checking.advice.reading import (
    by_threshold,
    is_live,
    kind_of,
    levels_of,
    live_effects,
    metrics_of,
    value_of,
)
from programs.checking.findings import Findings
from programs.rewards import TRIGGER

#: Symbols of codes have so many bits each, and codes that cannot be guessed so many in all.
_BITS_EACH, _BITS = 5, 60
#: From here on a percentage without a maximum is dear on a large order.
_LARGE_BP = 5_000
_MONEY = ("discount_amount", "gift_card", "store_credit")


def advise_rewards(found: Findings, document: dict[str, Any], now: clock.Instant | None) -> None:
    """Everything about the catalogue, and about paying with points."""
    given = {
        effect.get("reward")
        for effect, _ in live_effects(document)
        if effect["do"] == "grant_reward"
    }
    for index, reward in enumerate(document.get("rewards") or []):
        if not is_live(reward):
            continue
        at = f"/rewards/{index}"
        _advise_value(found, reward, document, at)
        _advise_free(found, reward, at)
        _advise_reach(found, reward, at, is_given=reward["key"] in given)
        _advise_conditions(found, reward, at)
        _advise_levels(found, reward, document, at)
        _advise_code(found, reward, at)
        _advise_end(found, reward, at, now)
    if document.get("pay_with_points"):
        _advise_paying(found, document)


def _advise_value(
    found: Findings, reward: Mapping[str, Any], document: dict[str, Any], at: str
) -> None:
    """Money that costs fewer points than it is worth in them."""
    cost = reward.get("cost_points")
    if reward["kind"] in _MONEY and cost:
        points, minor = value_of(kind_of(document, dict(reward)))
        worth, spent = reward["value"]["minor"], cost * minor // points
        if minor and worth > spent:
            detail = (
                f"{reward['key']} is worth {worth:,} minor units and costs {cost:,} points, which "
                f"are worth {spent:,}"
            )
            found.warning(f"{at}/cost_points", "reward_above_points", detail)
    share = (reward.get("value") or {}).get("percent_bp", 0)
    is_unbounded = reward.get("max_discount_minor") is None
    if reward["kind"] == "discount_percent" and share >= _LARGE_BP and is_unbounded:
        detail = (
            f"{reward['key']} takes {share // 100} % off an order of any size: give it "
            "max_discount_minor"
        )
        found.warning(f"{at}/value/percent_bp", "unbounded_discount", detail)


def _advise_free(found: Findings, reward: Mapping[str, Any], at: str) -> None:
    is_bounded = reward.get("limits") or reward.get("stock") is not None
    if reward.get("cost_points") == 0 and not is_bounded:
        detail = (
            f"{reward['key']} is free and has neither limits nor stock: whoever asks gets it "
            "again and again"
        )
        found.warning(f"{at}/cost_points", "free_without_limit", detail)


def _advise_reach(found: Findings, reward: Mapping[str, Any], at: str, *, is_given: bool) -> None:
    is_sold = reward.get("cost_points") is not None or bool(reward.get("cost_by_tier"))
    if not is_sold and not is_given:
        detail = (
            f"{reward['key']} has no cost and no live rule, level or card grants it: nobody has it "
            "but by hand"
        )
        found.warning(at, "reward_for_nobody", detail)
    if reward.get("stock") == 0:
        detail = f"{reward['key']} starts with a stock of 0: nobody has it until stock is added"
        found.warning(f"{at}/stock", "no_stock", detail)


def _advise_conditions(found: Findings, reward: Mapping[str, Any], at: str) -> None:
    facts, lines = triggers.find_facts(TRIGGER), triggers.find_line_facts(TRIGGER)
    assert facts is not None and lines is not None
    applies_to, place = reward.get("applies_to"), f"{at}/applies_to"
    if isinstance(applies_to, dict) and set(applies_to) == {"when"}:
        applies_to, place = applies_to["when"], f"{place}/when"
    for condition, catalogue, pointer in (
        (reward.get("when"), facts, f"{at}/when"),
        (applies_to, lines, place),
    ):
        demands = holding.conflict(condition, catalogue)
        if demands is not None:
            told = " and ".join(holding.readable(demand, catalogue) for demand in demands)
            why = f"{told} never holds" if len(demands) == 1 else f"{told} cannot hold at once"
            detail = f"nobody can ever have {reward['key']}: {why}"
            found.warning(pointer, "reward_for_nobody", detail)


def _advise_levels(
    found: Findings, reward: Mapping[str, Any], document: dict[str, Any], at: str
) -> None:
    """Prices that rise with the level, and levels that nobody enters."""
    costs, cost = reward.get("cost_by_tier") or {}, reward.get("cost_points")
    ladder = by_threshold(document, metrics_of(document)[0]) if costs else []
    asked = [(level["key"], costs.get(level["key"], cost)) for _, level, _ in ladder]
    for (low, before), (high, after) in itertools.pairwise([("no level", cost), *asked]):
        if before is not None and after is not None and after > before:
            place = f"{at}/cost_by_tier/{high}" if high in costs else f"{at}/cost_points"
            detail = (
                f"{reward['key']} costs {after:,} points at {high} and {before:,} at {low}: "
                "whoever is promoted pays more"
            )
            found.warning(place, "higher_level_gives_less", detail)
    known = {level["key"]: level for level in levels_of(document)}
    tiers = reward.get("tiers") or []
    if tiers and not any(is_live(known[key]) for key in tiers):
        detail = f"{reward['key']} is only for levels that are paused: nobody enters them any more"
        found.warning(f"{at}/tiers", "paused_tier", detail)
    for leaf, place in holding.leaves(reward.get("when"), f"{at}/when"):
        if leaf["fact"] == "member.tier" and leaf["op"] in ("=", "!=", "in", "not_in"):
            values = leaf["value"] if isinstance(leaf["value"], list) else [leaf["value"]]
            for key in values:
                if key not in known:
                    told = str(key)[:60]
                    detail = f"no level has the key {told}, so nobody is ever in it"
                    found.warning(f"{place}/value", "unknown_tier", detail)


def _advise_code(found: Findings, reward: Mapping[str, Any], at: str) -> None:
    pattern = (reward.get("voucher") or {}).get("pattern")
    if pattern is None:
        return
    bits = pattern.count("#") * _BITS_EACH
    if bits < _BITS:
        detail = (
            f"the codes of {reward['key']} have {bits} random bits; of 60, twelve #, on nobody "
            "guesses one: wrong guesses are slowed down, not stopped"
        )
        found.warning(f"{at}/voucher/pattern", "weak_code", detail)


def _advise_end(
    found: Findings, reward: Mapping[str, Any], at: str, now: clock.Instant | None
) -> None:
    ends_at = (reward.get("schedule") or {}).get("ends_at")
    if ends_at and now is not None and clock.parse_instant(ends_at) <= now:
        detail = f"{reward['key']} ended at {ends_at}: nobody can have it any more"
        found.warning(f"{at}/schedule/ends_at", "schedule_over", detail)


def _advise_paying(found: Findings, document: dict[str, Any]) -> None:
    pay, at = document["pay_with_points"], "/pay_with_points"
    points, minor = value_of(kind_of(document, pay))
    worth = pay.get("value")
    if worth is not None and minor and worth["minor"] * points > minor * worth["points"]:
        detail = (
            f"{worth['points']:,} points pay {worth['minor']:,} minor units, and are worth "
            f"{worth['points'] * minor // points:,} elsewhere: reports of what is owed fall short"
        )
        found.warning(f"{at}/value", "reward_above_points", detail)
    points, minor = (points, minor) if worth is None else (worth["points"], worth["minor"])
    step = pay.get("step_points", 1)
    if step * minor % points:
        pays = step * minor // points
        detail = (
            f"a step of {step:,} points pays {pays:,} minor units and a fraction that is cut off: "
            f"use steps of {points // math.gcd(points, minor):,}"
        )
        found.warning(f"{at}/step_points", "step_pays_fractions", detail)

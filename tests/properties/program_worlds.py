"""Programs for histories to live under: limits, schedules, cards and ladders of many kinds."""

import random  # noqa: TID251
from typing import Any

from tests.world import document

VISIT, REVIEW = "activity:visit", "activity:review"


def _rule(key: str, effect: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"key": key, "trigger": "order", "effect": effect} | more


def _add(points: int) -> dict[str, Any]:
    return {"do": "add_points", "points": points}


def _stamp(card: str, stamps: int = 1) -> dict[str, Any]:
    return {"do": "add_stamps", "card": card, "stamps": stamps}


def _limit(per: str, period: str, **most: int) -> dict[str, Any]:
    return {"per": per, "period": period} | most


_AMOUNT = {"do": "points_per_amount", "points": 1, "per_minor": 100}
_AT_LEAST = {"fact": "order.net_minor", "op": ">=", "value": 3_000}
_SILVER = {"fact": "member.tier", "op": "=", "value": "silver"}
_GOOD = {"fact": "activity.facts.rating", "op": ">=", "value": 4}
_FIRST = {"fact": "order.is_first", "op": "=", "value": True}
_HOURS = ({"weekdays": [6, 7]}, {"from": "09:00", "until": "18:00"}, {"weekdays": [1, 2, 3, 4]})
_PERIODS = ("day", "week", "month", "ever")


def draw(chance: random.Random) -> dict[str, Any]:
    """A program's document."""
    cards = _cards(chance)
    return document(
        timezone=chance.choice(["Asia/Seoul", "Asia/Seoul", "Europe/Berlin", "America/New_York"]),
        points=[{"key": "points", "return_policy": "unlimited"}],
        earning={"rules": _rules(chance, cards)},
        cards=cards,
        tiers=_tiers(chance),
        activities=[{"key": "review", "facts": {"rating": "integer"}}],
    )


def _limits(chance: random.Random, *, points: tuple[int, ...], times: tuple[int, ...]) -> Any:
    """Up to two limits of a rule."""
    found = []
    for per in chance.choice([[], ["member"], ["program"], ["member", "program"]]):
        period = chance.choice(_PERIODS)
        if points and chance.random() < 0.6:
            found.append(_limit(per, period, points=chance.choice(points)))
        else:
            found.append(_limit(per, period, times=chance.choice(times)))
    return found


def _rules(chance: random.Random, cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    few = (1, 2, 3)
    rules = [
        _rule("base", _AMOUNT, limits=_limits(chance, points=(40, 70, 120), times=few)),
        _rule(
            "gift",
            _add(7),
            when=_AT_LEAST,
            on_refund=chance.choice(["recheck", "keep"]),
            limits=_limits(chance, points=(10, 14), times=few),
        ),
        _rule("share", _add(20), when=_AT_LEAST, on_refund="prorate"),
        _rule("happy", _add(11), schedule=chance.choice(_HOURS)),
        _rule("silver", _add(3), when=_SILVER, limits=_limits(chance, points=(8,), times=few)),
        _rule("first", _add(30), when=_FIRST),
        _rule(
            "visit",
            _add(5) | {"counts_for_tier": chance.random() < 0.5},
            trigger=VISIT,
            limits=_limits(chance, points=(5, 8, 12), times=few),
        ),
        _rule(
            "review",
            _add(9),
            trigger=REVIEW,
            when=_GOOD,
            limits=_limits(chance, points=(12, 20), times=few),
        ),
    ]
    if chance.random() < 0.3:
        rules[0]["limits"].append({"per": "order", "points": 50})
    for card in cards:
        limits = _limits(chance, points=(), times=few)
        stamps = chance.choice([1, 1, 1, 2, 5])
        key = card["key"]
        rules.append(_rule(f"{key}-order", _stamp(key, stamps), when=_AT_LEAST, limits=limits))
        rules.append(_rule(f"{key}-visit", _stamp(key), trigger=VISIT))
    return rules


def _cards(chance: random.Random) -> list[dict[str, Any]]:
    found = []
    for key in ("coffee", "tea")[: chance.choice([0, 1, 2])]:
        card: dict[str, Any] = {
            "key": key,
            "stamps": chance.choice([2, 3, 4]),
            "effects": [_add(chance.choice([50, 60]))],
            "repeats": chance.random() < 0.7,
        }
        if chance.random() < 0.6:
            card["expires_after"] = chance.choice(["P10D", "P1M", "P30D"])
            card["expires"] = chance.choice(["card", "stamp"])
        found.append(card)
    return found


def _tiers(chance: random.Random) -> dict[str, Any]:
    metric = chance.choice(["spend", "spend", "points", "orders", ["spend", "orders"]])
    steps = {"spend": (5_000, 10_000), "points": (50, 100), "orders": (2, 4)}
    metrics: list[str] = metric if isinstance(metric, list) else [str(metric)]
    basis: dict[str, Any] = {
        "metric": metric,
        "window": chance.choice(["rolling", "rolling", "calendar_year", "lifetime"]),
        "require": chance.choice(["all", "any"]),
    }
    if basis["window"] == "rolling":
        basis["duration"] = chance.choice(["P30D", "P60D", "P90D"])
    policy = chance.choice(["none", "from_entry", "from_entry", "calendar_year"])
    tiers: dict[str, Any] = {
        "basis": basis,
        "term": {"policy": policy},
        "downgrade": chance.choice(["none", "full", "full", "one_down"]),
        "on_refund": chance.choice(["immediate", "until_term_end"]),
        "levels": [],
    }
    if policy == "from_entry":
        tiers["term"]["duration"] = chance.choice(["P30D", "P45D", "P2M"])
    if policy == "none" and tiers["downgrade"] == "one_down":
        tiers["downgrade"] = "full"
    if policy != "none" and chance.random() < 0.6:
        tiers["grace"] = chance.choice(["P10D", "P1M"])
    # Not modelled: what entering pays where terms or the window can end a level.
    is_for_good = basis["window"] == "lifetime" or tiers["downgrade"] == "none"
    is_left_by_orders_alone = policy == "none" and is_for_good
    for rank, key in enumerate(("silver", "gold")):
        enter = {one: steps[one][rank] for one in metrics}
        level: dict[str, Any] = {
            "key": key,
            "enter_at": enter if len(enter) > 1 else enter[metrics[0]],
        }
        if chance.random() < 0.6:
            kept = {one: -(-value * 2 // 3) for one, value in enter.items()}
            level["retain_at"] = kept if len(kept) > 1 else kept[metrics[0]]
        level["multiplier_bp"] = (12_500, 20_000)[rank]
        if is_left_by_orders_alone:
            level["entry_effects"] = [_add((100, 500)[rank])]
        tiers["levels"].append(level)
    return tiers

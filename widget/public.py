"""The program as everybody may see it: names, ways to earn, levels, cards, rewards, offers.

In one locale, rendered once for each edition of the document and locale, and remembered; what is
over or has not begun is left out when it is asked for, by the program's clock. Refuses by naming
what it shows: costs to the organisation, stock, limits, conditions and whatever is paused are never
among it, and a reward that is only given is nobody's news before it is.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, jsontext, language
from programs import switches, versions
from programs.cards import Card
from programs.compiled import Compiled
from programs.ladder import Level
from programs.rewards import PayWithPoints, Reward
from programs.rules import Rule
from rewards import discounts
from rules.schedules import Schedule
from widget import offers, ways
from widget.texts import Reader

_REMEMBERED = 256
Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A program in one locale, with the dates of what comes and goes."""

    body: Shown
    earning: tuple[tuple[Schedule | None, Shown], ...]
    rewards: tuple[tuple[Schedule | None, Shown], ...]
    offers: tuple[tuple[Schedule | None, Shown], ...]


_rendered: OrderedDict[tuple[bytes, int, int, str | None], Rendered] = OrderedDict()
_lock = threading.Lock()


def show(connection: sa.Connection, program_id: bytes, locale: str | None) -> Shown:
    """The live program as of its clock."""
    live, now = versions.get_live(connection, program_id)
    key = (program_id, *live.edition, locale)
    found = _rendered.get(key)
    if found is None:
        found = _render(live, _document(connection, live), Reader(live, locale))
        with _lock:
            _rendered[key] = found
            while len(_rendered) > _REMEMBERED:
                _rendered.popitem(last=False)
    return found.body | {
        # A plan for later is nobody's business; a reward that is announced is.
        "ways_to_earn": [one for when, one in found.earning if _has_begun(when, now)],
        "rewards": [one for when, one in found.rewards if not _is_over(when, now)],
        "offers": [one for when, one in found.offers if _has_begun(when, now)],
    }


def _has_begun(schedule: Schedule | None, now: int) -> bool:
    is_early = schedule is not None and schedule.starts_at is not None and now < schedule.starts_at
    return not is_early and not _is_over(schedule, now)


def _is_over(schedule: Schedule | None, now: int) -> bool:
    return schedule is not None and schedule.ends_at is not None and now >= schedule.ends_at


def _document(connection: sa.Connection, live: Compiled) -> Mapping[str, Any]:
    """The document itself, for the descriptions that deciding needs not."""
    row = versions.get_version(connection, live.program_id, live.version)
    document: dict[str, Any] = jsontext.parse(row.document)
    if live.switches:
        thrown = switches.in_force(connection, live.program_id, upto=live.switches)
        document = switches.switched(document, thrown)
    return document


def _render(live: Compiled, document: Mapping[str, Any], reader: Reader) -> Rendered:
    rules = {item["key"]: item for item in switches.items_of(document, "rules")}
    cards = {item["key"]: item for item in switches.items_of(document, "cards")}
    pay = live.catalogue.pay_with_points
    body: Shown = {
        "name": live.name,
        "locale": reader.locale,
        "locales": list(live.locales),
        "timezone": str(live.zone),
        "currency": live.currency,
        "points": [
            {"key": kind.key, "name": reader.name(kind.name, kind.key)} for kind in live.points
        ],
        "levels": [_level(live, level, reader) for level in live.ladder.levels if level.is_live],
        "level_metrics": list(live.ladder.metrics) if live.ladder.levels else [],
        "cards": [
            _card(live, card, cards.get(card.key) or {}, reader)
            for card in live.cards
            if card.is_live
        ],
        "pay_with_points": None if pay is None or not pay.is_live else _paying(pay),
    }
    earning = tuple(
        (rule.schedule, _way(live, rule, rules[rule.key], reader))
        for rule in _listed(live, list(rules))
    )
    rewards = tuple(
        (one.rule.schedule, _reward(one, reader))
        for one in live.catalogue.rewards
        if one.is_live and (one.cost_points is not None or one.cost_by_tier)
    )
    offered = tuple(
        (one.schedule, offers.show(live, one, reader)) for one in live.offers if one.is_live
    )
    return Rendered(body, earning, rewards, offered)


def _listed(live: Compiled, keys: list[str]) -> list[Rule]:
    """The document's rules that run, in its order."""
    found = {
        rule.key: rule
        for trigger, rules in live.rules.items()
        # What a level, a card or an offer brings is told with it; of surprises nothing is.
        if not trigger.startswith(("tier_entered:", "card_completed:", "surprise:"))
        and not offers.is_brought(trigger)
        for rule in rules
        if rule.is_live
    }
    found |= {rule.key: rule for rule in offers.listening(live) if rule.is_live}
    return [found[key] for key in keys if key in found]


def _way(live: Compiled, rule: Rule, item: Mapping[str, Any], reader: Reader) -> Shown:
    trigger = item.get("trigger", "order")
    schedule = rule.schedule
    return {
        "key": rule.key,
        "trigger": trigger,
        "name": reader.text(rule.name),
        "description": reader.text(item.get("description")),
        "summary": reader.text(ways.way(live, rule, trigger)),
        "hours": reader.text(ways.hours(schedule)),
        "ends_at": None if schedule is None else _instant(schedule.ends_at),
        "has_conditions": item.get("when") is not None,
    }


def _level(live: Compiled, level: Level, reader: Reader) -> Shown:
    metrics = live.ladder.metrics
    enter_at = None
    if level.enter_at is not None:
        enter_at = dict(zip(metrics, level.enter_at, strict=True))
    return {
        "key": level.key,
        "name": reader.name(level.name, level.key),
        "description": reader.text(level.description),
        "enter_at": enter_at,
        "multiplier_bp": level.multiplier_bp,
        "perks": [{"key": key, "name": reader.name(name, key)} for key, name in level.perks],
        "brings": _brings(live, level.effects, reader),
    }


def _card(live: Compiled, card: Card, item: Mapping[str, Any], reader: Reader) -> Shown:
    expires_after = card.expires_after
    return {
        "key": card.key,
        "name": reader.name(card.name, card.key),
        "description": reader.text(item.get("description")),
        "stamps": card.stamps,
        "brings": _brings(live, card.effects, reader),
        "repeats": card.repeats,
        "valid_for": None
        if expires_after is None
        else reader.text(language.duration(clock.parse_duration(expires_after))),
    }


def _brings(live: Compiled, effects: tuple[Rule, ...], reader: Reader) -> list[str]:
    """What a level brings on entering it, or a full card."""
    return [reader.text(ways.effect(live, one), "") or "" for one in effects]


def _reward(reward: Reward, reader: Reader) -> Shown:
    schedule = reward.rule.schedule
    return {
        "key": reward.key,
        "name": reader.name(reward.name, reward.key),
        "description": reader.text(reward.description),
        "kind": reward.kind,
        "cost_points": reward.cost_points,
        "cost_by_tier": dict(reward.cost_by_tier),
        "points_key": reward.points_key,
        "discount": discounts.shown(reward),
        "min_order_minor": reward.min_order_minor,
        "tiers": None if reward.tiers is None else sorted(reward.tiers),
        "starts_at": None if schedule is None else _instant(schedule.starts_at),
        "ends_at": None if schedule is None else _instant(schedule.ends_at),
        "hours": reader.text(ways.hours(schedule)),
        "image_url": reward.image_url,
        "terms": reader.text(reward.terms),
        "category": reward.category,
        "position": reward.position,
        "combines": reward.combines,
    }


def _paying(pay: PayWithPoints) -> Shown:
    return {
        "points_key": pay.points_key,
        "min_points": pay.min_points,
        "step_points": pay.step_points,
        "max_order_bp": pay.max_order_bp,
        "value": {"points": pay.points, "minor": pay.minor},
        "exclude_gift_cards": pay.exclude_gift_cards,
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else clock.format_instant(at)

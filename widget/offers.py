"""Referral offers as everybody may see them: what advocates and friends get, and for what.

Pure. Refuses by naming what it shows: caps, budgets, conditions and whatever weighs on a review
are never among it.
"""

from collections.abc import Sequence
from typing import Any

from core.language import LANGUAGES, Text
from programs.compiled import Compiled
from programs.referrals import TRIGGER, Offer, trigger_of
from programs.rules import Rule
from rules.effects import PointsPerAmount, PointsPerUnit
from widget import ways
from widget.texts import Reader

Shown = dict[str, Any]

#: What advocates get of what their friend buys; `{given}` is what is given.
_OF_FRIEND: dict[type, Text] = {
    PointsPerAmount: {"en": "{given} by your friend", "ko": "친구의 구매 금액 {given}"},
    PointsPerUnit: {"en": "{given} your friend buys", "ko": "친구가 구매한 {given}"},
}


def show(live: Compiled, offer: Offer, reader: Reader) -> Shown:
    """An offer that runs."""
    return {
        "key": offer.key,
        "name": reader.name(offer.name, offer.key),
        "description": reader.text(offer.description),
        "advocate": _brings(live, offer.advocate, reader, is_advocate=True),
        "friend": _brings(live, offer.friend, reader),
        "qualifies": offer.trigger,
        "min_net_minor": offer.min_net_minor,
        "milestones": [
            {
                "at": one.at,
                "repeats": one.repeats,
                "brings": _brings(live, one.effects, reader),
            }
            for one in offer.milestones
        ],
        "tiers": None if offer.tiers is None else sorted(offer.tiers),
        "landing_url": offer.landing_url,
    }


def _brings(
    live: Compiled, effects: Sequence[Rule], reader: Reader, *, is_advocate: bool = False
) -> list[str]:
    found = []
    for one in effects:
        given = ways.effect(live, one)
        words = _OF_FRIEND.get(type(one.effect)) if is_advocate else None
        if words is not None:
            given = {name: words[name].format(given=given[name]) for name in LANGUAGES}
        found.append(reader.text(given, "") or "")
    return found


def listening(live: Compiled) -> list[Rule]:
    """The document's own rules that fire when a referral is approved, once each: they are ways to
    earn, while what an offer brings is told with it."""
    found: dict[str, Rule] = {}
    for offer in live.offers:
        # They come behind what the offer itself brings.
        rules = live.rules_of(trigger_of("advocate", offer.key))[len(offer.advocate) :]
        found |= {rule.key: rule for rule in rules}
    return list(found.values())


def is_brought(trigger: str) -> bool:
    """Whether what listens to a trigger of a compiled program is told with an offer."""
    return trigger.startswith("referral_") and trigger != TRIGGER

"""What a decision gave besides points, in words: stamps on cards, rewards, and cash.

Refuses points: `loyalty.sentences` says those.
"""

from collections.abc import Mapping
from typing import Any

from core import language
from core.language import Text, quoted
from programs.compiled import Compiled
from programs.rules import Rule
from rules.effects import AddStamps, GrantReward, Payable


def of_decision(program: Compiled, outcomes: Mapping[str, Any]) -> list[Text]:
    """All of it, as decisions store their outcomes."""
    stamps: Mapping[str, int] = outcomes.get("stamps") or {}
    grants: Mapping[str, str] = outcomes.get("grants") or {}
    payables: Mapping[str, int] = outcomes.get("payables") or {}
    return [
        *(_stamps(program, card, count) for card, count in stamps.items()),
        *(_reward(program, key) for key in grants.values()),
        *(cash(program, minor) for minor in payables.values()),
    ]


def of_rule(program: Compiled, rule: Rule | None, outcomes: Mapping[str, Any]) -> list[Text]:
    """What one rule gave that fired, in a decision with these outcomes."""
    effect = None if rule is None else rule.effect
    if isinstance(effect, AddStamps):
        return [_stamps(program, effect.card, effect.stamps)]
    if isinstance(effect, GrantReward):
        return [_reward(program, effect.reward)]
    if rule is not None and isinstance(effect, Payable):
        owed = (outcomes.get("payables") or {}).get(rule.key)
        return [] if not owed else [cash(program, owed)]
    return []


def verb(has_points: bool, *, has_stamps: bool) -> str:
    """Korean says of points and stamps that they were credited, of rewards that they were given."""
    return "적립되었습니다" if has_points or has_stamps else "지급되었습니다"


def _stamps(program: Compiled, card_key: str, count: int) -> Text:
    card = program.card(card_key)
    name = language.name_of(None if card is None else card.name, card_key)
    return {
        "en": f"{language.plural(count, 'stamp', 'stamps')} on {quoted(name['en'], 'en')}",
        "ko": f"{quoted(name['ko'], 'ko')} 스탬프 {language.number(count)}개",
    }


def _reward(program: Compiled, reward_key: str) -> Text:
    reward = program.catalogue.find(reward_key)
    name = language.name_of(None if reward is None else reward.name, reward_key)
    return {
        "en": f"the reward {quoted(name['en'], 'en')}",
        "ko": f"{quoted(name['ko'], 'ko')} 리워드",
    }


def cash(program: Compiled, minor: int) -> Text:
    """Money that is owed."""
    many = {
        one: language.money(minor, program.currency, language=one) for one in language.LANGUAGES
    }
    return {"en": f"{many['en']} in cash", "ko": f"현금 {many['ko']}"}

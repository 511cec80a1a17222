"""Ways to earn, in words: what a rule or an effect gives, and for what, in English and Korean.

Pure. Says what is given and when, never to whom: conditions may ask what is nobody's business, so
of them it is only told that there are some.
"""

from core import language
from core.language import LANGUAGES, Text, quoted
from loyalty import sentences
from loyalty.exact import show_ratio
from programs.compiled import Compiled
from programs.rules import Rule
from programs.triggers import ACTIVITY
from rules.effects import (
    AddPoints,
    AddStamps,
    GrantReward,
    MultiplyPoints,
    Payable,
    PointsPerAmount,
    PointsPerUnit,
)
from rules.schedules import Schedule

#: What each trigger is called; `{given}` is what it gives.
TRIGGERS: dict[str, Text] = {
    "order": {"en": "{given} for an order", "ko": "주문 시 {given}"},
    "signup": {"en": "{given} for signing up", "ko": "가입 시 {given}"},
    "birthday": {"en": "{given} on your birthday", "ko": "생일에 {given}"},
    "anniversary": {
        "en": "{given} on the anniversary of your joining",
        "ko": "가입 기념일에 {given}",
    },
    "tier_entered": {"en": "{given} on reaching a new level", "ko": "새 등급 달성 시 {given}"},
    "card_completed": {"en": "{given} for completing a card", "ko": "카드 완성 시 {given}"},
    "referral_qualified": {
        "en": "{given} for a friend you brought",
        "ko": "친구 추천 성공 시 {given}",
    },
}
_ACTIVITIES: dict[str, Text] = {
    "review": {"en": "{given} for a review", "ko": "리뷰 작성 시 {given}"},
    "visit": {"en": "{given} for a visit", "ko": "방문 시 {given}"},
    "survey": {"en": "{given} for a survey", "ko": "설문 조사 참여 시 {given}"},
}
_SELECTED: Text = {"en": "{given} on selected products", "ko": "대상 상품 {given}"}
_DAYS = 7
_MIDNIGHT = 24 * 60


def way(program: Compiled, rule: Rule, trigger: str) -> Text:
    """What a rule gives and for what: 200 points for a review."""
    given = effect(program, rule)
    if trigger == "order" and isinstance(rule.effect, PointsPerAmount | PointsPerUnit):
        # These say themselves what they are for.
        return given
    if trigger.startswith(ACTIVITY):
        kind = trigger.removeprefix(ACTIVITY)
        word = kind.replace("_", " ")
        spare = {"en": f"{{given}} for: {word}", "ko": f"{word}: {{given}}"}
        words = _ACTIVITIES.get(kind, spare)
    else:
        words = TRIGGERS[trigger]
    return {one: words[one].format(given=given[one]) for one in LANGUAGES}


def effect(program: Compiled, rule: Rule) -> Text:
    """What an effect gives: 500 points, two stamps, a reward."""
    does = rule.effect
    if isinstance(does, AddStamps):
        return _stamps(program, does)
    if isinstance(does, GrantReward):
        return _reward(program, does)
    if isinstance(does, Payable):
        return _cash(program, does)
    if isinstance(does, MultiplyPoints):
        ratio = show_ratio(does.factor_bp)
        name = sentences.points(2, does.points_key, program)
        plain = {one: name[one].replace("2", "", 1).strip() for one in LANGUAGES}
        given = {"en": f"{ratio} × {plain['en']}", "ko": f"{plain['ko']} {ratio}배"}
    else:
        given = _points(program, does)
    if getattr(does, "lines", None) is None:
        return given
    return {one: _SELECTED[one].format(given=given[one]) for one in LANGUAGES}


def _points(program: Compiled, does: PointsPerAmount | PointsPerUnit | AddPoints) -> Text:
    many = sentences.points(does.points, does.points_key, program)
    if isinstance(does, AddPoints):
        return many
    if isinstance(does, PointsPerUnit):
        return {"en": f"{many['en']} for each item", "ko": f"상품 1개당 {many['ko']}"}
    step = {
        one: language.money(does.per_minor, program.currency, language=one) for one in LANGUAGES
    }
    return {
        "en": f"{many['en']} for every {step['en']} spent",
        "ko": f"{step['ko']}당 {many['ko']}",
    }


def _stamps(program: Compiled, does: AddStamps) -> Text:
    card = program.card(does.card)
    name = language.name_of(None if card is None else card.name, does.card)
    return {
        "en": f"{language.plural(does.stamps, 'stamp', 'stamps')} on {quoted(name['en'], 'en')}",
        "ko": f"{quoted(name['ko'], 'ko')} 스탬프 {language.number(does.stamps)}개",
    }


def _reward(program: Compiled, does: GrantReward) -> Text:
    reward = program.catalogue.find(does.reward)
    name = language.name_of(None if reward is None else reward.name, does.reward)
    return {one: quoted(name[one], one) for one in LANGUAGES}


def _cash(program: Compiled, does: Payable) -> Text:
    if does.percent_bp is not None:
        whole, part = divmod(does.percent_bp, 100)
        share = f"{whole}.{part:02d}".rstrip("0").rstrip(".")
        return {"en": f"{share}% of the order in cash", "ko": f"주문 금액의 {share}% 현금"}
    assert does.minor is not None
    many = {one: language.money(does.minor, program.currency, language=one) for one in LANGUAGES}
    return {"en": f"{many['en']} in cash", "ko": f"현금 {many['ko']}"}


def hours(schedule: Schedule | None) -> Text | None:
    """When a schedule comes again and again: Saturdays 14:00–17:00; None when it does not."""
    if schedule is None:
        return None
    parts: list[Text] = []
    if len(schedule.weekdays) < _DAYS:
        parts.append(language.weekdays(sorted(schedule.weekdays)))
    if (schedule.opens, schedule.closes) != (0, _MIDNIGHT):
        told = "–".join(f"{at // 60:02d}:{at % 60:02d}" for at in (schedule.opens, schedule.closes))
        parts.append(dict.fromkeys(LANGUAGES, told))
    if not parts:
        return None
    return {one: " ".join(part[one] for part in parts) for one in LANGUAGES}

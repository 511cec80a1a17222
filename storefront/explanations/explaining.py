"""Sentences of decisions and of their outcomes that a member understands, in English and Korean.

Pure. Owns what each reason says to a member; every reason has its words here, and a test fails
when one has none. Refuses to decide anything: what is told was decided before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import language
from core.language import LANGUAGES, Text, quoted, with_particle
from loyalty import sentences
from loyalty.exact import TIER_RULE
from programs.compiled import Compiled
from programs.rules import Rule
from rules.effects import GIVEN, GrantReward, Payable, PointsPerAmount, PointsPerUnit
from storefront.explanations import besides, missed_days, missing
from storefront.explanations.missed_days import Missed

#: What an outcome says that did not fire, by its reason; `{topic}` is the name with its particle.
REASONS: dict[str, Text] = {
    "not_live": {"en": "{name} is paused.", "ko": "{topic} 일시 중지된 혜택입니다."},
    "outside_schedule": {
        "en": "{name} was not running at that time.",
        "ko": "{topic} 그 시각에 진행되지 않은 혜택입니다.",
    },
    "condition_not_met": {
        "en": "{name} did not apply.",
        "ko": "{topic} 조건에 맞지 않았습니다.",
    },
    "limit_reached": {
        "en": "{name} has been used up to its limit.",
        "ko": "{topic} 한도까지 모두 사용되었습니다.",
    },
    "capped": {
        "en": "{name} was used up to its limit.",
        "ko": "{topic} 한도까지만 적용되었습니다.",
    },
    "excluded": {
        "en": "{name} did not apply: {winner} gave more.",
        "ko": "{topic} 적용되지 않았습니다: {winner} 혜택이 더 컸습니다.",
    },
    "holdout": {"en": "{name} was not offered.", "ko": "{topic} 제공되지 않았습니다."},
    "cooldown": {
        "en": "{name} comes again only after some time.",
        "ko": "{topic} 일정 기간이 지나야 다시 받을 수 있습니다.",
    },
    # What is left of a budget is nobody's business, nor who is held out.
    "budget": {"en": "{name} was not offered.", "ko": "{topic} 제공되지 않았습니다."},
    "lost": {"en": "{name} was not won this time.", "ko": "{topic} 이번에는 당첨되지 않았습니다."},
    "no_member": {
        "en": "{name} is for members who take part.",
        "ko": "{topic} 참여 회원에게만 제공됩니다.",
    },
    "not_paid": {
        "en": "{name} did not apply: {status}.",
        "ko": "{topic} {subject} {status} 적용되지 않았습니다.",
    },
    "negative_balance": {
        "en": "{name} does not apply while points are owed.",
        "ko": "{topic} 포인트가 부족한 동안에는 적용되지 않습니다.",
    },
    "already_paid": {
        "en": "{name} is given only once, and was given before.",
        "ko": "{topic} 한 번만 제공되며 이미 지급되었습니다.",
    },
}
#: Why there is nothing, when one reason is common to all.
_NOTHING: dict[str, Text] = {
    "no_member": {
        "en": "only members who take part earn points",
        "ko": "참여 회원만 적립할 수 있습니다",
    },
    "already_paid": {"en": "it was given before", "ko": "이미 지급되었습니다"},
    "limit_reached": {"en": "the limit is used up", "ko": "한도를 모두 사용했습니다"},
    "outside_schedule": {
        "en": "no offer was running at that time",
        "ko": "그 시각에 진행 중인 혜택이 없었습니다",
    },
    "not_live": {"en": "the offers are paused", "ko": "혜택이 일시 중지되었습니다"},
}
_NO_OFFER: Text = {"en": "no offer applied", "ko": "해당하는 혜택이 없었습니다"}
_LESS_THAN_ONE: Text = {"en": "it comes to less than 1", "ko": "1 미만입니다"}
#: Why a source does not stand; in Korean the clause goes on with what it leads to.
_STATUSES: dict[str, Text] = {
    "pending": {"en": "it is not paid yet", "ko": "아직 결제되지 않아"},
    "paid": {"en": "it was refunded", "ko": "환불되어"},
    "fulfilled": {"en": "it was refunded", "ko": "환불되어"},
    "cancelled": {"en": "it was cancelled", "ko": "취소되어"},
}
_UNKNOWN: Text = {
    "en": "it was not paid, or was cancelled or refunded",
    "ko": "결제되지 않았거나 취소 또는 환불되어",
}
_WITHDRAWN: Text = {"en": "it no longer stands", "ko": "철회되어"}
_FALLEN: Text = {"en": "it no longer stands", "ko": "취소되어"}
#: What does not stand, where the sentence is about a rule.
_SUBJECTS = {
    **{"order": "주문이", "activity": "활동이", "tier": "등급 달성이", "card": "카드 완성이"},
    **{"referral": "추천이", "referral_milestone": "추천 목표가", "surprise": "깜짝 선물이"},
}
_KINDS: dict[str, Text] = {
    "review": {"en": "review", "ko": "리뷰"},
    "visit": {"en": "visit", "ko": "방문"},
    "survey": {"en": "survey", "ko": "설문 조사"},
}


@dataclass(frozen=True, slots=True)
class About:
    """What was decided on: its kind, in words, why it would not stand, and the day it missed."""

    type: str
    words: Text
    status: Text
    missed: Missed | None = None


def about(
    program: Compiled,
    source: tuple[str, str],
    trigger: str,
    *,
    status: str | None,
    missed: Missed | None = None,
) -> About:
    """What was decided on, by kind and reference."""
    type_ = source[0]
    return About(type_, _source(program, source, trigger), _status(type_, status), missed)


def _status(source_type: str, status: str | None) -> Text:
    if source_type == "activity":
        return _WITHDRAWN
    if source_type != "order":
        return _FALLEN
    return _UNKNOWN if status is None else _STATUSES[status]


def _source(program: Compiled, source: tuple[str, str], trigger: str) -> Text:
    """An activity is told by its kind."""
    type_, ref = source
    if type_ != "activity":
        return sentences.source(type_, ref, program)
    kind = trigger.partition(":")[2]
    spare = kind.replace("_", " ") or "activity"
    word = _KINDS.get(kind, {"en": spare, "ko": spare if kind else "활동"})
    return {one: f"{word[one]} {ref}" for one in LANGUAGES}


def called(program: Compiled, key: str, rule: Rule | None) -> Text:
    """What a rule is called: its name, else that of the level or card that it is an effect of,
    else its key."""
    own = None if rule is None else _owner(program, rule)
    return own[1] if own else language.name_of(rule.name if rule else None, key)


def _owner(program: Compiled, rule: Rule) -> tuple[str, Text] | None:
    """Whether a rule is an effect of a level, a card or an offer, and what that is called."""
    for type_, owners in (("tier", program.ladder.levels), ("card", program.cards)):
        for owner in owners:
            if any(one is rule for one in owner.effects):
                return type_, language.name_of(owner.name, owner.key)
    for offer in program.offers:
        if any(one is rule for one in offer.effects):
            return "referral", language.name_of(offer.name, offer.key)
    for one in program.surprises.all:
        if any(rule in prize.effects for prize in one.prizes):
            return "surprise", language.name_of(one.name, one.key)
    return None


def _quoted(program: Compiled, key: str, rule: Rule | None) -> Text:
    """What a rule is called, in quotes."""
    names = called(program, key, rule)
    return {one: quoted(names[one], one) for one in LANGUAGES}


def decision(
    program: Compiled,
    source: About,
    outcomes: Mapping[str, Any],
    *,
    rules: Mapping[str, Rule],
    tier_key: str | None,
) -> Text:
    """A decision in a sentence: how much, and for what."""
    given = [one for one in outcomes["arithmetic"] if one["points"]]
    others = besides.of_decision(program, outcomes)
    if not given and not others:
        return _nothing(program, source, outcomes["rules"])
    amounts = [sentences.points(one["points"], one["points_key"], program) for one in given]
    amounts += others
    parts = _parts(program, given, rules, tier_key) if len(amounts) == 1 and given else []
    told = {}
    for one in LANGUAGES:
        total = language.listed([amount[one] for amount in amounts], one)
        if one == "en":
            told[one] = f"{total} for {source.words[one]}{_because_en(parts)}."
        else:
            given_ko = with_particle(total, "이")
            by = sentences.by(source.type, source.words[one])
            done = besides.verb(bool(given), has_stamps=bool(outcomes.get("stamps")))
            told[one] = f"{by} {given_ko} {done}{_because_ko(parts)}."
    return told


_Part = tuple[Text, Text]


def _parts(
    program: Compiled,
    given: Sequence[Mapping[str, Any]],
    rules: Mapping[str, Rule],
    tier_key: str | None,
) -> list[_Part]:
    """What each rule gave and what for, when there is one kind of points: the same is one part."""
    found: dict[tuple[str, str], int] = {}
    for key, points, _ in given[0]["breakdown"]:
        said = _for(program, key, rules.get(key), tier_key)
        place = (said["en"], said["ko"])
        found[place] = found.get(place, 0) + points
    points_key = given[0]["points_key"]
    return [
        (
            {
                "en": language.number(points),
                "ko": sentences.points(points, points_key, program)["ko"],
            },
            {"en": english, "ko": korean},
        )
        for (english, korean), points in found.items()
        if points
    ]


#: What an effect of a level or of a card itself is for, beside what rules gave.
_OWN: dict[str, Text] = {
    "tier": {"en": "for the level itself", "ko": "등급 달성 혜택"},
    "card": {"en": "for the card itself", "ko": "카드 완성 혜택"},
    "referral": {"en": "for the referral itself", "ko": "추천 혜택"},
    "surprise": {"en": "for the surprise itself", "ko": "깜짝 선물"},
}


def _for(program: Compiled, key: str, rule: Rule | None, tier_key: str | None) -> Text:
    if key == TIER_RULE and rule is None:
        level = program.ladder.find(tier_key)
        if level is None:
            return {"en": "from your level", "ko": "등급 혜택"}
        name = language.name_of(level.name, level.key)
        return {"en": f"from your {name['en']} level", "ko": f"{name['ko']} 등급 혜택"}
    is_bought = rule is not None and isinstance(rule.effect, PointsPerAmount | PointsPerUnit)
    if is_bought and rule is not None and not rule.name:
        return {"en": "for what you bought", "ko": "구매"}
    own = None if rule is None else _owner(program, rule)
    if own is not None:
        return _OWN[own[0]]
    name = _quoted(program, key, rule)
    return {"en": f"from {name['en']}", "ko": name["ko"]}


def _because_en(parts: Sequence[_Part]) -> str:
    if len(parts) > 1:
        return ": " + language.listed([f"{many['en']} {said['en']}" for many, said in parts], "en")
    if parts and parts[0][1]["en"].startswith("from "):
        return f", {parts[0][1]['en']}"
    return ""


def _because_ko(parts: Sequence[_Part]) -> str:
    if len(parts) > 1:
        return ": " + language.listed([f"{said['ko']} {many['ko']}" for many, said in parts], "ko")
    if parts and parts[0][1]["en"].startswith("from "):
        return f"({parts[0][1]['ko']})"
    return ""


def _nothing(program: Compiled, source: About, outcomes: Sequence[Mapping[str, Any]]) -> Text:
    reasons = {one.get("reason") for one in outcomes if not one["is_fired"]}
    fired = any(one["is_fired"] for one in outcomes)
    # Paused rules are no news while others say why.
    others = reasons - {"not_live"} or reasons
    topic = sentences.topic(source.type, source.words["ko"])
    what = sentences.points(0, program.points[0].key, program)["en"].removeprefix("0 ")
    nothing = f"No {what} for {source.words['en']}"
    if not fired and others == {"not_paid"}:
        return {
            "en": f"{nothing}: {source.status['en']}.",
            "ko": f"{topic} {source.status['ko']} 적립되지 않았습니다.",
        }
    why = _NO_OFFER
    if fired:
        why = _LESS_THAN_ONE
    elif source.missed is not None and others == {source.missed.reason}:
        why = missed_days.cause(program, source.missed)
    elif len(others) == 1:
        why = _NOTHING.get(str(next(iter(others))), _NO_OFFER)
    return {"en": f"{nothing}: {why['en']}.", "ko": f"{topic} 적립되지 않았습니다: {why['ko']}."}


def outcome(
    program: Compiled,
    stored: Mapping[str, Any],
    *,
    source: About,
    rules: Mapping[str, Rule],
    outcomes: Mapping[str, Any],
    lacking: Sequence[missing.Missing] = (),
) -> Text:
    """What became of one rule, in a sentence."""
    key = stored["rule"]
    rule = rules.get(key)
    name = _quoted(program, key, rule)
    if stored["is_fired"]:
        return _fired(program, stored, rule, name, outcomes)
    reason = stored["reason"]
    if source.missed is not None and source.missed.reason == reason:
        return missed_days.outcome(program, source.missed, name)
    winner = name
    if reason == "excluded":
        winner = _quoted(program, *_winner(rule, outcomes, rules))
    words = {"topic": with_particle(name["ko"], "은"), "subject": _SUBJECTS.get(source.type, "")}
    said = {
        one: REASONS[reason][one].format(
            name=name[one], winner=winner[one], status=source.status[one], **words
        )
        for one in LANGUAGES
    }
    more = missing.advice(program, reason, lacking)
    return said if more is None else {one: f"{said[one]} {more[one]}" for one in LANGUAGES}


def _winner(
    rule: Rule | None, outcomes: Mapping[str, Any], rules: Mapping[str, Rule]
) -> tuple[str, Rule | None]:
    """Which rule of the same group fired."""
    for stored in outcomes["rules"]:
        other = rules.get(stored["rule"])
        if other is None or rule is None or not stored["is_fired"]:
            continue
        if other.group == rule.group:
            return other.key, other
    return "?", None


def winner_of(
    rule: Rule | None, outcomes: Mapping[str, Any], rules: Mapping[str, Rule]
) -> str | None:
    """The key of the rule that gave more than `rule` in its group."""
    key, found = _winner(rule, outcomes, rules)
    return None if found is None else key


def given_by(outcomes: Mapping[str, Any], key: str) -> list[tuple[str, int]]:
    """Kind and number of the points that a rule gave."""
    return [
        (one["points_key"], points)
        for one in outcomes["arithmetic"]
        for rule, points, _ in one["breakdown"]
        if rule == key and points
    ]


def _fired(
    program: Compiled,
    stored: Mapping[str, Any],
    rule: Rule | None,
    name: Text,
    outcomes: Mapping[str, Any],
) -> Text:
    amounts = [
        sentences.points(points, points_key, program)
        for points_key, points in given_by(outcomes, stored["rule"])
    ]
    amounts += besides.of_rule(program, rule, outcomes)
    if not amounts:
        said = {
            "en": f"{name['en']} applied and gave nothing more.",
            "ko": f"{with_particle(name['ko'], '이')} 적용되었으나 추가 적립은 없습니다.",
        }
    else:
        english = language.listed([one["en"] for one in amounts], "en")
        korean = language.listed([one["ko"] for one in amounts], "ko")
        by, many = with_particle(name["ko"], "으로"), with_particle(korean, "이")
        is_reward = rule is not None and isinstance(rule.effect, GrantReward | Payable)
        done = besides.verb(not is_reward, has_stamps=False)
        said = {"en": f"{name['en']} gave {english}.", "ko": f"{by} {many} {done}."}
    withheld = stored.get("withheld")
    if withheld:
        key = program.points[0].key
        if rule is not None and not isinstance(rule.effect, GIVEN):
            key = rule.effect.points_key
        over = sentences.points(withheld, key, program)
        said["en"] += f" Over its limit: {over['en']}."
        said["ko"] += f" 한도를 넘은 {with_particle(over['ko'], '은')} 적립되지 않았습니다."
    return said

"""Missing: what would have made a rule fire, in words that a member can act on.

Pure. Turns the needs of a condition into sentences by the words of each fact, and says of other
reasons what would have to be otherwise. Refuses to promise: it tells of one rule, not of what
others would do then.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from core import clock, language
from core.language import LANGUAGES, Text, with_particle
from programs import triggers
from programs.compiled import Compiled
from programs.rules import Rule
from programs.segments import SEGMENTS
from rules import needs
from rules.conditions import Explanation
from rules.facts import Catalogue, Fact, Words, microseconds_of
from rules.needs import Need
from rules.schedules import Schedule

#: More alternatives than these only confuse.
_ALTERNATIVES = 4
#: The money that an order comes to.
AMOUNT = "order.net_minor"

Missing = dict[str, Any]


def of_condition(
    program: Compiled, explanation: Explanation, *, catalogue: Catalogue | None
) -> tuple[list[Missing], list[list[Missing]]]:
    """What the easiest way of meeting a condition needs, all of it, and the other ways."""
    found = [
        [_described(program, need, catalogue) for need in way] for way in needs.ways(explanation)
    ]
    return (found[0], found[1 : 1 + _ALTERNATIVES]) if found else ([], [])


def of_lines(program: Compiled, trigger: str, rule: Rule) -> list[Missing]:
    """What a line would have to be like, of an effect that concerns none."""
    lines = getattr(rule.effect, "lines", None)
    if lines is None:
        return []
    catalogue = triggers.find_line_facts(trigger)
    return of_condition(program, lines.explain({}), catalogue=catalogue)[0]


def of_excluded(winner: str | None, rules: Mapping[str, Rule]) -> list[Missing]:
    """Without which rule this one would have counted."""
    if winner is None:
        return []
    name = language.name_of(rules[winner].name, winner)
    quoted = {one: language.quoted(name[one], one) for one in LANGUAGES}
    return [plain(f"without {quoted['en']}", f"{quoted['ko']} 없이", rule=winner)]


def of_reason(
    program: Compiled, reason: str | None, rule: Rule, stored: Mapping[str, Any], status: str | None
) -> list[Missing]:
    """What would have to be otherwise where it is no condition that was not met."""
    if reason == "not_live":
        return [plain("once it runs again", "혜택이 다시 시작되면")]
    if reason == "no_member":
        return [plain("as a member who takes part", "참여 회원인 경우")]
    if reason == "not_paid":
        return _of_not_paid(status)
    if reason in ("outside_schedule", "limit_reached", "capped"):
        again_at = stored.get("again_at")
        if again_at is None:
            return _before_end(program, rule.schedule) if reason == "outside_schedule" else []
        at = microseconds_of(again_at)
        found = from_instant(program, at, is_again=reason != "outside_schedule")
        hours = _hours(rule.schedule) if reason == "outside_schedule" else None
        return [found, hours] if hours else [found]
    return []


def _before_end(program: Compiled, schedule: Schedule | None) -> list[Missing]:
    """Before what came to an end for good."""
    if schedule is None or schedule.ends_at is None:
        return []
    told = language.moment(schedule.ends_at, program.zone)
    return [plain(f"before {told['en']}", f"{told['ko']} 이전")]


def _of_not_paid(status: str | None) -> list[Missing]:
    if status == "pending":
        return [plain("once the order is paid", "결제가 완료되면")]
    return [plain("if it still stood", "취소되거나 환불되지 않은 경우")]


def _hours(schedule: Schedule | None) -> Missing | None:
    """Saturdays 14:00–17:00: when a schedule comes again and again."""
    if schedule is None:
        return None
    days, english, korean = sorted(schedule.weekdays), [], []
    if len(days) < 7:
        told = language.weekdays(days)
        english.append(told["en"])
        korean.append(told["ko"])
    if schedule.opens != 0 or schedule.closes != 24 * 60:
        hours = "–".join(
            f"{at // 60:02d}:{at % 60:02d}" for at in (schedule.opens, schedule.closes)
        )
        english.append(hours)
        korean.append(hours)
    return plain(" ".join(english), " ".join(korean)) if english else None


def advice(program: Compiled, reason: str, items: Sequence[Missing]) -> Text | None:
    """What is missing, as a sentence that follows the reason; None where the reason says it."""
    if not items:
        return None
    english, korean = told(items, "en"), told(items, "ko")
    if reason == "condition_not_met":
        return {"en": f"What it takes: {english}.", "ko": f"필요한 조건: {korean}."}
    if reason == "limit_reached":
        return {"en": f"You can get it {english}.", "ko": f"{korean} 받을 수 있습니다."}
    if reason != "outside_schedule":
        return None
    if "from" not in items[0]:
        return {"en": f"It ran {english}.", "ko": f"{korean}에 진행되었습니다."}
    at = language.moment(clock.parse_instant(items[0]["from"]), program.zone)
    hours = {one: told(items[1:], one) for one in LANGUAGES}
    shown = {one: f"{at[one]} ({hours[one]})" if hours[one] else at[one] for one in LANGUAGES}
    return {"en": f"Next: {shown['en']}.", "ko": f"다음 진행: {shown['ko']}."}


def more_minor(
    program: Compiled, explanation: Explanation, *, rule: Rule, catalogue: Catalogue | None
) -> Missing | None:
    """How much more money the order would need for a rule, when nothing else is missing."""
    for way in needs.ways(explanation):
        is_one = len(way) == 1 and way[0].fact == AMOUNT
        if is_one and (way[0].needed or 0) > (way[0].actual or 0):
            shown = _described(program, way[0], catalogue)
            name = language.name_of(rule.name, rule.key)
            english = f"{shown['detail']['en']} for {language.quoted(name['en'], 'en')}"
            korean = f"{shown['detail']['ko']}하면 {language.quoted(name['ko'], 'ko')} 혜택"
            return plain(english, korean, minor=shown["minor"], rule=rule.key)
    return None


def more_for_reward(program: Compiled, minor: int, key: str, name: Text) -> Missing:
    """How much more money the order would need for a reward that takes nothing else."""
    english = language.money(minor, program.currency)
    korean = language.money(minor, program.currency, language="ko")
    return plain(
        f"{english} more for {language.quoted(name['en'], 'en')}",
        f"{korean} 더 구매하면 {language.quoted(name['ko'], 'ko')} 리워드",
        minor=minor,
        reward=key,
    )


def plain(english: str, korean: str, **more: Any) -> Missing:
    """Something that is told without a fact."""
    return {"detail": {"en": english, "ko": korean}, **more}


def from_instant(program: Compiled, instant: int, *, is_again: bool = False) -> Missing:
    """From when on it is possible, or possible again."""
    told = language.moment(instant, program.zone)
    english = f"again from {told['en']}" if is_again else f"from {told['en']}"
    korean = f"{told['ko']}부터 다시" if is_again else f"{told['ko']}부터"
    return plain(english, korean, **{"from": clock.format_instant(instant)})


def _described(program: Compiled, need: Need, catalogue: Catalogue | None) -> Missing:
    fact = None if catalogue is None else catalogue.find(need.fact)
    shown: Missing = {
        "detail": _detail(program, need, fact),
        "fact": need.fact,
        "op": need.op,
        "needed": need.value if need.needed is None else need.needed,
        "actual": need.actual,
    }
    is_money = fact is not None and fact.words is not None and fact.words.is_money
    if is_money and need.needed is not None and need.needed > (need.actual or 0):
        shown["minor"] = need.needed - (need.actual or 0)
    return shown


def _detail(program: Compiled, need: Need, fact: Fact | None) -> Text:
    words = None if fact is None else fact.words
    if need.needed is not None:
        name = need.fact.rpartition(".")[2]
        return _attribute_count(name, need) if words is None else _count(program, need, words)
    if need.fact == "member.tier" and need.op in ("=", "in"):
        return _level(program, need)
    if need.fact == SEGMENTS:
        return _belonging(program, need)
    type_ = "text" if fact is None else fact.type
    if isinstance(need.value, bool):
        return _yes_or_no(need, words)
    if type_ in ("date", "instant"):
        return _date(program, need, words, is_instant=type_ == "instant")
    return _value(need, words, is_list=type_ == "list")


def _count(program: Compiled, need: Need, words: Words) -> Text:
    """2 more items; at most 2 items; exactly 2 items."""
    assert need.needed is not None
    actual = need.actual
    is_more = actual is not None and need.needed > actual
    number = need.needed - actual if is_more and actual is not None else need.needed
    if words.is_money:
        amount = language.money(number, program.currency)
        english = f"{amount}{' more' if is_more else ''} {words.en}".strip()
        amount = language.money(number, program.currency, language="ko")
    else:
        amount = language.number(number)
        word = words.one if number == 1 else words.en
        english = f"{amount} {'more ' if is_more else ''}{word}"
    korean = words.ko.format(n=amount)
    if is_more:
        # What an order comes to is bought; anything else is only more of it.
        return {"en": english, "ko": f"{korean} 더{' 구매' if words.ko == '{n}' else ''}"}
    if need.op in ("=", "in"):
        return {"en": f"exactly {english}", "ko": f"{_subject(words, amount)}인 경우"}
    if actual is None and need.op in (">", ">=", "!=", "not_in"):
        return {"en": f"at least {english}", "ko": f"{korean} 이상"}
    return {"en": f"at most {english}", "ko": f"{korean} 이하"}


def _subject(words: Words, amount: str) -> str:
    """할인 금액이 0원: an amount of money that has a name has it for a subject."""
    name, _, rest = words.ko.partition(" {n}")
    if words.is_money and name.endswith("금액"):
        return f"{with_particle(name, '이')} {amount}{rest}"
    return words.ko.format(n=amount)


def _attribute_count(name: str, need: Need) -> Text:
    """An integer that is the storefront's own has a name and no words."""
    assert need.needed is not None
    number = language.number(need.needed)
    if need.op in ("=", "in"):
        return {"en": f"with {name} {number}", "ko": f"{_is(name, number)} 경우"}
    if need.op in ("<", "<=") or (need.actual is not None and need.needed < need.actual):
        return {
            "en": f"with {name} of at most {number}",
            "ko": f"{with_particle(name, '이')} {number} 이하인 경우",
        }
    return {
        "en": f"with {name} of at least {number}",
        "ko": f"{with_particle(name, '이')} {number} 이상인 경우",
    }


def _is(name: str, value: str) -> str:
    return f"{with_particle(name, '이')} {value}인"


def _level(program: Compiled, need: Need) -> Text:
    """From Gold on, or at one of the levels."""
    keys = need.value if isinstance(need.value, list) else [need.value]
    ladder = program.ladder
    levels = [level for level in ladder.levels if level.key in keys]
    names = [language.name_of(level.name, level.key) for level in levels]
    names += [language.name_of(None, key) for key in keys if ladder.find(key) is None]
    is_top = bool(levels) and levels == list(ladder.levels[-len(levels) :])
    if is_top and len(names) == len(levels):
        return {"en": f"from {names[0]['en']} on", "ko": f"{names[0]['ko']} 등급부터"}
    listed = {
        one: language.listed([name[one] for name in names], one, is_choice=True)
        for one in LANGUAGES
    }
    return {"en": f"at the level {listed['en']}", "ko": f"{listed['ko']} 등급인 경우"}


def _belonging(program: Compiled, need: Need) -> Text:
    """In a segment by its name, in one of several, or in none."""
    keys = need.value if isinstance(need.value, list) else [need.value]
    known = {segment.key: segment.name for segment in program.segments}
    names = [language.name_of(known.get(key), key) for key in keys]
    listed = {
        one: language.listed([name[one] for name in names], one, is_choice=True)
        for one in LANGUAGES
    }
    if need.op in ("contains", "in"):
        korean = f"{listed['ko']} 세그먼트에 속한 경우"
        return {"en": f"in the segment {listed['en']}", "ko": korean}
    korean = f"{listed['ko']} 세그먼트에 속하지 않은 경우"
    return {"en": f"outside the segment {listed['en']}", "ko": korean}


def _yes_or_no(need: Need, words: Words | None) -> Text:
    is_yes = need.value == (need.op == "=")
    if words is None:
        name = need.fact.rpartition(".")[2]
        return {
            "en": f"with {name} {'yes' if is_yes else 'no'}",
            "ko": f"{_is(name, '예' if is_yes else '아니요')} 경우",
        }
    if is_yes:
        return {"en": words.one, "ko": f"{words.ko}인 경우"}
    return {"en": words.en, "ko": f"{words.ko_not}인 경우"}


def _date(program: Compiled, need: Need, words: Words | None, *, is_instant: bool) -> Text:
    values = need.value if isinstance(need.value, list) else [need.value]
    shown = [_shown_date(program, value, is_instant=is_instant) for value in values]
    name = _noun(need, words)
    english = language.listed([one["en"] for one in shown], "en", is_choice=True)
    korean = language.listed([one["ko"] for one in shown], "ko", is_choice=True)
    subject = with_particle(name["ko"], "이")
    ways = {
        ">=": (f"from {english} on", f"{korean} 이후인"),
        ">": (f"after {english}", f"{korean}보다 뒤인"),
        "<=": (f"up to {english}", f"{korean} 이전인"),
        "<": (f"before {english}", f"{korean}보다 앞인"),
        "!=": (f"other than {english}", f"{with_particle(korean, '이')} 아닌"),
        "not_in": (f"other than {english}", f"{with_particle(korean, '이')} 아닌"),
    }
    told = ways.get(need.op, (f"of {english}", f"{korean}인"))
    return {"en": f"with {name['en']} {told[0]}", "ko": f"{subject} {told[1]} 경우"}


def _shown_date(program: Compiled, value: str, *, is_instant: bool) -> Text:
    if is_instant:
        return language.moment(microseconds_of(value), program.zone)
    year, month, day = (int(part) for part in value.split("-"))
    return language.day(date(year, month, day))


def _noun(need: Need, words: Words | None, *, is_many: bool = False) -> Text:
    """What the value is called, with its article in English where it takes one."""
    if words is None:
        name = need.fact.rpartition(".")[2]
        return {"en": name, "ko": name}
    article = "" if is_many else "a " if words.one[:1] not in "aeiou" else "an "
    return {"en": article + (words.en if is_many else words.one), "ko": words.ko}


def _value(need: Need, words: Words | None, *, is_list: bool) -> Text:
    """With the category mugs; with one of the channels web, app; with a code that has SPRING."""
    values = [str(one) for one in (need.value if isinstance(need.value, list) else [need.value])]
    is_many = len(values) > 1
    name, listed = _noun(need, words, is_many=True), ", ".join(values)
    one = need.fact.rpartition(".")[2] if words is None else f"the {words.one}"
    several = name["en"] if words is None else f"the {name['en']}"
    subject = name["ko"]
    if is_list or need.op in ("contains", "lacks"):
        has = need.op in ("contains", "in")
        if has and is_many:
            korean = f"{subject}에 {listed} 중 하나가 있는 경우"
            return {"en": f"with one of {several} {listed}", "ko": korean}
        korean = f"{subject}에 {with_particle(listed, '이')} {'있는' if has else '없는'} 경우"
        if not is_list:
            verb = "containing" if has else "not containing"
            return {"en": f"with {_noun(need, words)['en']} {verb} {listed}", "ko": korean}
        if is_many:
            return {"en": f"with none of {several} {listed}", "ko": korean}
        return {"en": f"{'with' if has else 'without'} {one} {listed}", "ko": korean}
    subject = with_particle(subject, "이")
    if need.op in ("=", "in"):
        if is_many:
            korean = f"{subject} {listed} 중 하나인 경우"
            return {"en": f"with one of {several} {listed}", "ko": korean}
        return {"en": f"with {one} {listed}", "ko": f"{subject} {listed}인 경우"}
    korean = f"{subject} {with_particle(listed, '이')} 아닌 경우"
    if is_many:
        return {"en": f"with none of {several} {listed}", "ko": korean}
    other = f"a {words.one} other than" if words else f"{one} other than"
    return {"en": f"with {other} {listed}", "ko": korean}


def told(items: Sequence[Mapping[str, Any]], one: str) -> str:
    """What is missing, in one clause."""
    return language.listed([item["detail"][one] for item in items], one)

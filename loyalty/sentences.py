"""Sentences of the ledger that a member understands, in English and Korean.

Owns what each kind of entry and each kind of source is called; every kind has its words here, and
a test fails when one has none. Refuses to read anything: names come from the program that is
given, and without one points are simply called points.
"""

from collections.abc import Mapping
from typing import Any

from core import language
from core.language import LANGUAGES, Text, with_particle
from programs.cards import Card
from programs.compiled import Compiled
from programs.ladder import Level

#: What each kind of entry says; `{points}` with their name, `{by}` the source with its particle,
#: `{again}` and `{undone}` what became of it.
KINDS: dict[str, Text] = {
    "earn": {"en": "{points} for {source}", "ko": "{by} {points} 적립"},
    "activate": {"en": "{points} ready to spend", "ko": "{points} 사용 가능"},
    "hold": {"en": "{points} reserved for {source}", "ko": "{by} {points} 보류"},
    "capture": {"en": "{points} spent on {source}", "ko": "{by} {points} 사용"},
    "spend": {"en": "{points} spent on {source}", "ko": "{by} {points} 사용"},
    "release": {
        "en": "{points} no longer reserved for {source}",
        "ko": "{source} 보류 해제로 {points} 반환",
    },
    "expire": {"en": "{points} expired", "ko": "{points} 소멸"},
    "claw_back": {
        "en": "{points} for {source} taken back",
        "ko": "{undone} {points} 회수",
    },
    "restore": {"en": "{points} for {source} given back", "ko": "{again} {points} 복원"},
    "adjust": {"en": "{points} {way} by {source}", "ko": "{by} {points} {way}"},
    "transfer": {"en": "{points} {way} by {source}", "ko": "{by} {points} {way}"},
}
#: Points that were spent and come back.
_RETURNED: Text = {
    "en": "{points} that {were} spent on {source} given back",
    "ko": "{source} 변경으로 사용한 {points} 반환",
}
#: What was redeemed, where its name is known, in Korean: by it, points are exchanged or pay.
_REDEEMED = {
    "hold": "{source} 대기 ({points})",
    "capture": "{source}에 {points} 사용",
    "release": "{source} 대기 해제로 {points} 반환",
    "restore": "{source}에 사용한 {points} 반환",
}
#: Korean points are given for these days, not by them.
_CONGRATULATED = ("birthday", "anniversary")
#: What is called a benefit in Korean where it is not told as what the member did.
_BENEFITS = (
    *("signup", "birthday", "anniversary", "tier", "card"),
    *("referral", "referral_milestone"),
)
#: What no longer stands was undone; anything else changed.
_UNDONE = {
    "signup": "혜택 취소로",
    "birthday": "혜택 취소로",
    "anniversary": "혜택 취소로",
    "tier": "취소로",
    "card": "취소로",
    "referral": "취소로",
    "referral_milestone": "취소로",
    "surprise": "취소로",
}
_WAYS: dict[bool, Text] = {
    True: {"en": "added", "ko": "추가"},
    False: {"en": "taken", "ko": "차감"},
}
#: What each kind of source is called; `{ref}` is its reference, `{name}` of the level or card.
SOURCES: dict[str, Text] = {
    "order": {"en": "order {ref}", "ko": "주문 {ref}"},
    "signup": {"en": "signing up", "ko": "가입"},
    "activity": {"en": "activity {ref}", "ko": "활동 {ref}"},
    "birthday": {"en": "your birthday", "ko": "생일"},
    "anniversary": {"en": "the anniversary of your joining", "ko": "가입 기념일"},
    "tier": {"en": "reaching {name}", "ko": "{name} 등급 달성"},
    "card": {"en": "completing {name}", "ko": "{name} 완성"},
    # Whose side it is, and how many friends there were, only others know.
    "referral": {"en": "a referral", "ko": "추천"},
    "referral_milestone": {"en": "a number of referrals", "ko": "추천 목표 달성"},
    # Which one it was, only others know.
    "surprise": {"en": "a surprise", "ko": "깜짝 선물"},
    "lot": {"en": "the end of their waiting time", "ko": "대기 기간 종료"},
    "expiry": {"en": "their date", "ko": "유효 기간 만료"},
    "redemption": {"en": "a redemption", "ko": "포인트 사용"},
    "adjustment": {"en": "an adjustment", "ko": "조정"},
    "transfer": {"en": "a transfer", "ko": "양도"},
    "opening": {"en": "the opening balance", "ko": "이월 잔액"},
    "merge": {"en": "merging with another membership", "ko": "회원 통합"},
    "erasure": {"en": "erasure", "ko": "회원 정보 삭제"},
}


def points(count: int, points_key: str, program: Compiled | None) -> Text:
    """So many points, by the name that the program gives to their kind."""
    kind = None if program is None else program.kind(points_key)
    names = {} if kind is None else kind.name
    english = language.of_locale(names, "en") or language.of_locale(names, "ko")
    korean = language.of_locale(names, "ko") or language.of_locale(names, "en")
    # A kind without a name has its key for one.
    if english in (None, points_key):
        english = "points" if points_key == "points" else points_key
    if korean in (None, points_key, "points", "Points"):
        korean = (
            "포인트" if points_key == "points" or korean in ("points", "Points") else points_key
        )
    assert english is not None and korean is not None
    gap = "" if "가" <= korean[0] <= "힣" else " "
    return {
        "en": language.plural(count, _one_of(english), english),
        "ko": f"{language.number(count)}{gap}{korean}",
    }


def _one_of(name: str) -> str:
    """The singular of a plural name, where it is regular."""
    lower = name.lower()
    if lower.endswith("ies") and len(name) > 4:
        return f"{name[:-3]}y"
    if lower.endswith("s") and not lower.endswith(("ss", "us", "is")):
        return name[:-1]
    return name


def source(
    type_: str, ref: str, program: Compiled | None, *, pinned: Compiled | None = None
) -> Text:
    """What caused something, in words; `pinned` names what the program no longer has."""
    names = _names(type_, ref, program, pinned)
    return {
        language_: text.format(ref=ref, name=names[language_])
        for language_, text in SOURCES[type_].items()
    }


def _names(type_: str, ref: str, *programs: Compiled | None) -> Text:
    """What the level or card of a reference is called by the first program that has it."""
    key = ref.partition(":")[0]
    found: Level | Card | None = None
    for program in programs:
        if program is not None and found is None and type_ == "tier":
            found = program.ladder.find(key)
        if program is not None and found is None and type_ == "card":
            found = program.card(key)
    return language.name_of(None if found is None else found.name, key)


def by(type_: str, korean: str) -> str:
    """By a source, in Korean: 주문 A-1로, 생일 축하."""
    if type_ in _CONGRATULATED:
        return f"{korean} 축하"
    return with_particle(korean, "으로")


def topic(type_: str, korean: str) -> str:
    """A source as what is spoken about, in Korean: 주문 A-1은, 생일 혜택은."""
    return with_particle(f"{korean} 혜택" if type_ in _BENEFITS else korean, "은")


def entry(
    row: Mapping[str, Any],
    program: Compiled | None,
    *,
    ref: str | None = None,
    pinned: Compiled | None = None,
    named: Text | None = None,
) -> Text:
    """An entry in a sentence; `pinned` is the version that decided it, and names what the program
    no longer has; `named` is what its source is called where only others know that, a redemption
    by what is done: 머그컵 교환, 1,000원 결제."""
    type_, points_key = row["source_type"], row["points_key"]
    told = named or source(type_, ref or row["source_ref"], program, pinned=pinned)
    is_gone = program is not None and program.kind(points_key) is None
    many = points(row["points"], points_key, pinned if is_gone and pinned else program)
    way = _WAYS[row["to_bucket"] in ("available", "pending")]
    is_returned = row["kind"] == "restore" and row["from_bucket"] == "spent"
    texts = _RETURNED if is_returned else KINDS[row["kind"]]
    if type_ == "redemption" and named is not None and row["kind"] in _REDEEMED:
        texts = texts | {"ko": _REDEEMED[row["kind"]]}
    undone = f"{told['ko']} {_UNDONE.get(type_, '변경으로')}"
    return {
        one: texts[one].format(
            points=many[one],
            source=told[one],
            by=by(type_, told[one]),
            undone=undone,
            again=by(type_, told[one]) if type_ in _UNDONE else undone,
            way=way[one],
            were="was" if row["points"] == 1 else "were",
        )
        for one in LANGUAGES
    }

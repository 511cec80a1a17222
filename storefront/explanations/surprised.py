"""What surprises are called in sentences, and what became of each when something happened, in
English and Korean.

Receipts say it of those that were drawn or stopped, the decision of those that did not come so
far. A sentence never tells a holdout or a budget from anything else that was not offered: it may be
read out to the member; code and detail are for whoever asks with a key. Refuses to decide anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import ids, language
from core.language import LANGUAGES, Text, quoted, with_particle
from members.members import MEMBERS
from programs import versions
from programs.compiled import Compiled
from programs.segments import SEGMENTS
from programs.surprises import Surprise
from rewards.surprises.carried import DRAWS
from rules.conditions import first_unmet
from rules.facts import Catalogue, Facts
from rules.outcomes import REASONS as MEANINGS
from storefront.explanations import missing
from storefront.explanations.explaining import REASONS

SOURCE_TYPE = "surprise"
PREFIX = "drw"
_FIRED = "surprise:"
_SOURCE: Text = {"en": "surprise: {name}", "ko": "깜짝 선물: {name}"}

#: What else than the words of rules a reason says of a surprise.
_OWN: dict[str, Text] = {
    "excluded": {
        "en": "{name} did not come: another surprise came first.",
        "ko": "{topic} 제공되지 않았습니다: 다른 깜짝 선물이 먼저 지급되었습니다.",
    },
}
_WON: Text = {"en": "{name} was won.", "ko": "{name}에 당첨되었습니다."}
_TAKEN_BACK: Text = {
    "en": "{name} was won, and taken back with what had brought it.",
    "ko": "{topic} 당첨되었으나 계기가 취소되어 회수되었습니다.",
}
_NOT_AGAIN: Text = {
    "en": "{name} was won and taken back, and could not come again.",
    "ko": "{topic} 당첨되었으나 회수되었고 다시 지급되지 않았습니다.",
}
_SHADOW: Text = {
    "en": "{name} is only being tried and gives nothing.",
    "ko": "{topic} 시험 중이라 아무것도 지급되지 않습니다.",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A receipt, with the surprise as the version had it that judged it."""

    row: Mapping[str, Any]
    program: Compiled
    surprise: Surprise


def of_rows(connection: sa.Connection, program_id: bytes, rows: Iterable[Any]) -> list[Drawn]:
    """Receipts with their surprises."""
    found = []
    for row in rows:
        edition = row["live_version"], row["switches"]
        program = versions.get_compiled(connection, program_id, *edition)
        surprise = program.surprises.find(row["surprise_key"])
        assert surprise is not None, "a version judges what it has"
        found.append(Drawn(row, program, surprise))
    return found


def drawn(connection: sa.Connection, decision: Any) -> list[Drawn]:
    """The receipts of what a decision is about, of whomever its member was merged into too."""
    if decision.member_id is None:
        return []
    merged_into = sa.select(MEMBERS.c.merged_into_id).where(
        MEMBERS.c.program_id == decision.program_id, MEMBERS.c.id == decision.member_id
    )
    where = [
        DRAWS.c.program_id == decision.program_id,
        sa.or_(
            DRAWS.c.member_id == decision.member_id,
            DRAWS.c.member_id == merged_into.scalar_subquery(),
        ),
        DRAWS.c.source_type == decision.source_type,
        DRAWS.c.source_ref == decision.source_ref,
    ]
    if decision.source_type != "order":
        # A level is entered again, a card completed again; an order is there once.
        where.append(DRAWS.c.drawn_at == decision.effective_at)
    rows = connection.execute(sa.select(DRAWS).where(*where).order_by(DRAWS.c.id)).mappings()
    return of_rows(connection, decision.program_id, rows)


def find(connection: sa.Connection, program_id: bytes, member_id: bytes, ref: str) -> Drawn | None:
    """A receipt of a member's."""
    draw_id = ids.read_id(PREFIX, ref)
    if draw_id is None:
        return None
    rows = connection.execute(
        sa.select(DRAWS).where(
            DRAWS.c.program_id == program_id,
            DRAWS.c.id == draw_id,
            DRAWS.c.member_id == member_id,
        )
    ).mappings()
    return next(iter(of_rows(connection, program_id, rows)), None)


def names(
    connection: sa.Connection, program_id: bytes, rows: Iterable[Mapping[str, Any]]
) -> dict[str, Text]:
    """By reference, what the surprises are called that these entries are of; reads nothing where
    no entry is of one."""
    refs = {row["source_ref"] for row in rows if row["source_type"] == SOURCE_TYPE}
    wanted = [one for one in (ids.read_id(PREFIX, ref) for ref in refs) if one is not None]
    if not wanted:
        return {}
    found = connection.execute(
        sa.select(DRAWS).where(DRAWS.c.program_id == program_id, DRAWS.c.id.in_(sorted(wanted)))
    ).mappings()
    named = {}
    for one in of_rows(connection, program_id, found):
        words = _source(one.surprise)
        if words is not None:
            named[ids.show_id(PREFIX, bytes(one.row["id"]))] = words
    return named


def of_decision(program: Compiled, trigger: str) -> Text | None:
    """What the source of a decision is called; None for other sources and without a name."""
    if not trigger.startswith(_FIRED):
        return None
    surprise = program.surprises.find(trigger.split(":")[1])
    return None if surprise is None else _source(surprise)


def _source(surprise: Surprise) -> Text | None:
    """A key is the organisation's own word: without a name it is some surprise."""
    if not surprise.name:
        return None
    name = language.name_of(surprise.name, surprise.key)
    return {one: _SOURCE[one].format(name=name[one]) for one in LANGUAGES}


def explained(
    program: Compiled,
    stored: Sequence[Mapping[str, Any]],
    receipts: Sequence[Drawn],
    *,
    facts: Facts,
    catalogue: Catalogue | None,
) -> list[dict[str, Any]]:
    """Every surprise that listened: by its receipt, else by what the decision says of it."""
    found = [of_receipt(one) for one in receipts]
    known = {one["rule"] for one in found}
    rest = [one for one in stored if one["rule"] not in known and "draw_id" not in one]
    return found + [_of_outcome(program, one, facts=facts, catalogue=catalogue) for one in rest]


def of_receipt(drawn_: Drawn) -> dict[str, Any]:
    """What became of a chance that was taken up."""
    row = drawn_.row
    reason = reason_of(row)
    shown: dict[str, Any] = {
        "rule": row["surprise_key"],
        "name": language.name_of(drawn_.surprise.name, drawn_.surprise.key),
        "is_fired": bool(row["stands"]),
        "is_shadow": bool(row["is_shadow"]),
        "draw_id": ids.show_id(PREFIX, bytes(row["id"])),
    }
    if reason is not None:
        shown |= {"reason": reason, "detail": _detail(row, reason)}
    return shown | {"missing": [], "summary": summary(drawn_)}


def reason_of(row: Mapping[str, Any]) -> str | None:
    """Why a receipt brings nothing; None where it does, or would if it were no trial."""
    reason: str | None = row["guard"] or row["why_fallen"]
    return reason if reason is not None or row["won"] else "lost"


def _detail(row: Mapping[str, Any], reason: str) -> str:
    if reason == "lost":
        threshold = language.number(row["threshold_ppm"])
        return f"rolled {language.number(row['roll'])}; below {threshold} wins"
    meaning = MEANINGS[reason]  # type: ignore[index]
    if reason == "holdout":
        whose = "the program's" if row["holdout_scope"] == "program" else "its own"
        return f"{meaning} ({whose} holdout)"
    return meaning


def summary(drawn_: Drawn) -> Text:
    """A receipt in a sentence."""
    row = drawn_.row
    reason = reason_of(row)
    if row["is_shadow"]:
        words = _SHADOW
    elif reason is None:
        words = _WON
    elif row["won"]:
        words = _TAKEN_BACK if reason == "not_paid" else _NOT_AGAIN
    else:
        words = _OWN.get(reason) or REASONS[reason]
    return _said(words, drawn_.surprise, drawn_.surprise.key)


def _said(words: Text, surprise: Surprise | None, key: str) -> Text:
    names_ = language.name_of(None if surprise is None else surprise.name, key)
    name = {one: quoted(names_[one], one) for one in LANGUAGES}
    topic = with_particle(name["ko"], "은")
    return {one: words[one].format(name=name[one], topic=topic) for one in LANGUAGES}


def _of_place(stored: Mapping[str, Any]) -> str:
    """Why it was not the member's turn, of a surprise for every so-manieth of a day."""
    every = f"every {language.number(stored['every'])}. member of a day has a chance"
    if stored.get("place") is None:
        return f"{every}, and this one had been counted before"
    return f"{every}, and this one was number {language.number(stored['place'])}"


def _asks_for(explanation: Mapping[str, Any] | None, fact: str) -> bool:
    """Whether a condition, as it is explained, asks for a fact."""
    if explanation is None:
        return False
    inner = explanation.get("all") or explanation.get("any") or ()
    if "not" in explanation:
        inner = [explanation["not"]]
    return explanation.get("fact") == fact or any(_asks_for(one, fact) for one in inner)


def _of_outcome(
    program: Compiled, stored: Mapping[str, Any], *, facts: Facts, catalogue: Catalogue | None
) -> dict[str, Any]:
    """What became of one that met its condition not, or was not in force."""
    key, reason = stored["rule"], stored["reason"]
    surprise = program.surprises.find(key)
    shown: dict[str, Any] = {
        "rule": key,
        "name": language.name_of(None if surprise is None else surprise.name, key),
        "is_fired": False,
        "is_shadow": surprise is not None and surprise.is_shadow,
        "draw_id": None,
        "reason": reason,
        "detail": stored.get("detail") or MEANINGS[reason],
    }
    lacking: list[missing.Missing] = []
    if surprise is not None and reason == "condition_not_met":
        shown["conditions"] = surprise.when.explain(facts)
        if not shown["conditions"]["is_met"]:
            shown["unmet"] = first_unmet(shown["conditions"])
            lacking, others = missing.of_condition(
                program, shown["conditions"], catalogue=catalogue
            )
            shown |= {"alternatives": others} if others else {}
    if "every" in stored:
        shown["detail"] = _of_place(stored)
    said = _said(REASONS[reason], surprise, key)
    more = missing.advice(program, reason, lacking)
    # What a member is thought of as is nothing to be read out to them.
    if more is not None and not _asks_for(shown.get("conditions"), SEGMENTS):
        said = {one: f"{said[one]} {more[one]}" for one in LANGUAGES}
    return shown | {"missing": lacking, "summary": said}

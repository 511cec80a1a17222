"""The facts that conditions may speak of: their names, their types and the literals of each type.

Owns the catalogue against which conditions are checked. It refuses a fact declared twice, and it
does not know the facts themselves: every package declares those of the data that it owns.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias

FactType = Literal["integer", "text", "boolean", "instant", "date", "list", "attribute"]

# At run time an instant is the integer of microseconds since 1970-01-01T00:00:00Z, so that
# comparing two is one machine comparison; a date is its ISO text, which sorts as the date does.
Value: TypeAlias = int | str | bool | list[str] | None
Facts: TypeAlias = Mapping[str, Value]

WILDCARD = ".*"
MAX_TEXT = 256
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Words:
    """How a fact is told to a member, in English and Korean.

    Of an integer: what is counted, `one` of it and several, with `{n}` in the Korean text; money
    has no singular. Of a boolean: what is so when it is true, and what when it is false. Of
    others: what the value is called, `one` and several.
    """

    one: str
    en: str
    ko: str
    ko_not: str = ""
    is_money: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a condition may ask about.

    `label` is an English sentence for the documentation and the admin pages, `source` says where
    the value comes from. A name ending in `.*` stands for any attribute below it, whose value is
    an integer, a text, a boolean or a list of texts: the program does not know which beforehand.
    `words` tell it to a member; without any the last part of its name does.
    """

    name: str
    type: FactType
    label: str
    source: str
    words: Words | None = None


class Catalogue:
    """The facts declared for one trigger, in the order in which they were declared."""

    __slots__ = ("_exact", "_facts", "_wildcards")

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._facts = tuple(facts)
        names: set[str] = set()
        for fact in self._facts:
            if fact.name in names:
                raise ValueError(f"The fact {fact.name!r} is declared twice; declare it once.")
            if fact.name.endswith(WILDCARD) != (fact.type == "attribute"):
                raise ValueError(
                    f"The fact {fact.name!r} is declared as {fact.type}: facts of type attribute,"
                    f" and only they, have a name ending in {WILDCARD!r}."
                )
            names.add(fact.name)
        self._exact = {fact.name: fact for fact in self._facts if fact.type != "attribute"}
        wildcards = [(fact.name[:-1], fact) for fact in self._facts if fact.type == "attribute"]
        # The longest prefix first: of two that fit, the more particular declaration is meant.
        self._wildcards = sorted(wildcards, key=lambda pair: len(pair[0]), reverse=True)

    def find(self, name: str) -> Fact | None:
        """The declaration behind `name`; for `order.attributes.colour` its wildcard's."""
        fact = self._exact.get(name)
        if fact is not None:
            return fact
        for prefix, wildcard in self._wildcards:
            if name.startswith(prefix) and _ATTRIBUTE_NAME.fullmatch(name, len(prefix)):
                return wildcard
        return None

    def get(self, name: str) -> Fact:
        """As `find`, for names that a check has let pass; KeyError for others."""
        fact = self.find(name)
        if fact is None:
            raise KeyError(name)
        return fact

    def suggestion(self, name: str) -> str:
        """What to write instead of `name`, which is unknown here."""
        if any(name.startswith(prefix) for prefix, _ in self._wildcards):
            return "The name of an attribute is 1 to 64 of the characters A-Z a-z 0-9 _ . and -."
        names = [fact.name.replace(WILDCARD, ".<name>") for fact in self]
        # Cut, because comparing costs the square of a length which the caller chooses.
        near = difflib.get_close_matches(name[:100], names, n=3)
        if near:
            return f"Did you mean {' or '.join(near)}?"
        return f"The facts known here are: {', '.join(names) or 'none'}."

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    def __add__(self, other: Catalogue) -> Catalogue:
        return Catalogue((*self, *other))


def microseconds_of(instant: str) -> int:
    """The run-time form of an instant; ValueError when the calendar or the clock has no such."""
    return (datetime.fromisoformat(instant.upper()) - _EPOCH) // _MICROSECOND


def instant_of(microseconds: int) -> str:
    """The form of an instant that people read; OverflowError beyond the years 1 to 9999."""
    moment = _EPOCH + microseconds * _MICROSECOND
    return moment.replace(tzinfo=None).isoformat() + "Z"


def literal_problem(value: object, *, type_: FactType) -> str | None:
    """Why `value` cannot stand in a comparison with a fact of this type, or None if it can.

    An attribute's literal decides for itself whether it is an integer, a text or a boolean; a
    list is compared with texts.
    """
    if type_ == "attribute":
        own: dict[type, FactType] = {int: "integer", str: "text", bool: "boolean"}
        if type(value) not in own:
            return f"takes an integer, a text, true or false, not {shown(value)}."
        type_ = own[type(value)]
    wanted = _LITERALS[type_]
    return None if wanted.accepts(value) else f"takes {wanted.name}, not {shown(value)}."


def _is_integer(value: object) -> bool:
    # Not isinstance: true is no number, though Python has it so.
    return type(value) is int and -(2**63) <= value < 2**63


def _is_text(value: object) -> bool:
    # The databases' drivers refuse NUL and lone surrogates, so they stop here.
    return isinstance(value, str) and len(value) <= MAX_TEXT and not _UNSTORABLE.search(value)


def _is_instant(value: object) -> bool:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return False
    try:
        microseconds_of(value)
    except ValueError:
        return False
    return True


def _is_date(value: object) -> bool:
    # The pattern first: fromisoformat also takes 20270328 and 2027-W12-7, which sort otherwise.
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Literal:
    name: str
    accepts: Callable[[object], bool]


_TEXT = _Literal(f"a text of at most {MAX_TEXT} characters without NUL or surrogates", _is_text)
_LITERALS: dict[FactType, _Literal] = {
    "integer": _Literal("an integer of at most 64 bits", _is_integer),
    "text": _TEXT,
    "list": _TEXT,
    "boolean": _Literal("true or false", lambda value: isinstance(value, bool)),
    "instant": _Literal('an instant with its offset, as "2027-03-28T22:00:00Z"', _is_instant),
    "date": _Literal('a date of the calendar, as "2027-03-28"', _is_date),
}


def printable(text: str) -> str:
    """`text` with its lone surrogates escaped, so that it can be encoded."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shown(value: object) -> str:
    """`value` as a message may repeat it: short and printable, whatever was sent."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if type(value) is int and not _is_integer(value):
        return "an integer of more than 64 bits"
    if isinstance(value, str) and len(value) > 80:
        value = f"{value[:80]}…"
    return printable(json.dumps(value, ensure_ascii=False, default=repr))

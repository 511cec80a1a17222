"""Notes: what is said to a member with a prize, with its merge fields filled in. Pure.

Fields are looked up by exact name in one pass, so what is filled in is text for ever: a member
called `{{points}}` reads exactly that. Refuses to evaluate anything, and to keep what it renders:
a note holds a name, and is made anew whenever it is read.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core import language
from loyalty import sentences
from programs.compiled import Compiled
from programs.surprises import PLACE

Names = Mapping[str, str]

_MEMBER, _POINTS, _REWARD, _PROGRAM = "member.name", "points", "reward.name", "program.name"
#: What somebody without a name is called, by language, and the titles that may follow a name: the
#: first of them is added where the note has none.
_NAMELESS: dict[str, tuple[str, tuple[str, ...]]] = {
    "en": ("dear member", ()),
    "ko": ("회원", ("님",)),
    "ja": ("会員", ("様", "さん")),
    "zh": ("会员", ()),
    "de": ("liebes Mitglied", ()),
    "fr": ("cher membre", ()),
}
#: What a note calls a prize that has no name any more.
_SPARE = "en"


@dataclass(frozen=True, slots=True)
class Given:
    """What a note may speak of: the program, whose it is, and what the prize really brought."""

    program: Compiled
    #: None where there is no name, or nobody any more.
    member_name: str | None
    #: How many of which kind.
    points: Sequence[tuple[int, str]]
    #: Of each reward its names by locale, and its key.
    rewards: Sequence[tuple[Names, str]]


def asks_for_name(note: Names) -> bool:
    """Whether any text of a note speaks to the member by name."""
    return any(_MEMBER in PLACE.findall(text) for text in note.values())


def render(note: Names, given: Given) -> dict[str, str] | None:
    """The note in each of its locales; None where there is none."""
    return {locale: _filled(text, locale, given) for locale, text in note.items()} or None


def _filled(text: str, locale: str, given: Given) -> str:
    root = locale.partition("-")[0]
    fields: dict[str, Callable[[str], str]] = {
        _MEMBER: lambda after: given.member_name or _nameless(root, after),
        _POINTS: lambda _: _points(given, root),
        _REWARD: lambda _: _rewards(given, locale),
        _PROGRAM: lambda _: given.program.name,
    }

    def fill(found: re.Match[str]) -> str:
        field = fields.get(found[1])
        # A document that was checked has no other; what is none of ours stays as it is written.
        return found[0] if field is None else field(text[found.end() :])

    return PLACE.sub(fill, text)


def _nameless(root: str, after: str) -> str:
    word, titles = _NAMELESS.get(root, _NAMELESS[_SPARE])
    has_title = not titles or after.lstrip().startswith(titles)
    return word if has_title else word + titles[0]


def _points(given: Given, root: str) -> str:
    """The number alone, for the note names what it counts; of several kinds each with its name."""
    if len(given.points) == 1:
        return language.number(given.points[0][0])
    if not given.points:
        return language.number(0)
    spoken = root if root in language.LANGUAGES else _SPARE
    told = [sentences.points(count, key, given.program)[spoken] for count, key in given.points]
    return language.listed(told, spoken)


def _rewards(given: Given, locale: str) -> str:
    root = locale.partition("-")[0]
    named = [
        names.get(locale)
        or language.of_locale(names, root)
        or language.of_locale(names, _SPARE)
        or next(iter(names.values()), key)
        for names, key in given.rewards
    ]
    return language.listed(named, "ko" if root == "ko" else _SPARE)

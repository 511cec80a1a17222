"""Texts for one reader: of each map by locale the one that they understand best.

Pure. The order: the reader's own locale, any of its language, the program's locales from the first
on, English, whatever there is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core import language
from programs.compiled import Compiled

#: Maps by locale, wherever they stand in answers.
_MAPS = ("name", "description", "summary", "terms")


class Reader:
    """Who reads: the locales that they understand, the best first."""

    def __init__(self, program: Compiled, locale: str | None) -> None:
        # One that nothing is written in is not what is answered in.
        spoken = {one.partition("-")[0] for one in (*program.locales, *language.LANGUAGES)}
        is_spoken = locale is not None and locale.partition("-")[0] in spoken
        self.locale = locale if locale and is_spoken else program.locales[0]
        self._wanted = tuple(dict.fromkeys((locale or self.locale, *program.locales, "en")))

    def text(self, names: Mapping[str, str] | None, spare: str | None = None) -> str | None:
        """The text of a map by locale; `spare` where it has none."""
        if not names:
            return spare
        for locale in self._wanted:
            root = locale.partition("-")[0]
            found = names.get(locale) or language.of_locale(names, root)
            if found:
                return found
        return next(iter(names.values()), spare)

    def name(self, names: Mapping[str, str] | None, key: str) -> str:
        """What something is called: its name, else its key."""
        return self.text(names, key) or key

    def only(self, shown: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
        """These fields of something that the contract shows, with its texts in one locale."""
        found = {}
        for field in fields:
            if field in shown:
                value = shown[field]
                is_map = field in _MAPS and isinstance(value, Mapping)
                found[field] = self.text(value) if is_map else value
        return found

"""Lines of CSV for spreadsheets, in UTF-8.

A cell of text that starts with = + - @ in any width, also after space that does not show, or with
tab or CR, gets an apostrophe in front, since programs would take it for a formula; so does what
follows a comma, a semicolon or a tab within a cell, for programs that take another separator than
the comma. Numbers are digits with at most one minus before them, which no program takes for one,
and stay numbers. A file begins with `BOM`: without it Excel reads Hangul in the code page of the
machine.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable

BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@")
#: What some program or other takes for the end of a cell.
_SEPARATORS = re.compile(r"([,;\t])")


def line(cells: Iterable[object]) -> bytes:
    """One line of these cells."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([cell(one) for one in cells])
    return buffer.getvalue().encode()


def cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    text = str(value)
    parts = _SEPARATORS.split(text)
    # Texts and separators in turn; each of these texts may come to be a cell of its own.
    parts[::2] = [f"'{part}" if _is_formula(part) else part for part in parts[::2]]
    whole = "".join(parts)
    return f"'{whole}" if whole.startswith(("\t", "\r")) else whole


def _is_formula(text: str) -> bool:
    folded = unicodedata.normalize("NFKC", text)
    for number, symbol in enumerate(folded):
        # Spaces, what does not show at all, and quotes, which a program may drop.
        if symbol != '"' and unicodedata.category(symbol)[0] not in "ZC":
            return folded.startswith(_FORMULA, number)
    return False

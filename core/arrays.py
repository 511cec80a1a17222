"""Rows as PostgreSQL's arrays, one for each column, written as text.

The driver's own arrays cost a checkout more than what is asked with them; a statement takes these
as `CAST(CAST($1 AS text) AS bigint[])`. Refuses nothing: whoever calls knows the columns.
"""

from collections.abc import Sequence
from typing import Any


def texts(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Columns of rows, each as the text of an array."""
    return ["{" + ",".join(map(element, column)) + "}" for column in zip(*rows, strict=True)]


def element(value: Any) -> str:
    """One element of an array: a whole number, bytes, a text, a boolean or nothing."""
    if type(value) is int:
        return str(value)
    if value is None:
        return "NULL"
    if type(value) is bytes:
        return f'"\\\\x{value.hex()}"'
    if type(value) is bool:
        return "t" if value else "f"
    text = str(value)
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'

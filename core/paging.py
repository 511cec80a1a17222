"""Keyset paging: an opaque cursor holds the sort key of the last row shown."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core import ids, jsontext
from core.errors import Problem
from core.fields import Integer, Schema, Text, described

#: How many are shown where nobody says.
LIMIT = 50


class PageQuery(Schema):
    """Query of every reading list."""

    limit = described(Integer, "How many at most, 1 to 100.", least=1, most=100, load_default=LIMIT)
    cursor = described(Text, "`next_cursor` of the page before.", most=512)


def read_cursor(cursor: str | None, types: Sequence[type]) -> list[Any] | None:
    """The sort key in a cursor; 400 `invalid_cursor` when it is none of ours."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = jsontext.parse(base64.b64decode(padded.encode("ascii"), b"-_", validate=True))
    except (ValueError, binascii.Error):
        values = None
    if not isinstance(values, list) or [type(value) for value in values] != list(types):
        raise Problem(
            400, "invalid_cursor", "This cursor is not one of ours; start without a cursor."
        )
    if any(isinstance(value, int) and abs(value) >= 1 << 62 for value in values):
        raise Problem(400, "invalid_cursor", "This cursor is not one of ours.")
    # PostgreSQL takes no text with a NUL, and none of ours has one.
    if any(isinstance(value, str) and "\x00" in value for value in values):
        raise Problem(400, "invalid_cursor", "This cursor is not one of ours.")
    return values


def read_id(prefix: str, shown: str) -> bytes:
    """The id in a cursor; 400 `invalid_cursor` when it is none."""
    found = ids.read_id(prefix, shown)
    if found is None:
        raise Problem(400, "invalid_cursor", "This cursor is of another list.")
    return found


def _show_cursor(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(jsontext.write(list(values))).rstrip(b"=").decode()


def page(
    rows: Sequence[Any],
    limit: int,
    *,
    key: Callable[[Any], Sequence[Any]],
    show: Callable[[Any], dict[str, Any]],
) -> dict[str, Any]:
    """The page of `rows`, which were asked for with one more than `limit`."""
    shown = rows[:limit]
    more = len(rows) > limit
    return {
        "data": [show(row) for row in shown],
        "next_cursor": _show_cursor(key(shown[-1])) if more else None,
    }


def of_list(
    answer: Mapping[str, Any], query: Mapping[str, Any], *, key: str = "key"
) -> dict[str, Any]:
    """The page of a list that is short and whole already, whose items differ by `key`; a cursor
    whose item is gone is none any more."""
    found: Sequence[Any] = answer["data"]
    cursor = read_cursor(query.get("cursor"), [str])
    if cursor:
        place = next((at for at, one in enumerate(found) if one[key] == cursor[0]), None)
        if place is None:
            raise Problem(
                400, "invalid_cursor", "What this cursor names is gone; start without a cursor."
            )
        found = found[place + 1 :]
    return page(found, query.get("limit", LIMIT), key=lambda one: [one[key]], show=_as_it_is)


def _as_it_is(one: dict[str, Any]) -> dict[str, Any]:
    return one

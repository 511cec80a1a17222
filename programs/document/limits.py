"""Schedules and limits in the document."""

from typing import Any

import marshmallow as ma

from core import clock
from core.fields import Integer, Items, Points, Schema, Text, described
from rules.limits import PER, PERIODS


class InstantText(ma.fields.Field[str]):
    """An RFC 3339 instant with an offset, kept as it was written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.metadata = {"type": "string", "format": "date-time", **self.metadata}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if type(value) is not str:
            raise ma.ValidationError("must be an RFC 3339 instant, such as 2026-03-01T09:00:00Z")
        try:
            at = clock.parse_instant(value)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None
        if not _EARLIEST <= at < _LATEST:
            raise ma.ValidationError("the year must be from 1900 to 2999")
        return value


_EARLIEST = clock.parse_instant("1900-01-01T00:00:00Z")
_LATEST = clock.parse_instant("3000-01-01T00:00:00Z")
_HOUR = r"([01][0-9]|2[0-3]):[0-5][0-9]"


class ScheduleSchema(Schema):
    """When something is in force, by the local time of the program; every bound given counts."""

    starts_at = described(InstantText, "From this instant on.", allow_none=True)
    ends_at = described(InstantText, "Until before this instant.", allow_none=True)
    weekdays = Items(
        Integer(least=1, most=7),
        most=7,
        allow_none=True,
        metadata={
            "description": "On these days, 1 is Monday; hours past midnight belong to the "
            "day on which they began."
        },
    )


# `from` is a word of the language, so the fields are declared by name, in their order.
ScheduleSchema._declared_fields |= {
    "from": described(
        Text,
        "From this local time on; without `until`, to the midnight that ends the day.",
        pattern=_HOUR,
        allow_none=True,
    ),
    "until": described(
        Text,
        "Until before this local time, past midnight when it is not after `from`; without `from`,"
        " since the midnight that begins the day.",
        pattern=rf"{_HOUR}|24:00",
        allow_none=True,
    ),
}


class LimitSchema(Schema):
    """How often a rule fires, or how many points of its own it gives."""

    per = described(Text, "For whom it is counted; default member.", one_of=PER)
    period = described(
        Text,
        "In which period of the program's calendar, default day; weeks begin on Monday. None for an"
        " order.",
        one_of=PERIODS,
    )
    times = described(Integer, "So many times.", least=1, most=10**9)
    points = described(Points, "So many points, the last award being partial.", most=10**12)

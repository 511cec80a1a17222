"""marshmallow fields of the contract: strict, bounded, and worded for the person who reads a 422.

Refuses silent conversion: "5", 5.9 and true are no integers, a naive instant is no instant.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import marshmallow as ma

from core import clock, money

BIGINT_MAX = 2**63 - 1
#: Room on both sides for any zone's calendar.
_EARLIEST = clock.parse_instant("1900-01-01T00:00:00Z")
_LATEST = clock.parse_instant("3000-01-01T00:00:00Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_REFERENCE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}")


def _storable(text: str) -> str | None:
    """Why a text cannot be stored, or None: the drivers refuse NUL and lone surrogates."""
    if "\x00" in text:
        return "must not contain the NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "must not contain lone surrogates"
    return None


def _document(field: ma.fields.Field[Any], **known: Any) -> None:
    """Tell the API reference what a field accepts."""
    field.metadata = {**known, **field.metadata}


class Integer(ma.fields.Field[int]):
    """A JSON integer between `least` and `most`, both included."""

    def __init__(self, *, least: int = 0, most: int = BIGINT_MAX, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most = least, most
        _document(self, minimum=least)
        _document(self, maximum=most)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if type(value) is not int:
            raise ma.ValidationError("must be an integer (no quotes, no fraction, not true)")
        if not self.least <= value <= self.most:
            raise ma.ValidationError(f"must be from {self.least} to {self.most}")
        return value


class Minor(Integer):
    """Money in whole minor units of the program's currency."""

    def __init__(self, **options: Any) -> None:
        super().__init__(least=0, most=money.AMOUNT_MAX, **options)


class Points(Integer):
    """A whole number of points."""

    def __init__(self, *, least: int = 1, most: int = 10**9, **options: Any) -> None:
        super().__init__(least=least, most=most, **options)


class BasisPoints(Integer):
    """A ratio in hundredths of a percent: 12,500 is 1.25."""

    def __init__(self, *, least: int = 0, most: int = 1_000_000, **options: Any) -> None:
        super().__init__(least=least, most=most, **options)


class Boolean(ma.fields.Field[bool]):
    """true or false, nothing else."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if type(value) is not bool:
            raise ma.ValidationError("must be true or false")
        return value


class Text(ma.fields.Field[str]):
    """A text with a length in characters, without NUL and lone surrogates."""

    def __init__(
        self,
        *,
        most: int = 256,
        least: int = 1,
        one_of: tuple[str, ...] | None = None,
        pattern: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.most, self.least, self.one_of = most, least, one_of
        self.pattern = re.compile(pattern) if pattern else None
        if one_of:
            _document(self, enum=[*one_of, None] if self.allow_none else list(one_of))
        else:
            _document(self, minLength=least)
            _document(self, maxLength=most)
        if pattern:
            _document(self, pattern=f"^(?:{pattern})$")

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if type(value) is not str:
            raise ma.ValidationError("must be a text")
        if self.one_of is not None and value not in self.one_of:
            raise ma.ValidationError(f"must be one of: {', '.join(self.one_of)}")
        if not self.least <= len(value) <= self.most:
            raise ma.ValidationError(f"must have {self.least} to {self.most} characters")
        if not value.isascii() or "\x00" in value:
            reason = _storable(value)
            if reason:
                raise ma.ValidationError(reason)
        if self.pattern is not None and not self.pattern.fullmatch(value):
            raise ma.ValidationError(f"must match {self.pattern.pattern}")
        return value


class Reference(ma.fields.Field[str]):
    """The caller's own id of a thing: 1 to 128 printable characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        _document(self, minLength=1)
        _document(self, maxLength=128)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if type(value) is not str:
            raise ma.ValidationError("must be a text")
        reason = reference_fault(value)
        if reason:
            raise ma.ValidationError(reason)
        return value


#: What stands below a member or an order in addresses, and so in no reference behind a slash.
BELOW = frozenset(
    [
        "balances",
        "entries",
        "lots",
        "tier",
        "cards",
        "rewards",
        "segments",
        "referrals",
        "surprises",
        "why",
        "statement",
        "merge",
        "tokens",
        "links",
        "refunds",
    ]
)


def reference_fault(text: str) -> str | None:
    """Why a text cannot be a reference, or None."""
    if "/" in text and not BELOW.isdisjoint(text.split("/")[1:]):
        return "must not hold an address of ours behind a slash, such as /refunds"
    if text.isascii() and text.isprintable() and 0 < len(text) <= 128:
        return None
    if not _REFERENCE.fullmatch(text):
        return "must have 1 to 128 printable characters"
    if any(unicodedata.category(symbol) in {"Cf", "Zl", "Zp", "Cn", "Co"} for symbol in text):
        return "must have printable characters only"
    return None


class Key(Text):
    """The key of an item of the program document."""

    def __init__(self, **options: Any) -> None:
        super().__init__(most=64, pattern="[a-z0-9][a-z0-9_-]*", **options)


class Instant(ma.fields.Field[int]):
    """An RFC 3339 instant with an offset, as microseconds since 1970 UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        _document(self, format="date-time")

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if type(value) is not str:
            raise ma.ValidationError("must be an RFC 3339 instant, such as 2026-03-01T09:00:00Z")
        try:
            instant = clock.parse_instant(value)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None
        if not _EARLIEST <= instant < _LATEST:
            raise ma.ValidationError("the year must be from 1900 to 2999")
        return instant


class Date(ma.fields.Field[date]):
    """A calendar day, `YYYY-MM-DD`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        _document(self, format="date")

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> date:
        if type(value) is not str or not _DATE.fullmatch(value):
            raise ma.ValidationError("must be a date, such as 1990-02-28")
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ma.ValidationError("must be a date, such as 1990-02-28") from None


class Duration(ma.fields.Field[str]):
    """An ISO 8601 duration, kept as the text given."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        _document(self, pattern="^P[0-9YMWDTHS]+$")
        _document(self, maxLength=32)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if type(value) is not str:
            raise ma.ValidationError("must be an ISO 8601 duration, such as P12M or PT30M")
        try:
            duration = clock.parse_duration(value)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None
        if duration == clock.Duration():
            raise ma.ValidationError("must be longer than nothing")
        return value


class Currency(Text):
    """An ISO 4217 code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(most=64, **options)
        _document(self, pattern="^[A-Z]{3}$")

    def _deserialize(self, value: Any, *rest: Any, **named: Any) -> str:
        code = super()._deserialize(value, *rest, **named)
        if not money.is_currency(code):
            raise ma.ValidationError("must be an ISO 4217 code in capitals, such as KRW")
        return code


class Attributes(ma.fields.Field[dict[str, Any]]):
    """The caller's own facts: names to integers, texts, booleans or lists of texts."""

    def __init__(self, *, most: int = 50, **options: Any) -> None:
        super().__init__(**options)
        self.most = most
        _document(self, maxProperties=most)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise ma.ValidationError("must be an object")
        if len(value) > self.most:
            raise ma.ValidationError(f"must have at most {self.most} names")
        faults = {
            name: [fault] for name, item in value.items() if (fault := _attribute_fault(name, item))
        }
        if faults:
            raise ma.ValidationError(faults)
        return value


def _attribute_fault(name: str, value: Any) -> str | None:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        return "the name must have 1 to 64 of A-Z a-z 0-9 _ . -"
    if value is None or type(value) is bool:
        return None
    if type(value) is int:
        return None if -BIGINT_MAX <= value <= BIGINT_MAX else "must fit 64 bits"
    items = value if type(value) is list else [value]
    if len(items) > 50 or any(type(item) is not str or len(item) > 256 for item in items):
        return "must be an integer, a boolean, a text (256) or a list of up to 50 texts"
    return next((fault for item in items if (fault := _storable(item))), None)


class Localised(ma.fields.Field[dict[str, str]]):
    """A text per locale: {"en": "points", "ko": "포인트"}."""

    def __init__(self, *, most: int = 500, **options: Any) -> None:
        super().__init__(**options)
        self.text = Text(most=most)
        _document(self, additionalProperties={"type": "string", "maxLength": most})

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, str]:
        if type(value) is not dict or len(value) > 20:
            raise ma.ValidationError('must be an object of locale and text: {"en": "…"}')
        faults: dict[str, Any] = {}
        for locale, item in value.items():
            if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?", locale):
                faults[locale] = ["the locale must look like en or pt-BR"]
                continue
            try:
                self.text.deserialize(item)
            except ma.ValidationError as error:
                faults[locale] = error.messages
        if faults:
            raise ma.ValidationError(faults)
        return value


class Items(ma.fields.List[Any]):
    """A list of `least` to `most` items. Its length is looked at before its items are, and it
    gives up after a few faulty ones: a body of nothing but faults must stay cheap."""

    FAULTS_MAX = 20

    def __init__(self, inner: Any, *, most: int, least: int = 0, **options: Any) -> None:
        super().__init__(inner, **options)
        self.most, self.least = most, least
        _document(self, maxItems=most, **({"minItems": least} if least else {}))

    def _deserialize(self, value: Any, *_: Any, **options: Any) -> list[Any]:
        if type(value) is not list:
            raise ma.ValidationError("must be a list")
        if not self.least <= len(value) <= self.most:
            raise ma.ValidationError(f"must have {self.least} to {self.most} items")
        result, faults = [], {}
        for index, item in enumerate(value):
            try:
                result.append(self.inner.deserialize(item, **options))
            except ma.ValidationError as error:
                faults[index] = error.messages
                if len(faults) == self.FAULTS_MAX:
                    break
        if faults:
            raise ma.ValidationError(faults)
        return result


class Json(ma.fields.Field[Any]):
    """Any JSON value, checked by whoever knows its language (conditions, patches)."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return value


class Schema(ma.Schema):
    """A closed JSON object: unknown names are refused."""

    class Meta:
        """Unknown fields are an error, never ignored."""

        unknown = ma.RAISE

    error_messages = {
        "type": "must be an object",
        "unknown": "is not a field of this object; check its spelling against /docs",
    }


def described(field: Callable[..., Any], description: str, **options: Any) -> Any:
    """A field with the description that the API reference shows."""
    metadata: Mapping[str, Any] = options.pop("metadata", {})
    return field(metadata={**metadata, "description": description}, **options)

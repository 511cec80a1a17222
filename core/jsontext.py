"""JSON in and out: a strict reader for what callers send, one writer for all we answer and store.

Refuses what breaks JSON or UTF-8 (NaN, 1e400, duplicate keys, raw control characters, deep
nesting, numbers of more than 4,300 digits, UTF-16). What is well-formed but wrong in value is
left to the schemas, which name the place.
"""

import json
import math
from typing import Any

import orjson

_DEPTH_MAX = 64


class MalformedJson(ValueError):  # noqa: N818
    """The bytes are not JSON as this API reads it; the message says why."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedJson(f"the name {twice[:64]!a} occurs twice in one object")
    return result


def _constant(name: str) -> Any:
    raise MalformedJson(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise MalformedJson("a number is too large")
    return value


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, strict=True
)


def read(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8; MalformedJson says what is wrong and where."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJson(f"the body is not UTF-8 (byte {error.start})") from None
    if not text.strip():
        raise MalformedJson("the body is empty; send a JSON object")
    try:
        value = _decoder.decode(text)
    except MalformedJson:
        raise
    except json.JSONDecodeError as error:
        raise MalformedJson(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:
        raise MalformedJson("a number has more than 4300 digits") from None
    except RecursionError:
        raise MalformedJson("the value is nested too deeply") from None
    if text.count("[") + text.count("{") > _DEPTH_MAX and _depth(value) > _DEPTH_MAX:
        raise MalformedJson(f"the value is nested more than {_DEPTH_MAX} levels deep")
    return value


def _depth(value: Any) -> int:
    level, layer = 0, [value]
    while layer:
        inner: list[Any] = []
        for item in layer:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if not any(isinstance(item, (dict, list)) for item in layer):
            return level
        level, layer = level + 1, inner
    return level


def write(value: Any) -> bytes:
    """Compact UTF-8 JSON, keys in the order given."""
    return orjson.dumps(value)


def text(value: Any) -> str:
    """Compact JSON as text, for a document column."""
    return orjson.dumps(value).decode()


def sorted_text(value: Any) -> str:
    """Compact JSON as text with sorted keys: the same for equal values that were validated."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def canonical(value: Any) -> bytes:
    """JSON that is the same for equal values, whatever the order of keys: for digests.

    Takes anything `read` returns, also integers beyond 64 bits and lone surrogates.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def parse(stored: str | bytes) -> Any:
    """A document that we wrote ourselves."""
    return orjson.loads(stored)

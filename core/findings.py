"""Findings: what marshmallow says of a body or a query, in the words of the contract.

Owns pointers, codes, and which fields there are where one is unknown. Refuses to judge: schemas do.
"""

import itertools
from typing import Any

import marshmallow as ma

from core.errors import FieldError

_FINDINGS_MAX = 100
#: So many fields are named where one is unknown.
_NAMED_MAX = 20


def of(messages: Any, pointer: str, where: Any = None) -> list[FieldError]:
    """Findings by pointer, the first hundred; `where` is the schema or field that they are of."""
    found: list[FieldError] = []
    if isinstance(messages, dict):
        for name, inner in itertools.islice(messages.items(), _FINDINGS_MAX):
            if name == "_schema":
                found.extend(of(inner, pointer, where))
                continue
            token = str(name).replace("~", "~0").replace("/", "~1")
            token = token.encode("utf-8", "backslashreplace").decode()[:128]
            below = _below(where, name)
            is_unknown = below is None and isinstance(name, str) and isinstance(inner, list)
            told = [_named(str(text), where) for text in inner] if is_unknown else inner
            found.extend(of(told, f"{pointer}/{token}", below))
        return found[:_FINDINGS_MAX]
    for message in messages if isinstance(messages, list) else [messages]:
        text = str(message)
        if text.startswith("Missing data"):
            found.append(FieldError(pointer, "required", "is required"))
        elif text.startswith("Field may not be null"):
            found.append(FieldError(pointer, "invalid", "must not be null; leave it out instead"))
        elif _UNKNOWN in text:
            found.append(FieldError(pointer, "unknown_field", text))
        else:
            found.append(FieldError(pointer, "invalid", text))
    return found[:_FINDINGS_MAX]


_UNKNOWN = "not a field of this object"


def _below(where: Any, name: Any) -> Any:
    """The schema or field of a part of something, where that is known."""
    if isinstance(where, ma.fields.Nested):
        where = where.schema
    if isinstance(where, ma.Schema):
        known = where.load_fields
        return known.get(name) or next(
            (field for field in known.values() if field.data_key == name), None
        )
    return where.inner if isinstance(where, ma.fields.List) else None


def _named(text: str, where: Any) -> str:
    """With the fields that there are, where one is unknown."""
    schema = where.schema if isinstance(where, ma.fields.Nested) else where
    if _UNKNOWN not in text or not isinstance(schema, ma.Schema):
        return text
    names = sorted(field.data_key or name for name, field in schema.load_fields.items())
    shown = ", ".join(names[:_NAMED_MAX]) + (", …" if len(names) > _NAMED_MAX else "")
    return f"{text}; there are: {shown}" if names else f"{text}; there are none"

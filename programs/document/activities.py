"""Declared kinds of activities in the document: which facts each has, and of what types."""

from typing import Any

import marshmallow as ma

from core.fields import described
from programs.document.shapes import Item

FACT_TYPES = ("integer", "text", "boolean", "date", "instant", "list")
_FACTS_MAX = 50


class FactTypesField(ma.fields.Field[Any]):
    """Names of facts and their types: {"rating": "integer"}."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        known = {
            "type": "object",
            "maxProperties": _FACTS_MAX,
            "additionalProperties": {"type": "string", "enum": [*FACT_TYPES]},
        }
        self.metadata = {**known, **self.metadata}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if type(value) is not dict or len(value) > _FACTS_MAX:
            raise ma.ValidationError(
                f'must be an object of up to {_FACTS_MAX} names and types: {{"rating": "integer"}}'
            )
        faults = {
            name: [f"must be one of: {', '.join(FACT_TYPES)}"]
            for name, type_ in value.items()
            if type_ not in FACT_TYPES
        }
        if faults:
            raise ma.ValidationError(faults)
        return value


class DeclaredActivitySchema(Item):
    """A kind of activity whose facts are typed; other kinds need no declaration."""

    facts = described(FactTypesField, "Its facts and their types.")

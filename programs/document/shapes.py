"""Shapes that several sections of the document share."""

from typing import Any

import marshmallow as ma

from core.fields import Items, Key, Localised, Schema, Text, described


class Unavailable(ma.fields.Field[Any]):
    """A part of the document whose feature this version does not have: absent or empty."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not value and type(value) in (type(None), list, dict):
            return value
        raise ma.ValidationError(
            "is not available in this version of Dangol; leave it out or empty"
        )


def unavailable(what: str) -> Any:
    """A section whose feature does not exist yet."""
    return described(
        Unavailable, f"{what} (not available yet: leave out or empty).", allow_none=True
    )


def nested(schema: Any, description: str, **options: Any) -> Any:
    """A nested object with its description."""
    return ma.fields.Nested(schema, metadata={"description": description}, **options)


def item_list(schema: Any, description: str, most: int) -> Any:
    """A list of nested objects."""
    return Items(ma.fields.Nested(schema), most=most, metadata={"description": description})


class Item(Schema):
    """What every keyed item has."""

    key = described(Key, "Stable key of the item.", required=True)
    name = described(Localised, "Name by locale.")
    description = described(Localised, "Description by locale.", most=2000)
    state = described(Text, "A paused item does nothing.", one_of=("live", "paused"))

"""Stamp cards in the document."""

import marshmallow as ma

from core.fields import Boolean, Duration, Integer, Items, Text, described
from programs.document.earning import EffectSchema
from programs.document.shapes import Item


class CardSchema(Item):
    """A stamp card."""

    stamps = described(Integer, "How many stamps complete it.", required=True, least=1, most=10_000)
    effects = Items(
        ma.fields.Nested(EffectSchema),
        most=20,
        metadata={"description": "What completing it brings, once for each completion."},
    )
    repeats = described(Boolean, "A new card opens when one is complete (default true).")
    expires_after = described(
        Duration, "When an unfinished card expires; it never does when absent."
    )
    expires = described(
        Text,
        "card (default): the whole card, so long after its first stamp. stamp: each stamp by"
        " itself, so that only those of the last weeks count.",
        one_of=("card", "stamp"),
    )

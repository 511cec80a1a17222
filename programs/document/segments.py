"""Segments in the document."""

from core.fields import Json, described
from programs.document.shapes import Item


class SegmentSchema(Item):
    """A named condition over members."""

    when = described(
        Json,
        "Who belongs to it: a condition over facts of members, other than member.segments; null is"
        " everybody.",
        allow_none=True,
    )

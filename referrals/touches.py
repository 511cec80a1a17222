"""A touch: one click on a link, as tokens and leads carry it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Touch:
    """Which link was clicked, when, over which channel; `version` and `switches` pin the offer as
    it was then. `visitor` is the keyed digest by which the visitor is known again, if they are."""

    link_id: bytes
    version: int
    switches: int
    channel: str | None
    clicked_at: int
    visitor: bytes | None = None

"""Publishing anchors: a program's first chain is there before anything can be drawn."""

from typing import Any

import sqlalchemy as sa

from core import clock
from rewards.luck import epochs


def begin(
    connection: sa.Connection, program_id: bytes, document: dict[str, Any], now: clock.Instant
) -> None:
    """With the first version that has surprises the anchor is published, in the same unit."""
    if document.get("surprises"):
        epochs.ensure_chain(connection, program_id, now)

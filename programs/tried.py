"""Documents that were tried: which finished back-test is of exactly this one.

Owns how a document is recognised. What a back-test does is `analytics.backtests`'.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from programs.models import Backtest

PREFIX = "bkt"
DONE = "done"


def digest(document: Mapping[str, Any]) -> bytes:
    """What a document is recognised by, however its names are ordered."""
    return hashlib.sha256(jsontext.canonical(document)).digest()


def find(connection: sa.Connection, program_id: bytes, document: Mapping[str, Any]) -> bytes | None:
    """The newest finished back-test of exactly this document: its forecast is kept with it."""
    found = connection.execute(
        sa.select(Backtest.id)
        .where(
            Backtest.program_id == program_id,
            Backtest.digest == digest(document),
            # As it stands in the condition of the index.
            Backtest.state == sa.literal_column(f"'{DONE}'"),
        )
        .order_by(Backtest.id.desc())
        .limit(1)
    ).scalar()
    return None if found is None else bytes(found)


def shown(backtest_id: bytes | None) -> str | None:
    """The id as it is shown."""
    return None if backtest_id is None else ids.show_id(PREFIX, bytes(backtest_id))

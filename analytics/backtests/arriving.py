"""The order of arrival: ids are UUIDv7, made when something was told, by the machine's clock.

Pure but for reading rows a portion at a time, as everything that is long is read here.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

_PORTION = 1000
#: Milliseconds that lie between the ids that one unit of work makes, at most, and those of the
#: next one about the same thing, at least.
A_MOMENT = 2


def rows_of(connection: sa.Connection, statement: sa.Select[Any]) -> Iterator[Any]:
    """The rows of a statement, a portion at a time."""
    options = {"yield_per": _PORTION}
    for partition in connection.execute(statement, execution_options=options).partitions():
        yield from partition


def early_id(at: int) -> bytes:
    """An id before all that were made at an instant of the machine's clock or later."""
    milliseconds = max(0, at // 1000)
    return (milliseconds << 80 | 0x7 << 76 | 0x2 << 62).to_bytes(16, "big")


def shifted(made: bytes, milliseconds: int) -> bytes:
    """An id made so much later, or earlier."""
    return (int.from_bytes(made, "big") + (milliseconds << 80)).to_bytes(16, "big")

"""What the tests of erasure share: erasing, and looking into every table."""

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from core import db, ids
from loyalty.ledger.rows import ENTRIES
from tests.world import BASE_RULE, World

HELLO = {"key": "hello", "trigger": "signup", "effect": {"do": "add_points", "points": 100}}
WELCOMING = {"earning": {"rules": [BASE_RULE, HELLO]}}


def erase(world: World, ref: str = "mina", *, status: int = 200) -> Any:
    response = world.call("DELETE", f"/members/{ref}")
    assert response.status_code == status, response.get_data(as_text=True)
    return response.json


def run(world: World, work: Callable[[sa.Connection], Any]) -> Any:
    with world.app.app_context():
        return db.in_transaction(work)


def program_id_of(world: World) -> bytes:
    found = ids.read_id("prg", world.program_id)
    assert found is not None
    return found


def cells(world: World) -> Iterator[tuple[str, bytes]]:
    """Every value of every row of the program, in bytes, with where it stands."""
    program_id = program_id_of(world)

    def read(connection: sa.Connection) -> list[tuple[str, bytes]]:
        found = []
        for table in db.Base.metadata.tables.values():
            statement = sa.select(table).where(table.c.program_id == program_id)
            for row in connection.execute(statement).mappings():
                for name, value in row.items():
                    raw = value if isinstance(value, bytes) else str(value).encode()
                    found.append((f"{table.name}.{name}", raw))
        return found

    yield from run(world, read)


def places_of(world: World, *texts: str) -> dict[str, set[str]]:
    """Where each of these texts stands."""
    found: dict[str, set[str]] = {}
    for place, raw in cells(world):
        for text in texts:
            if text.encode() in raw:
                found.setdefault(text, set()).add(place)
    return found


def account(world: World, member_id: str) -> list[tuple[str, int, str, int]]:
    """Kind, points, source and the balance after it of each entry of a member, by our id."""

    def read(connection: sa.Connection) -> list[Any]:
        return list(
            connection.execute(
                sa.select(
                    ENTRIES.c.kind,
                    ENTRIES.c.points,
                    ENTRIES.c.source_type,
                    ENTRIES.c.available_after,
                )
                .where(
                    ENTRIES.c.program_id == program_id_of(world),
                    ENTRIES.c.member_id == ids.read_id("mem", member_id),
                )
                .order_by(ENTRIES.c.seq)
            )
        )

    return [tuple(row) for row in run(world, read)]

"""What the world sees of segments: who is in them, and which messages told of it."""

from typing import Any

import sqlalchemy as sa

from tests.world import World


def counts(world: World) -> dict[str, int | None]:
    """How many members each segment had at the last look."""
    return {one["key"]: one["members_count"] for one in world.get("/segments")["data"]}


def members_of(world: World, segment: str) -> list[str]:
    """Who was in a segment at the last look, as its own list and the members' say alike."""
    found = [one["member_ref"] for one in world.get(f"/segments/{segment}/members")["data"]]
    listed = world.get(f"/members?segment={segment}")["data"]
    assert [one["member_ref"] for one in listed] == found
    return sorted(found)


def segments_of(world: World, ref: str) -> list[str]:
    """The segments of a member now."""
    return [one["key"] for one in world.get(f"/members/{ref}/segments")["data"]]


def look(world: World) -> int:
    """Let the worker look, until it finds nothing to do; how many units it took."""
    from core import clock
    from storefront import due

    units = 0
    with world.app.app_context():
        while due.look_some(clock.system_now()):
            units += 1
    return units


def told(world: World) -> list[tuple[str, str, str | None, str]]:
    """Type, segment, member and instant of every message about segments, in order."""
    from core import db, ids, jsontext
    from core.outbox import OutboxMessage

    statement = (
        sa.select(OutboxMessage.type, OutboxMessage.payload)
        .where(
            OutboxMessage.program_id == ids.read_id("prg", world.program_id),
            OutboxMessage.type.like("segment.%"),
        )
        .order_by(OutboxMessage.id)
    )
    with world.app.app_context():
        rows = db.reading(lambda connection: list(connection.execute(statement)))
    payloads: list[tuple[str, Any]] = [(row[0], jsontext.parse(row[1])) for row in rows]
    return [(kind, one["segment"], one["member_ref"], one["at"]) for kind, one in payloads]


def is_(fact: str, op: str, value: Any) -> dict[str, Any]:
    """A comparison."""
    return {"fact": fact, "op": op, "value": value}

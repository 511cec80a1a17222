"""Receipts as a unit of work writes them, without a surprise behind them."""

from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext
from programs import versions
from rewards.luck import epochs, receipts, rolling
from rewards.luck.epochs import Epoch
from rewards.surprises.carried import DRAWS
from tests.world import World

#: What the receipts of these tests are drawn with, unless a test says otherwise.
LUCK: dict[str, Any] = {
    "surprise_key": "luck",
    "version": 2,
    "guard": None,
    "is_shadow": False,
    "probability_ppm": 300_000,
    "pace_ppm": 1_000_000,
    "losses": 0,
    "pity_after": None,
    "weights": [5, 3, 2],
}


def owner(world: World) -> bytes:
    """The program's id."""
    found = ids.read_id("prg", world.program_id)
    assert found is not None
    return found


def receipt(
    program_id: bytes, epoch: Epoch, member: Any, activity: str, *, at: int, **said: Any
) -> dict[str, Any]:
    """The row of a draw: what is known, and what comes of it."""
    row = LUCK | said
    row |= {
        "program_id": program_id,
        "id": ids.new_id(),
        "member_id": bytes(member.id),
        "member_ref": member.member_ref,
        "activity_ref": activity,
        "source_type": "order",
        "source_ref": activity,
        "source_id": ids.new_id(),
        "trigger": "order",
        "live_version": 2,
        "switches": 0,
        "epoch": epoch.number,
        "drawn_at": at,
        "recorded_at": at,
        "stands": False,
        "cost": 0,
        "is_erased": False,
        "threshold_ppm": rolling.threshold(row["probability_ppm"], row["pace_ppm"]),
        "roll": None,
        "is_pity": False,
        "won": False,
        "prize": None,
    }
    row |= receipts.outcome(epoch.seed, row | {"rule": row["surprise_key"]})
    row["weights"] = jsontext.text(row["weights"])
    row["body_hash"] = rolling.body_hash(receipts.body_of(row))
    return row


def draw(world: World, *activities: str, ref: str = "mina", **said: Any) -> list[dict[str, Any]]:
    """Draw for these activities of a member, in one unit by the program's clock; the rows."""
    from members.models import Member

    program_id = owner(world)

    def work(connection: sa.Connection) -> list[dict[str, Any]]:
        _, now = versions.get_live(connection, program_id)
        member = connection.execute(
            sa.select(Member.id, Member.member_ref).where(
                Member.program_id == program_id, Member.member_ref == ref
            )
        ).one()
        epoch = epochs.open_now(connection, program_id, clock.Instant(now))
        rows: list[dict[str, Any]] = []
        losses = _losses(connection, program_id, bytes(member.id), said)
        for one in activities:
            told = {"at": now, "losses": losses} | said
            rows.append(receipt(program_id, epoch, member, one, **told))
            if rows[-1]["roll"] is not None:
                losses = 0 if rows[-1]["won"] else losses + 1
        connection.execute(sa.insert(DRAWS), rows)
        return rows

    with world.app.app_context():
        return db.in_transaction(work)


def _losses(
    connection: sa.Connection, program_id: bytes, member_id: bytes, said: dict[str, Any]
) -> int:
    """The losses in a row of a member before now."""
    about = LUCK | said
    row = connection.execute(
        sa.select(DRAWS.c.won, DRAWS.c.losses)
        .where(
            DRAWS.c.program_id == program_id,
            DRAWS.c.member_id == member_id,
            DRAWS.c.surprise_key == about["surprise_key"],
            DRAWS.c.is_shadow == about["is_shadow"],
            DRAWS.c.roll.is_not(None),
        )
        .order_by(DRAWS.c.id.desc())
        .limit(1)
    ).first()
    return 0 if row is None or row.won else row.losses + 1

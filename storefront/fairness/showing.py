"""Epochs, receipts and single draws as they are shown to whoever checks them.

Refuses to show a seed, a number or a leaf of an epoch that is open: there is none to show yet.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from core import clock, ids, paging
from core.errors import Problem, not_found
from rewards.luck import keeping, merkle, receipts
from rewards.luck.models import BLOCKS, EPOCH_RULES, EPOCHS, LEAVES
from rewards.surprises.carried import DRAWS

PREFIX = "drw"
#: In the order in which they are asked; what a receipt says failed is the reason of its guard.
GUARDS = {
    "live": "not_live",
    "schedule": "outside_schedule",
    "eligibility": "condition_not_met",
    "holdout": "holdout",
    "exclusivity": "excluded",
    "limits": "limit_reached",
    "cooldown": "cooldown",
    "budget": "budget",
}
#: All that is shown of a draw whose member was erased.
OF_SEALED = frozenset({"id", "rule", "epoch", "is_sealed", "body_hash", "number", "leaf", "proof"})
_UNIX = date(1970, 1, 1)
_E, _L, _D = EPOCHS.c, LEAVES.c, DRAWS.c


def list_epochs(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A page of epochs, newest first, with every chain's anchor."""
    where = [_E.program_id == program_id]
    cursor = paging.read_cursor(query.get("cursor"), [int])
    if cursor:
        where.append(_E.number < cursor[0])
    rows = connection.execute(
        sa.select(EPOCHS).where(*where).order_by(_E.number.desc()).limit(query["limit"] + 1)
    ).all()
    rules = rules_of(connection, program_id, [row.number for row in rows])
    page = paging.page(
        rows,
        query["limit"],
        key=lambda row: [row.number],
        show=lambda row: shown_epoch(row, rules.get(row.number, [])),
    )
    return {"chains": shown_chains(connection, program_id)} | page


def shown_chains(connection: sa.Connection, program_id: bytes) -> list[dict[str, Any]]:
    """The chains of a program: what was promised, and when."""
    return [
        {
            "number": chain.number,
            "anchor": chain.anchor.hex(),
            "length": chain.length,
            "published_at": clock.format_instant(chain.published_at),
        }
        for chain in keeping.list_all(connection, program_id)
    ]


def rules_of(
    connection: sa.Connection, program_id: bytes, numbers: list[int]
) -> dict[int, list[dict[str, Any]]]:
    """The numbers that rules gave in closed epochs."""
    found: dict[int, list[dict[str, Any]]] = {}
    rows = connection.execute(
        sa.select(EPOCH_RULES).where(
            EPOCH_RULES.c.program_id == program_id, EPOCH_RULES.c.epoch.in_(numbers)
        )
    )
    for row in sorted(rows, key=lambda row: row.surprise_key):
        told = {"rule": row.surprise_key, "first": row.first_number, "last": row.last_number}
        found.setdefault(row.epoch, []).append(told)
    return found


def shown_epoch(row: Any, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """An epoch; its seed and its root once it is closed."""
    is_closed = row.closed_at is not None
    return {
        "number": row.number,
        "chain": row.chain,
        "place": row.place,
        "day": (_UNIX + timedelta(days=row.day)).isoformat(),
        "state": "closed" if is_closed else "open",
        "opened_at": clock.format_instant(row.opened_at),
        "ends_at": clock.format_instant(row.ends_at),
        "closed_at": clock.format_instant(row.closed_at) if is_closed else None,
        "seed": _hex(row.seed) if is_closed else None,
        "root": _hex(row.root) if is_closed else None,
        "receipts": row.receipt_count if is_closed else None,
        "rules": rules,
    }


def list_receipts(
    connection: sa.Connection, program_id: bytes, number: int, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A page of the receipts of a closed epoch, in the order of their leaves; 404 when there is no
    such epoch, 409 while it is open."""
    epoch = connection.execute(
        sa.select(_E.closed_at).where(_E.program_id == program_id, _E.number == number)
    ).first()
    if epoch is None:
        raise not_found("epoch")
    if epoch.closed_at is None:
        raise Problem(
            409,
            "state_conflict",
            "The epoch is open: its receipts are numbered and shown when its day is over.",
            state="open",
        )
    cursor = paging.read_cursor(query.get("cursor"), [int])
    rows = connection.execute(
        receipts_of(program_id, number, after=cursor[0] if cursor else -1).limit(query["limit"] + 1)
    )
    return paging.page(
        rows.mappings().all(),
        query["limit"],
        key=lambda row: [row["place"]],
        show=shown_receipt,
    )


def receipts_of(program_id: bytes, epoch: int, *, after: int = -1) -> sa.Select[Any]:
    """The receipts of a closed epoch with their numbers and leaves, behind a place."""
    is_its = sa.and_(_D.program_id == _L.program_id, _D.id == _L.draw_id)
    return (
        sa.select(*(column for column in DRAWS.c if column.name not in _APART), *_NUMBERED)
        .join(LEAVES, is_its)
        .where(_L.program_id == program_id, _L.epoch == epoch, _L.place > after)
        .order_by(_L.place)
    )


_NUMBERED = (_L.place, _L.number, _L.leaf)
_APART = {column.name for column in _NUMBERED}


def shown_receipt(row: Mapping[str, Any]) -> dict[str, Any]:
    """A receipt below its root; of an erased member the hash of its body alone."""
    return {
        "rule": row["surprise_key"],
        "number": row["number"],
        "is_sealed": bool(row["is_erased"]),
        "body": None if row["is_erased"] else receipts.body_of(row),
        "body_hash": _hex(row["body_hash"]),
        "leaf": _hex(row["leaf"]),
    }


def get_draw(connection: sa.Connection, program_id: bytes, shown_id: str) -> dict[str, Any]:
    """One draw: what was known, what came of it, and once its epoch is closed the proof that it
    stands below the root; of an erased member no more than that. 404 when there is none."""
    draw_id = ids.read_id(PREFIX, shown_id)
    row = None
    if draw_id is not None:
        statement = sa.select(DRAWS).where(_D.program_id == program_id, _D.id == draw_id)
        row = connection.execute(statement).mappings().first()
    if row is None:
        raise not_found("draw")
    sealed = {
        "id": shown_id,
        "rule": row["surprise_key"],
        "epoch": row["epoch"],
        "is_sealed": bool(row["is_erased"]),
        "body_hash": _hex(row["body_hash"]),
        **_numbered(connection, program_id, bytes(row["id"])),
    }
    return sealed if row["is_erased"] else sealed | _told(dict(row))


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of a draw while its member is not erased."""
    failed = row["guard"]
    reasons = list(GUARDS.values())
    passed = list(GUARDS)[: len(GUARDS) if failed is None else reasons.index(failed)]
    return {
        **{name: value for name, value in receipts.body_of(row).items() if name != "receipt"},
        "guards_passed": passed,
        "holdout_scope": row["holdout_scope"],
        "source": {"type": row["source_type"], "ref": row["source_ref"]},
        "recorded_at": clock.format_instant(row["recorded_at"]),
        "stands": bool(row["stands"]),
        "decision_id": _shown_id("dec", row["decision_id"]),
    }


def _numbered(connection: sa.Connection, program_id: bytes, draw_id: bytes) -> dict[str, Any]:
    """Number, leaf and proof of a draw whose epoch is closed."""
    is_its = sa.and_(_E.program_id == _L.program_id, _E.number == _L.epoch)
    own = connection.execute(
        sa.select(LEAVES, _E.root, _E.receipt_count, _E.closed_at)
        .join(EPOCHS, is_its)
        .where(_L.program_id == program_id, _L.draw_id == draw_id)
    ).first()
    if own is None or own.closed_at is None:
        return {"number": None, "leaf": None, "proof": None}
    block, place = divmod(own.place, merkle.BLOCK)
    first = block * merkle.BLOCK
    leaves = connection.execute(
        sa.select(_L.leaf)
        .where(
            _L.program_id == program_id,
            _L.epoch == own.epoch,
            _L.place.between(first, first + merkle.BLOCK - 1),
        )
        .order_by(_L.place)
    ).scalars()
    nodes = connection.execute(
        sa.select(BLOCKS.c.hash)
        .where(BLOCKS.c.program_id == program_id, BLOCKS.c.epoch == own.epoch)
        .order_by(BLOCKS.c.place)
    ).scalars()
    path = merkle.proof([bytes(one) for one in leaves], place)
    path += merkle.proof([bytes(one) for one in nodes], block)
    proof = {
        "place": own.place,
        "count": own.receipt_count,
        "path": [one.hex() for one in path],
        "root": _hex(own.root),
    }
    return {"number": own.number, "leaf": _hex(own.leaf), "proof": proof}


def _hex(value: Any) -> str | None:
    return None if value is None else bytes(value).hex()


def _shown_id(prefix: str, value: Any) -> str | None:
    return None if value is None else ids.show_id(prefix, bytes(value))

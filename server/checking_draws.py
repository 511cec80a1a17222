"""Draws checked from the database, and written to a file that anybody can check.

Owns the file's form. Refuses to write a seed, a number or a receipt of an epoch that is open; to
check one, it asks for the seed itself.
"""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from core import ids
from members.members import MEMBERS
from programs.models import Program
from rewards.luck import keeping, receipts
from rewards.luck.checking import Checker
from rewards.luck.keeping import Chain, SeedLostError
from rewards.luck.models import EPOCHS, LEAVES
from rewards.surprises.carried import DRAWS
from storefront.fairness import showing

FORMAT = "dangol-draws"
VERSION = 1
_ROWS = 2000
_D, _E, _L = DRAWS.c, EPOCHS.c, LEAVES.c


def verify(connection: sa.Connection, program_id: bytes | None) -> dict[str, Any]:
    """Check every draw of one program, or of all; needs one consistent read transaction."""
    _prepare(connection)
    whole: dict[str, Any] = {"programs": 0, "epochs": 0, "receipts": 0, "sealed": 0, "faults": []}
    for owner in _programs(connection, program_id):
        report = _verify_one(connection, owner)
        shown = ids.show_id("prg", owner)
        whole["programs"] += 1
        whole["faults"] += [f"{shown} {one}" for one in report.pop("faults")]
        for name, count in report.items():
            whole[name] += count
    return whole


def _prepare(connection: sa.Connection) -> None:
    """Read whole tables: longer than a request may, and not by an index alone."""
    if connection.dialect.name == "postgresql":
        for setting in ("statement_timeout = 0", "enable_seqscan = on"):
            connection.exec_driver_sql(f"SET LOCAL {setting}")


def _programs(connection: sa.Connection, only: bytes | None) -> list[bytes]:
    if only is not None:
        return [only]
    statement = sa.select(Program.program_id).order_by(Program.program_id)
    return [bytes(one) for one in connection.execute(statement).scalars()]


def _verify_one(connection: sa.Connection, program_id: bytes) -> dict[str, Any]:
    merged = _merged(connection, program_id)
    checker = Checker(person_of=lambda ref: merged.get(ref, ref))
    known = {chain.number: chain for chain in keeping.list_all(connection, program_id)}
    for shown in showing.shown_chains(connection, program_id):
        checker.add_chain(shown)
    for epoch in _epochs(connection, program_id):
        seed = _seed(known[epoch["chain"]], epoch["place"])
        checker.begin_epoch(epoch, seed=seed)
        checker.compare_seed(seed)
        is_closed = epoch["state"] == "closed"
        read = _closed_receipts if is_closed else _open_receipts
        for receipt in read(connection, program_id, epoch["number"]):
            checker.add_receipt(receipt)
        checker.end_epoch()
        if is_closed:
            _find_unnumbered(connection, program_id, epoch["number"], checker)
    _find_sealed(connection, program_id, checker)
    return checker.shown()


def _seed(chain: Chain, place: int) -> bytes | None:
    try:
        return chain.seed_at(place)
    except SeedLostError:
        return None


def _merged(connection: sa.Connection, program_id: bytes) -> dict[str, str]:
    """References that are one member's now, by each but the first of them the first."""
    pairs = (
        sa.select(_D.member_id, _D.member_ref)
        .where(_D.program_id == program_id, _D.member_ref.is_not(None))
        .group_by(_D.member_id, _D.member_ref)
        .subquery()
    )
    several = sa.select(pairs.c.member_id).group_by(pairs.c.member_id).having(sa.func.count() > 1)
    rows = connection.execute(
        sa.select(pairs.c.member_id, pairs.c.member_ref)
        .where(pairs.c.member_id.in_(several))
        .order_by(pairs.c.member_id, pairs.c.member_ref)
    ).all()
    found: dict[str, str] = {}
    for _, group in itertools.groupby(rows, key=lambda row: bytes(row.member_id)):
        first, *others = (row.member_ref for row in group)
        found |= dict.fromkeys(others, first)
    return found


def _epochs(connection: sa.Connection, program_id: bytes) -> Iterator[dict[str, Any]]:
    """Every epoch as it is shown, the first one first."""
    statement = sa.select(EPOCHS).where(_E.program_id == program_id).order_by(_E.number)
    for row in connection.execute(statement).all():
        rules = showing.rules_of(connection, program_id, [row.number])
        yield showing.shown_epoch(row, rules.get(row.number, []))


def _closed_receipts(
    connection: sa.Connection, program_id: bytes, epoch: int
) -> Iterator[dict[str, Any]]:
    statement = showing.receipts_of(program_id, epoch)
    rows = connection.execute(statement, execution_options={"yield_per": _ROWS})
    return (showing.shown_receipt(dict(row)) for row in rows.mappings())


def _open_receipts(
    connection: sa.Connection, program_id: bytes, epoch: int
) -> Iterator[dict[str, Any]]:
    """Receipts that have no number yet: each by its id."""
    statement = (
        sa.select(DRAWS)
        .where(_D.program_id == program_id, _D.epoch == epoch)
        .order_by(_D.recorded_at, _D.id)
    )
    rows = connection.execute(statement, execution_options={"yield_per": _ROWS})
    for row in rows.mappings():
        yield {
            "rule": row["surprise_key"],
            "number": None,
            "id": ids.show_id(showing.PREFIX, bytes(row["id"])),
            "is_sealed": bool(row["is_erased"]),
            "body": None if row["is_erased"] else receipts.body_of(dict(row)),
            "body_hash": bytes(row["body_hash"]).hex(),
        }


def _find_unnumbered(
    connection: sa.Connection, program_id: bytes, epoch: int, checker: Checker
) -> None:
    """Draws of a closed epoch that are below no root."""
    is_its = sa.and_(_L.program_id == _D.program_id, _L.draw_id == _D.id, _L.epoch == _D.epoch)
    rows = connection.execute(
        sa.select(_D.id)
        .select_from(DRAWS.outerjoin(LEAVES, is_its))
        .where(_D.program_id == program_id, _D.epoch == epoch, _L.draw_id.is_(None))
    )
    for draw_id in rows.scalars():
        shown = ids.show_id(showing.PREFIX, bytes(draw_id))
        checker.note(f"epoch {epoch} {shown}", "is below no root")


def _find_sealed(connection: sa.Connection, program_id: bytes, checker: Checker) -> None:
    """Receipts whose bodies are gone although their members are not."""
    is_theirs = sa.and_(MEMBERS.c.program_id == _D.program_id, MEMBERS.c.id == _D.member_id)
    is_its = sa.and_(_L.program_id == _D.program_id, _L.draw_id == _D.id)
    rows = connection.execute(
        sa.select(_D.id, _D.epoch, _D.surprise_key, _L.number)
        .select_from(DRAWS.join(MEMBERS, is_theirs).outerjoin(LEAVES, is_its))
        .where(_D.program_id == program_id, _D.is_erased, MEMBERS.c.erased_at.is_(None))
        .order_by(_D.epoch, _D.id)
    )
    for draw_id, epoch, rule, number in rows:
        shown = f"#{number}" if number else ids.show_id(showing.PREFIX, bytes(draw_id))
        checker.note(f"epoch {epoch} {rule} {shown}", "is sealed, and its member is not erased")


def export(connection: sa.Connection, program_id: bytes, path: Path) -> dict[str, int]:
    """Write what is public of a program's draws to a new file: one JSON object, a receipt a line.

    FileExistsError when there is such a file; it is there whole or not at all.
    """
    _prepare(connection)
    if path.exists():
        raise FileExistsError(f"{path} exists and is not overwritten; name a new file")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            made = _write(connection, program_id, file.write)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return made


def _write(
    connection: sa.Connection, program_id: bytes, write: Callable[[bytes], Any]
) -> dict[str, int]:
    epochs = list(_epochs(connection, program_id))
    head = {
        "format": FORMAT,
        "version": VERSION,
        "program": ids.show_id("prg", program_id),
        "chains": showing.shown_chains(connection, program_id),
        "merged": _merged(connection, program_id),
        "epochs": epochs,
    }
    write(orjson.dumps(head)[:-1] + b',"receipts":[')
    count = 0
    for epoch in (one for one in epochs if one["state"] == "closed"):
        for receipt in _closed_receipts(connection, program_id, epoch["number"]):
            line = orjson.dumps({"epoch": epoch["number"]} | receipt)
            write((b",\n" if count else b"\n") + line)
            count += 1
    write(b"\n]}\n")
    return {"epochs": len(epochs), "receipts": count}

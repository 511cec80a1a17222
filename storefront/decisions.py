"""Decisions for the reader: facts, every rule with its outcome and condition, the arithmetic.

Conditions are explained when asked, from the pinned version and the pinned facts: both are fixed,
so the explanation is what was decided by.
"""

from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from core.errors import not_found
from loyalty import reading, records, showing
from loyalty.ledger.entries import default_change
from members import members
from programs import versions
from programs.compiled import Compiled
from programs.models import Decision
from programs.rules import Rule
from rules.conditions import first_unmet
from rules.outcomes import REASONS
from storefront.decide import Pinned
from storefront.standing import StoredOrder

DECISIONS: sa.Table = Decision.__table__  # type: ignore[assignment]


def show(connection: sa.Connection, program_id: bytes, decision_ref: str) -> dict[str, Any]:
    """A decision; 404 when the program has none with this id."""
    decision_id = ids.read_id("dec", decision_ref)
    row = (
        connection.execute(
            sa.select(DECISIONS).where(
                DECISIONS.c.program_id == program_id, DECISIONS.c.id == decision_id
            )
        ).first()
        if decision_id
        else None
    )
    if row is None:
        raise not_found("decision")
    program = versions.get_compiled(connection, program_id, row.version)
    member_ref = _signed_up(connection, program_id, row.source_type, row.member_id)
    facts, outcomes = jsontext.parse(row.facts), jsontext.parse(row.outcomes)
    flat = {**facts["member"], **facts.get("order", {}), **facts.get("own", {})}
    whole = {**flat, **facts.get("order_whole", {})}
    trigger = facts.get("trigger", row.source_type)
    rules = {rule.key: rule for rule in program.rules_of(trigger)}
    return {
        "id": decision_ref,
        "source": {"type": row.source_type, "ref": member_ref or row.source_ref},
        "member_id": ids.show_id("mem", bytes(row.member_id)) if row.member_id else None,
        "version": row.version,
        "facts": flat,
        "lines": _lines(facts),
        "tier": facts.get("tier"),
        "outcomes": [
            _outcome(one, rules.get(one["rule"]), facts=flat, whole=whole)
            for one in outcomes["rules"]
        ],
        "arithmetic": [_arithmetic(one) for one in outcomes["arithmetic"]],
        "qualifying_points": outcomes["qualifying_points"],
        "effective_at": clock.format_instant(row.effective_at),
        "recorded_at": clock.format_instant(row.recorded_at),
    }


def _signed_up(
    connection: sa.Connection, program_id: bytes, source_type: str, member_id: bytes | None
) -> str | None:
    """The storefront's reference of whose signup it was, as far as there still is one."""
    if source_type != "signup" or member_id is None:
        return None
    row = members.get_row(connection, program_id, bytes(member_id))
    return None if row["erased_at"] is not None else str(row["member_ref"])


def _lines(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"line_ref": ref, "quantity": quantity, "net_minor": net, "earning_minor": earning}
        for ref, quantity, net, earning in facts.get("lines", ())
    ]


def _outcome(
    stored: dict[str, Any], rule: Rule | None, *, facts: dict[str, Any], whole: dict[str, Any]
) -> dict[str, Any]:
    shown = dict(stored)
    reason = shown.get("reason")
    if reason is not None:
        shown.setdefault("detail", REASONS[reason])
    if rule is not None:
        shown["conditions"] = rule.when.explain(whole if rule.is_kept_on_refund else facts)
        if reason == "condition_not_met":
            shown["unmet"] = first_unmet(shown["conditions"])
    return shown


def _arithmetic(stored: dict[str, Any]) -> dict[str, Any]:
    return stored | {
        "breakdown": [
            {"rule": rule, "points": points, "detail": detail}
            for rule, points, detail in stored["breakdown"]
        ]
    }


def show_entry(connection: sa.Connection, program_id: bytes, entry_ref: str) -> dict[str, Any]:
    """An entry with its decision and the lots it touched; 404 when there is none with this id."""
    entry_id = ids.read_id("ent", entry_ref)
    row = reading.find_entry(connection, program_id, entry_id) if entry_id else None
    if row is None:
        raise not_found("entry")
    member_ref = _signed_up(connection, program_id, row["source_type"], row["member_id"])
    shown = showing.show_entry(row, member_ref=member_ref)
    shown["decision"] = (
        show(connection, program_id, shown["decision_id"]) if shown["decision_id"] else None
    )
    shown["adjustment"] = None
    if row["source_type"] == "adjustment":
        found = records.reasons(connection, program_id, [row])
        shown["adjustment"] = found.get(row["source_ref"])
    shown["lots"] = _touched(connection, program_id, row)
    return shown


def _touched(connection: sa.Connection, program_id: bytes, row: Any) -> list[dict[str, Any]]:
    """Every lot that an entry changed, with what it changed of each."""
    if row["is_split"]:
        changes = reading.read_allocations(connection, program_id, bytes(row["id"]))
    else:
        move = (row["from_bucket"], row["to_bucket"])
        changes = [(bytes(row["lot_id"]), *default_change(move, row["points"]), None, None)]
    lots = {
        lot.id: lot
        for lot in reading.Stored(connection, program_id).lots_by_id([one[0] for one in changes])
    }
    return [
        showing.show_lot(lots[lot_id])
        | {
            "change": remaining,
            "held_change": held,
            "for_lot_id": None if for_lot_id is None else ids.show_id("lot", for_lot_id),
        }
        for lot_id, remaining, held, for_lot_id, _ in changes
    ]


def pinned_before(connection: sa.Connection, program_id: bytes, stored: StoredOrder) -> Pinned:
    """What a stored decision pinned."""
    assert stored.version is not None and stored.facts is not None
    facts = jsontext.parse(stored.facts)
    program = versions.get_compiled(connection, program_id, stored.version)
    return Pinned(program, facts["member"], facts["tier"]["key"], facts["tier"]["metric_before"])


def find_pinned(
    connection: sa.Connection, program_id: bytes, decision_id: bytes
) -> tuple[Compiled, dict[str, Any]]:
    """The program and the member's facts that a decision pinned."""
    row = connection.execute(
        sa.select(DECISIONS.c.version, DECISIONS.c.facts).where(
            DECISIONS.c.program_id == program_id, DECISIONS.c.id == decision_id
        )
    ).one()
    program = versions.get_compiled(connection, program_id, row.version)
    return program, jsontext.parse(row.facts)["member"]

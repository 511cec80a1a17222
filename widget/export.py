"""Everything that is held on a member, for themselves, as one JSON object.

Streamed: each list is read a few rows at a time, by short reads of their own. Holds what was told
of the member and what came of it; leaves out what would tell of others: who of the staff acted,
their notes, and what things cost the organisation. docs/widget.md says what else is held and why
it is not here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from flask import Flask

from core import clock, db, ids, jsontext
from loyalty import reading, showing
from loyalty.ledger.rows import ENTRIES, LOTS
from loyalty.tiers.models import CHANGES
from members import erasing, members
from members.activities import ACTIVITIES
from members.members import Known
from orders.models import Order, OrderRefund
from orders.schemas import VOUCHER_IDS
from programs import versions
from programs.compiled import Compiled
from referrals import links, referrals
from referrals.carried import SIDES
from referrals.links import LINKS
from rewards import fulfilments, grants, payables, spending, vouchers
from rewards.carried import GRANTS, VOUCHERS
from rewards.models import Fulfilment
from rewards.payables import PAYABLES
from rewards.surprises.carried import DRAWS
from storefront import answers
from storefront.decisions import DECISIONS
from storefront.plan import begin
from storefront.surprising import giving, listing
from widget import me, redeeming
from widget.texts import Reader

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
REFUNDS: sa.Table = OrderRefund.__table__  # type: ignore[assignment]
FULFILMENTS: sa.Table = Fulfilment.__table__  # type: ignore[assignment]
_ROWS = 200
_INSTANTS = ("placed_at", "paid_at", "fulfilled_at", "cancelled_at", "refunded_at")

Shown = dict[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """Whose export it is, and what was read at once when it was asked for. `everyone` are the
    member and whoever was merged into them: one person."""

    live: Compiled
    now: clock.Instant
    member_id: bytes
    everyone: tuple[bytes, ...]
    reader: Reader
    member_ref: str
    head: Shown


def prepare(connection: sa.Connection, program_id: bytes, member_id: bytes) -> Export:
    """What is not read in parts."""
    known = me.known_by(connection, program_id, member_id)
    live, now = versions.get_live(connection, program_id)
    everyone = erasing.everyone(connection, program_id, known.id)
    reader = Reader(live, known.locale)
    head = _head(connection, live, known, reader=reader, now=now, everyone=everyone)
    return Export(live, now, known.id, tuple(everyone), reader, known.member_ref, head)


def _head(
    connection: sa.Connection,
    live: Compiled,
    known: Known,
    *,
    reader: Reader,
    now: clock.Instant,
    everyone: list[bytes],
) -> Shown:
    program_id = live.program_id
    plan = begin(connection, live, now=now, is_quote=True)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    row = members.get_row(connection, program_id, known.id)
    told = members.show(row, members.list_consents(connection, program_id, known.id))
    references = set(erasing.references(connection, program_id, everyone))
    return {
        "exported_at": clock.format_instant(now),
        "program": live.name,
        "member": {
            **told,
            "created_at": clock.format_instant(row["created_at"]),
            "earlier_refs": sorted(references - {known.member_ref}),
        },
        "balances": me.balances(live, answers.balances(plan, known.id), reader),
        "cards": me.show_cards(connection, plan, known, reader),
    }


def write(app: Flask, export: Export) -> Iterator[bytes]:
    """The export as one JSON object, in parts. Whoever sends it on has long left the request:
    each read has the application alone."""
    yield jsontext.write(export.head)[:-1]
    for name, read in _SECTIONS.items():
        yield f',"{name}":['.encode()
        separator, after = b"", None
        while True:
            with app.app_context():
                rows, after = db.reading(partial(read, export=export, after=after))
            for row in rows:
                yield separator + jsontext.write(row)
                separator = b","
            if after is None:
                break
        yield b"]"
    yield b"}"


Page = tuple[list[Shown], Any]
Read = Callable[..., Page]


def _each(table: sa.Table, show: Callable[[Export, Row], Shown], *only: Any) -> Read:
    """The rows of a table that are the member's, by id: the oldest first, and `only` these."""

    def read(connection: sa.Connection, *, export: Export, after: Any) -> Page:
        where = [
            table.c.program_id == export.live.program_id,
            table.c.member_id.in_(export.everyone),
            *only,
        ]
        if after is not None:
            where.append(table.c.id > after)
        statement = sa.select(table).where(*where).order_by(table.c.id).limit(_ROWS)
        rows = [dict(row) for row in connection.execute(statement).mappings()]
        last = bytes(rows[-1]["id"]) if len(rows) == _ROWS else None
        return [show(export, row) for row in rows], last

    return read


def _orders(connection: sa.Connection, *, export: Export, after: Any) -> Page:
    """Orders with what was told of their refunds."""
    shown, last = _each(ORDERS, _order)(connection, export=export, after=after)
    by_ref = {one["order_ref"]: one for one in shown}
    refunds = connection.execute(
        sa.select(REFUNDS)
        .where(REFUNDS.c.program_id == export.live.program_id, REFUNDS.c.order_ref.in_(by_ref))
        .order_by(REFUNDS.c.order_ref, REFUNDS.c.refund_ref)
    ).mappings()
    for row in refunds:
        told = _told(jsontext.parse(row["body"]))
        by_ref[row["order_ref"]]["refunds"].append({**told, "refund_ref": row["refund_ref"]})
    return shown, last


def _order(_: Export, row: Row) -> Shown:
    return {
        **_told(jsontext.parse(row["snapshot"])),
        "id": ids.show_id("ord", bytes(row["id"])),
        "order_ref": row["order_ref"],
        "net_minor": row["net_minor"],
        "refunded_minor": row["refunded_minor"],
        "refunds": [],
    }


def _told(body: Shown) -> Shown:
    """What a storefront told, with its instants as it told them; whose it is, is known."""
    return {
        name: clock.format_instant(value) if name in _INSTANTS and value is not None else value
        for name, value in body.items()
        if name not in ("member_ref", VOUCHER_IDS)
    }


def _activity(_: Export, row: Row) -> Shown:
    return {
        "activity_ref": row["activity_ref"],
        "kind": row["kind"],
        "status": row["status"],
        "occurred_at": clock.format_instant(row["occurred_at"]),
        "facts": jsontext.parse(row["facts"]),
    }


def _entry(export: Export, row: Row) -> Shown:
    shown = showing.show_entry(row, export.live, member_ref=export.member_ref)
    return export.reader.only(shown, me.ENTRY)


def _lot(_: Export, row: Row) -> Shown:
    return {
        "id": ids.show_id("lot", bytes(row["id"])),
        "points_key": row["points_key"],
        "points": row["points"],
        "remaining": row["remaining"],
        "earned_at": clock.format_instant(row["earned_at"]),
        "available_at": _instant(row["available_at"]),
        "expires_at": _instant(row["expires_at"]),
    }


def _tier_change(_: Export, row: Row) -> Shown:
    return {
        "from": row["from_key"],
        "to": row["to_key"],
        "kind": row["kind"],
        "cause": row["cause"],
        "effective_at": clock.format_instant(row["effective_at"]),
        "recorded_at": clock.format_instant(row["recorded_at"]),
    }


def _decision(_: Export, row: Row) -> Shown:
    """What was known of the member when it was decided what they get."""
    return {
        "id": ids.show_id("dec", bytes(row["id"])),
        "source": {"type": row["source_type"], "ref": row["source_ref"]},
        "facts": jsontext.parse(row["facts"]).get("member", {}),
        "effective_at": clock.format_instant(row["effective_at"]),
        "recorded_at": clock.format_instant(row["recorded_at"]),
    }


def _redemptions(connection: sa.Connection, *, export: Export, after: Any) -> Page:
    query = {"limit": 100} if after is None else {"limit": 100, "cursor": after}
    program_id = export.live.program_id
    page = redeeming.find_all(connection, program_id, export.member_id, query)
    return page["data"], page["next_cursor"]


def _grant(_: Export, row: Row) -> Shown:
    return {
        "id": ids.show_id(grants.PREFIX, bytes(row["id"])),
        "reward": row["reward_key"],
        "state": row["state"],
        "source": {"type": row["source_type"], "ref": row["source_ref"]},
        "granted_at": clock.format_instant(row["granted_at"]),
        "expires_at": _instant(row["expires_at"]),
        "ended_at": _instant(row["ended_at"]),
    }


def _voucher(export: Export, row: Row) -> Shown:
    voucher = vouchers.row_of(tuple(row.values()))
    is_bound = voucher.state not in vouchers.UNBOUND
    return {
        "id": ids.show_id(vouchers.PREFIX, voucher.id),
        "kind": voucher.kind,
        "reward": voucher.reward_key,
        "state": vouchers.state_of(voucher, export.now),
        "origin": voucher.origin,
        "code": vouchers.shown(voucher)["code"] if is_bound else None,
        "value_minor": voucher.value_minor,
        "remaining_minor": spending.left_of(voucher) if vouchers.is_stored_value(voucher) else None,
        "issued_at": clock.format_instant(voucher.issued_at),
        "expires_at": _instant(voucher.expires_at),
        "ended_at": _instant(voucher.ended_at),
    }


def _fulfilment(_: Export, row: Row) -> Shown:
    return {
        "id": ids.show_id(fulfilments.PREFIX, bytes(row["id"])),
        "reward": row["reward_key"],
        "state": row["state"],
        "carrier": row["carrier"],
        "tracking": row["tracking"],
        "requested_at": clock.format_instant(row["requested_at"]),
        "shipped_at": _instant(row["shipped_at"]),
        "delivered_at": _instant(row["delivered_at"]),
        "cancelled_at": _instant(row["cancelled_at"]),
    }


def _payable(_: Export, row: Row) -> Shown:
    return {
        "id": ids.show_id(payables.PREFIX, bytes(row["id"])),
        "minor": row["minor"],
        "currency": row["currency"],
        "source": {"type": row["source_type"], "ref": row["source_ref"]},
        "effective_at": clock.format_instant(row["effective_at"]),
        "is_exported": row["exported_by"] is not None,
    }


def _link(_: Export, row: Row) -> Shown:
    return {
        "id": ids.show_id(links.PREFIX, bytes(row["id"])),
        "offer": row["offer_key"],
        "code": row["code"],
        "created_at": clock.format_instant(row["created_at"]),
    }


def _side(_: Export, row: Row) -> Shown:
    """The member's own side of a referral, and of the other nothing."""
    return {
        "id": ids.show_id(referrals.PREFIX, bytes(row["referral_id"])),
        "side": row["side"],
        "state": row["state"],
        "first_rewarded_at": _instant(row["first_rewarded_at"]),
    }


def _surprise(_: Export, row: Row) -> Shown:
    """What the member won. Chances that came to nothing tell of the organisation's tests."""
    return {
        "id": ids.show_id(giving.PREFIX, bytes(row["id"])),
        "state": "won" if row["stands"] else "taken_back",
        "source": {"type": row["source_type"], "ref": row["source_ref"]},
        "won_at": clock.format_instant(row["drawn_at"]),
        "recorded_at": clock.format_instant(row["recorded_at"]),
        "seen_at": _instant(row["seen_at"]),
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else clock.format_instant(at)


_SECTIONS: dict[str, Read] = {
    "entries": _each(ENTRIES, _entry),
    "lots": _each(LOTS, _lot),
    "orders": _orders,
    "activities": _each(ACTIVITIES, _activity),
    "tier_changes": _each(CHANGES, _tier_change),
    "redemptions": _redemptions,
    "grants": _each(GRANTS, _grant),
    "vouchers": _each(VOUCHERS, _voucher),
    "fulfilments": _each(FULFILMENTS, _fulfilment),
    "payables": _each(PAYABLES, _payable),
    "links": _each(LINKS, _link),
    "referrals": _each(SIDES, _side),
    "surprises": _each(DRAWS, _surprise, *listing.WON),
    "decisions": _each(DECISIONS, _decision),
}

"""Why: what became of each rule when something happened to a member, and what would have changed
it.

Reads only. An order that belongs to nobody is decided for the member as if it were told now;
everything else is told as it was decided. Refuses sources that are not the member's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from core.errors import invalid_at, not_found
from loyalty import showing
from loyalty.ledger.rows import ENTRIES
from loyalty.tiers.models import TierChange
from members import aliases, members
from members.members import Known
from orders.refunds import fold
from programs import versions
from programs.compiled import Compiled
from programs.referrals import TRIGGER as REFERRAL_QUALIFIED
from storefront import quotes
from storefront import telling as tellings
from storefront.activities import activity_answers
from storefront.decisions import DECISIONS, Told, told_of
from storefront.explanations import missed_days, redeemed, referred, surprised
from storefront.orders import ORDERS

#: What can be asked about; a signup needs no reference.
SOURCES = (
    *("order", "activity", "signup", "birthday", "anniversary", "tier", "card"),
    *referred.TYPES,
    surprised.SOURCE_TYPE,
)
#: The triggers of sources that are not called as they are.
TRIGGERS = {
    "tier": "tier_entered",
    "card": "card_completed",
    "referral": REFERRAL_QUALIFIED,
}
TIER_CHANGES: sa.Table = TierChange.__table__  # type: ignore[assignment]
_ENTRIES_MAX = 200


def explain(
    connection: sa.Connection, program_id: bytes, member_ref: str, source: str
) -> dict[str, Any]:
    """Every rule with its outcome for one source of a member; 404 when there is no such source."""
    known = members.get(connection, program_id, member_ref)
    kind, _, ref = source.partition(":")
    if kind not in SOURCES or (not ref and kind != "signup"):
        raise invalid_at(
            "?source", f"must be type:reference with one of {', '.join(SOURCES)}, as order:A-1"
        )
    if kind == "signup":
        ref = ids.show_id(members.PREFIX, known.id)
    if kind in ("order", "activity"):
        ref = _resolved(connection, program_id, kind, ref)
    told = (
        _of_order(connection, program_id, known, ref)
        if kind == "order"
        else _latest(connection, program_id, known.id, kind, ref)
    )
    if told is not None:
        return _shown(connection, program_id, known, told, is_hypothetical=told.id is None)
    live, now = versions.get_live(connection, program_id)
    if not _happened(connection, live, known, source=(kind, ref), now=now):
        raise not_found(kind)
    return _shown(connection, program_id, known, _undecided(live, kind, ref), is_hypothetical=False)


def _resolved(connection: sa.Connection, program_id: bytes, kind: str, ref: str) -> str:
    """The storefront's reference behind our own id of an order or activity."""
    if kind == "activity":
        return activity_answers.resolve(connection, program_id, ref)
    order_id = ids.read_id("ord", ref)
    if order_id is None:
        return ref
    found = connection.execute(
        sa.select(ORDERS.c.order_ref).where(
            ORDERS.c.program_id == program_id, ORDERS.c.id == order_id
        )
    ).scalar()
    if found is None:
        raise not_found("order")
    return str(found)


def _happened(
    connection: sa.Connection, live: Compiled, known: Known, *, source: tuple[str, str], now: int
) -> bool:
    """Whether there is such a source, though no rule was asked about it."""
    kind, ref = source
    if kind in ("birthday", "anniversary"):
        row = members.get_row(connection, live.program_id, known.id)
        return missed_days.is_due(connection, live, source=source, row=row, now=now)
    if kind == "tier":
        entered = sa.select(TIER_CHANGES.c.id).where(
            TIER_CHANGES.c.program_id == live.program_id,
            TIER_CHANGES.c.member_id == known.id,
            TIER_CHANGES.c.to_key == ref,
        )
        return connection.execute(entered.limit(1)).first() is not None
    if kind == surprised.SOURCE_TYPE:
        return surprised.find(connection, live.program_id, known.id, ref) is not None
    if kind == "referral":
        return referred.is_known(connection, live.program_id, known, ref)
    return kind == "signup"


def _undecided(live: Compiled, kind: str, ref: str) -> Told:
    """Of what no rule listened to when it happened."""
    outcomes: dict[str, Any] = {"rules": [], "arithmetic": []}
    return Told(None, live, kind, ref, TRIGGERS.get(kind, kind), {"member": {}}, outcomes)


def _of_order(
    connection: sa.Connection, program_id: bytes, known: Known, order_ref: str
) -> Told | None:
    row = connection.execute(
        sa.select(ORDERS.c.member_id, ORDERS.c.decision_id, ORDERS.c.snapshot).where(
            ORDERS.c.program_id == program_id, ORDERS.c.order_ref == order_ref
        )
    ).first()
    if row is None:
        return None
    if row.member_id is None:
        return _as_if(connection, program_id, known, order_ref, row.snapshot)
    if bytes(row.member_id) != known.id or row.decision_id is None:
        return None
    return _decided(connection, program_id, DECISIONS.c.id == row.decision_id)


def _as_if(
    connection: sa.Connection, program_id: bytes, known: Known, order_ref: str, snapshot: str
) -> Told:
    """What a guest's order would be for the member."""
    live, now = versions.get_live(connection, program_id)
    refunds = tellings.read_refunds(connection, program_id, order_ref)
    body = fold(jsontext.parse(snapshot), [one for one in refunds if one.is_applied]).body
    cart = {**body, "placed_at": min(body["placed_at"], now)}
    quoted = quotes.decide_cart(connection, live, now, cart=cart, member=known)
    return quoted.told(order_ref)


def _latest(
    connection: sa.Connection, program_id: bytes, member_id: bytes, kind: str, ref: str
) -> Told | None:
    """The last decision on a source; a level may be entered again, a card completed again."""
    return _decided(
        connection,
        program_id,
        DECISIONS.c.member_id == member_id,
        DECISIONS.c.source_type == kind,
        DECISIONS.c.source_ref == ref,
    )


def _decided(connection: sa.Connection, program_id: bytes, *where: Any) -> Told | None:
    row = connection.execute(
        sa.select(DECISIONS)
        .where(DECISIONS.c.program_id == program_id, *where)
        .order_by(DECISIONS.c.recorded_at.desc(), DECISIONS.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else told_of(connection, program_id, row)


def _shown(
    connection: sa.Connection,
    program_id: bytes,
    known: Known,
    told: Told,
    *,
    is_hypothetical: bool,
) -> dict[str, Any]:
    live, _ = versions.get_live(connection, program_id)
    entries = _entries(connection, program_id, known.id, told)
    ref = known.member_ref if told.source_type == "signup" else told.source_ref
    source = (told.source_type, told.source_ref)
    against = referred.summary(connection, program_id, known, source)
    surprises = told.surprised()
    if told.source_type == surprised.SOURCE_TYPE:
        receipt = surprised.find(connection, program_id, known.id, told.source_ref)
        surprises += [] if receipt is None else [surprised.of_receipt(receipt)]
        if receipt is not None and not receipt.row["stands"]:
            against = surprised.summary(receipt)
    named = redeemed.names(connection, program_id, live.currency, entries)
    return {
        "source": {"type": told.source_type, "ref": ref},
        "member_ref": known.member_ref,
        "summary": against or told.summary,
        "is_hypothetical": is_hypothetical,
        "decision_id": None if told.id is None else ids.show_id("dec", told.id),
        "version": told.program.version,
        "trigger": told.shown_trigger,
        "tier": told.tier(),
        "rules": told.explained(),
        "surprises": surprises,
        "arithmetic": told.arithmetic(),
        "entries": [
            showing.show_entry(
                row, live, member_ref=known.member_ref, pinned=told.program, named=named
            )
            for row in entries
        ],
        "earned": _sums(entries, ("earn", "restore")),
        "reversed": _sums(entries, ("claw_back",)),
    }


def _entries(
    connection: sa.Connection, program_id: bytes, member_id: bytes, told: Told
) -> list[Any]:
    """The entries of the source, in the order in which they were recorded."""
    # What was earned before a merge stands in the books of whom it was earned by.
    others = aliases.merged_ids(connection, program_id, member_id)
    rows = connection.execute(
        sa.select(ENTRIES)
        .where(
            ENTRIES.c.program_id == program_id,
            ENTRIES.c.member_id.in_([member_id, *others]),
            ENTRIES.c.source_type == told.source_type,
            ENTRIES.c.source_ref == told.source_ref,
        )
        .order_by(ENTRIES.c.recorded_at, ENTRIES.c.id)
        .limit(_ENTRIES_MAX)
    )
    return list(rows.mappings())


def _sums(entries: Sequence[Mapping[str, Any]], kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """Points of entries of these kinds that came for the source or went back, by kind of points;
    what was spent and came back is neither."""
    found: dict[str, int] = {}
    for row in entries:
        if row["kind"] in kinds and row["from_bucket"] != "spent":
            found[row["points_key"]] = found.get(row["points_key"], 0) + row["points"]
    return [{"points_key": key, "points": points} for key, points in found.items()]

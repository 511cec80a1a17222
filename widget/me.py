"""A member's own account, as they see it: who they are, what they have, where they stand.

Everything is that of the member of the token, in their locale. Refuses what staff keeps about them
(attributes, actors, reasons, decisions): it names every field that it shows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import auth, clock, ids, paging
from loyalty import reading, showing
from loyalty.tiers import showing as tiers
from members import members
from members.members import Known
from programs import versions
from programs.compiled import Compiled
from storefront import answers, cards, reads
from storefront.explanations import redeemed
from storefront.granting import entitlements
from storefront.membership import signup
from storefront.plan import Plan, begin
from widget import catalogue, surprises
from widget.texts import Reader

Shown = dict[str, Any]

MEMBER = (
    *("id", "member_ref", "name", "email", "phone", "birthday_on", "locale", "card_ref"),
    *("is_enrolled", "joined_at", "consents"),
)
_BALANCE = ("points_key", "available", "pending", "held", "lifetime_earned", "expiring")
_TIER = (*("key", "name", "since", "until", "grace_until", "at_risk", "projected", "progress"),)
_CARD = (
    *("key", "name", "stamps", "required", "completed_count", "first_stamp_at", "expires_at"),
    "state",
)
_PERK = ("perk", "name", "until", "source")
ENTRY = (
    *("id", "seq", "kind", "points", "points_key", "from", "to", "available_after"),
    *("effective_at", "recorded_at", "source", "summary"),
)
#: Where consents come from that are given here and say nothing else.
SOURCE = "widget"


def known_by(
    connection: sa.Connection, program_id: bytes, member_id: bytes, *, is_locking: bool = False
) -> Known:
    """The member of a token; 401 where they were erased since it was read."""
    shown = ids.show_id(members.PREFIX, member_id)
    known = members.find(connection, program_id, shown, is_locking=is_locking)
    if known is None or known.is_erased:
        raise auth.unauthorised("invalid_credentials", "This token is not one of ours.")
    return known


def account(connection: sa.Connection, program_id: bytes, member_id: bytes) -> Shown:
    """Everything at a glance, as of the program's clock."""
    known = known_by(connection, program_id, member_id)
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    reader = Reader(live, known.locale)
    row = members.get_row(connection, program_id, known.id)
    shown = members.show(row, members.list_consents(connection, program_id, known.id))
    seen = signup.seen_now(connection, plan, known.id)
    entitled = tiers.entitlements(seen.standing) + entitlements.of(connection, plan, known.id)
    return {
        "member": {
            **{field: shown[field] for field in MEMBER},
            "entitlements": [reader.only(one, _PERK) for one in entitled],
        },
        "locale": reader.locale,
        "balances": balances(plan.live, answers.balances(plan, known.id), reader),
        "expiring": _expiring(plan, known),
        "tier": reader.only(tiers.show(live, seen), _TIER),
        "cards": show_cards(connection, plan, known, reader),
        "next_reward": catalogue.nearest(connection, plan, known, reader),
        "surprises": surprises.unseen(connection, plan, known, reader),
    }


def balances(live: Compiled, shown: Sequence[Mapping[str, Any]], reader: Reader) -> list[Shown]:
    """Balances with what each kind of points is called."""
    kinds = {kind.key: kind.name for kind in live.points}
    return [
        {
            "name": reader.name(kinds.get(one["points_key"]), one["points_key"]),
            **reader.only(one, _BALANCE),
        }
        for one in shown
    ]


def show_cards(connection: sa.Connection, plan: Plan, known: Known, reader: Reader) -> list[Shown]:
    """The member's cards; a paused one only when there is something on it."""
    return [
        reader.only(one, _CARD) | {"name": reader.name(one["name"], one["key"])}
        for one in cards.show(connection, plan, known.id)
        if one["state"] != "paused" or one["stamps"] or one["completed_count"]
    ]


def _expiring(plan: Plan, known: Known) -> list[Shown]:
    """What expires of any kind of points, the soonest first."""
    found = [
        {"points_key": one["points_key"], **date}
        for one in answers.balances(plan, known.id)
        for date in one["expiring"]
    ]
    return sorted(
        found, key=lambda one: (clock.parse_instant(one["expires_at"]), one["points_key"])
    )


def rewards(connection: sa.Connection, program_id: bytes, member_id: bytes) -> Shown:
    """The rewards for the member, judged without a cart."""
    known = known_by(connection, program_id, member_id)
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    shown = catalogue.of_member(connection, plan, known, Reader(live, known.locale))
    return {"data": shown, "next_cursor": None}


def entries(
    connection: sa.Connection, program_id: bytes, member_id: bytes, query: Mapping[str, Any]
) -> Shown:
    """A page of the member's entries, newest first."""
    known = known_by(connection, program_id, member_id)
    live, _ = versions.get_live(connection, program_id)
    reads.check_key(connection, live, known.id, query.get("points_key"))
    cursor, limit = paging.read_cursor(query.get("cursor"), [int, str]), query["limit"]
    rows = reading.list_entries(
        connection,
        program_id,
        known.id,
        points_key=query.get("points_key"),
        before=(cursor[0], paging.read_id("ent", cursor[1])) if cursor else None,
        limit=limit,
    )
    reader = Reader(live, known.locale)
    named = redeemed.names(connection, program_id, live.currency, rows)
    return paging.page(
        rows,
        limit,
        key=lambda row: [row["recorded_at"], ids.show_id("ent", bytes(row["id"]))],
        show=lambda row: reader.only(
            showing.show_entry(row, live, member_ref=known.member_ref, named=named), ENTRY
        ),
    )


def change(
    connection: sa.Connection, program_id: bytes, member_id: bytes, body: Mapping[str, Any]
) -> Shown:
    """Set what a member may set of themselves; the account as it is then. What a changed birthday
    pays follows the rules that hold when a storefront tells it."""
    known = known_by(connection, program_id, member_id, is_locking=True)
    live, now = versions.get_live(connection, program_id)
    told = dict(body)
    if "consents" in told:
        told["consents"] = [{"at": now, "source": SOURCE, **one} for one in told["consents"]]
    signup.check(told, now)
    plan = begin(connection, live, now=now)
    signup.update(connection, plan, known, {name: told[name] for name in _SET if name in told})
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    plan.write(connection)
    _say(connection, program_id, known.id, told.get("consents", ()), now=now)
    return account(connection, program_id, known.id)


_SET = ("locale", "birthday_on")


def _say(
    connection: sa.Connection, program_id: bytes, member_id: bytes, consents: Any, *, now: Any
) -> None:
    """Append consents that say something new: what was said last is not said again."""
    last = {
        (one.purpose, one.channel): (bool(one.is_granted), one.text_version, one.at)
        for one in members.list_consents(connection, program_id, member_id)
    }
    for one in consents:
        key = (one["purpose"], one["channel"])
        said = (one["is_granted"], one["text_version"])
        before = last.get(key)
        if before is not None and before[:2] == said:
            continue
        last[key] = (*said, one["at"])
        members.append_consents(connection, program_id, member_id, [one], now=now)

"""A member's own surprises: what they won that stands, in their locale, and which they have seen.

Chances that came to nothing are not among it, so nothing says who is held out, what a budget has
left, or how likely anything was. Without a name a surprise is just one: its key is not shown.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock, ids
from members.members import Known
from programs import versions
from programs.compiled import Compiled
from rewards.carried import Row
from storefront.explanations.surprised import Drawn
from storefront.plan import Plan, begin
from storefront.surprising import giving, listing, showing
from widget.texts import Reader

Shown = dict[str, Any]

#: So many unseen ones are told with the account; the list has them all.
UNSEEN_MAX = 20


def unseen(connection: sa.Connection, plan: Plan, known: Known, reader: Reader) -> list[Shown]:
    """The surprises that the member has not seen yet, newest first."""
    rows = listing.unseen(connection, plan, known.id, limit=UNSEEN_MAX)
    return [_shown(plan, row, reader) for row in rows]


def find_all(
    connection: sa.Connection, program_id: bytes, *, known: Known, query: Mapping[str, Any]
) -> Shown:
    """A page of what the member won that stands, newest first."""
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    reader = Reader(live, known.locale)

    def show(plan: Plan, drawn: Drawn) -> Shown:
        return _shown(plan, Row(dict(drawn.row)), reader)

    return listing.page(connection, plan, known.id, query, where=listing.STANDING, show=show)


def see(
    connection: sa.Connection, program_id: bytes, *, known: Known, surprise_id: str
) -> tuple[Shown, int]:
    """Note that the member, who is locked, saw one; without its note and its codes, for this
    answer is stored."""
    live, now = versions.get_live(connection, program_id)
    row = listing.see(connection, begin(connection, live, now=now), known.id, surprise_id)
    shown = {
        "id": ids.show_id(giving.PREFIX, row.id),
        "is_seen": True,
        "seen_at": clock.format_instant(row.seen_at),
    }
    return {"surprise": shown}, 200


def _shown(plan: Plan, row: Row, reader: Reader) -> Shown:
    won = showing.won(plan, row)
    return {
        "id": won["draw_id"],
        "name": reader.text(won["name"]),
        "note": reader.text(won["note"]),
        "points": [_points(plan.live, one, reader) for one in won["awards"]],
        "rewards": [_reward(plan.live, one, reader) for one in won["grants"]],
        "cash": [
            {"minor": one["minor"], "currency": plan.live.currency} for one in won["payables"]
        ],
        "source": won["source"],
        "won_at": won["won_at"],
        "is_seen": row.seen_at is not None,
    }


def _points(live: Compiled, award: Mapping[str, Any], reader: Reader) -> Shown:
    kind = live.kind(award["points_key"])
    name = reader.name(None if kind is None else kind.name, award["points_key"])
    fields = ("points_key", "points", "state", "available_at", "expires_at")
    return {"name": name, **reader.only(award, fields)}


def _reward(live: Compiled, grant: Mapping[str, Any], reader: Reader) -> Shown:
    reward = live.catalogue.find(grant["reward"])
    name = reader.name(None if reward is None else reward.name, grant["reward"])
    fields = ("id", "reward", "state", "voucher", "expires_at")
    return {"name": name, **reader.only(grant, fields)}

"""Whom a member brought: their referrals by state, what these earned them that stands, milestones.

Refuses to write, and to name friends: of them it shows no more than tells them apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, ids, paging
from core.errors import not_found
from loyalty.ledger.rows import LOTS
from members import members
from members.members import MEMBERS
from programs import versions
from programs.compiled import Compiled
from programs.referrals import Milestone
from referrals import referrals
from referrals.carried import MILESTONES, REFERRALS, SIDES
from rewards.carried import GRANTS
from rewards.payables import PAYABLES
from storefront.cards import STAMPS

#: States of a referral, in the order in which it passes through them.
STATES = ("identified", "qualified", "on_hold", "in_review", "approved", "rejected", "expired")
#: States in which a referral brings nobody anything, as it stands.
OVER = ("rejected", "expired")
#: States of the advocate's side that are counted.
SIDE_STATES = ("rewarded", "capped", "clawed_back")
#: What stands of grants.
_GIVEN = ("open", "used")
_SHOWN = 2
_R = REFERRALS.c

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Count:
    """So many friends are in a state for a reason, all of whom have qualified or none."""

    state: str
    reason: str | None
    has_qualified: bool
    count: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of referrals with their friends' references and the advocate's sides, one more than
    asked for; `first` is the number of the first row among all of the advocate's, the oldest of
    which is 1."""

    rows: Sequence[sa.RowMapping]
    first: int


def list_brought(
    connection: sa.Connection, program_id: bytes, member_ref: str, query: Mapping[str, Any]
) -> Shown:
    """What a member brought, with a page of their referrals, newest first."""
    known = members.get(connection, program_id, member_ref)
    if known.is_erased:
        raise not_found("member")
    live, _ = versions.get_live(connection, program_id)
    counted = dict.fromkeys((*STATES, *SIDE_STATES, "standing"), 0)
    for one in counts(connection, program_id, known.id):
        counted[one.state] += one.count
    counted |= _counts_of_sides(connection, program_id, known.id)
    found = page(connection, program_id, known.id, query)
    return {
        "brought_by": _brought_by(connection, program_id, known.id),
        "counts": counted,
        **came_of(connection, live, known.id),
        **paging.page(found.rows, query["limit"], key=cursor_of, show=_shown),
    }


def _brought_by(connection: sa.Connection, program_id: bytes, member_id: bytes) -> Shown | None:
    """The member's own referral, if there is one."""
    row = connection.execute(
        sa.select(_R.id, _R.state, _R.offer_key, MEMBERS.c.member_ref, MEMBERS.c.erased_at)
        .join(
            MEMBERS,
            sa.and_(MEMBERS.c.program_id == _R.program_id, MEMBERS.c.id == _R.advocate_id),
        )
        .where(_R.program_id == program_id, _R.friend_id == member_id)
    ).first()
    if row is None:
        return None
    return {
        "id": ids.show_id(referrals.PREFIX, bytes(row.id)),
        "state": row.state,
        "offer": row.offer_key,
        "advocate": None if row.erased_at is not None else masked(row.member_ref),
    }


def came_of(connection: sa.Connection, live: Compiled, member_id: bytes) -> Shown:
    """What a member's referrals came to: how many paid them, what stands of that, milestones."""
    reached = milestones(connection, live, member_id)
    open_ = [one for one in reached if one["missing"]]
    # The nearest one; of several that are as near, the first of the document.
    following = min(open_, key=lambda one: one["missing"], default=None)
    return {
        "rewarded": _rewarded(connection, live.program_id, member_id),
        "rewards": rewards(connection, live, member_id),
        "milestones": reached,
        "next_milestone": None
        if following is None
        else {name: following[name] for name in ("offer", "at", "missing")},
    }


def counts(connection: sa.Connection, program_id: bytes, member_id: bytes) -> list[Count]:
    """How many friends of a member there are, by state and reason."""
    has_qualified = _R.qualified_at.is_not(None)
    rows = connection.execute(
        sa.select(_R.state, _R.reason, has_qualified, sa.func.count())
        .where(_R.program_id == program_id, _R.advocate_id == member_id)
        .group_by(_R.state, _R.reason, has_qualified)
    )
    return [Count(state, reason, bool(has), count) for state, reason, has, count in rows]


def _counts_of_sides(
    connection: sa.Connection, program_id: bytes, member_id: bytes
) -> dict[str, int]:
    """How many friends paid the member or did not, and how many stand as approved ones."""
    rows = connection.execute(
        sa.select(SIDES.c.state, sa.func.count())
        .where(
            SIDES.c.program_id == program_id,
            SIDES.c.member_id == member_id,
            SIDES.c.side == "advocate",
            SIDES.c.state.in_(SIDE_STATES),
        )
        .group_by(SIDES.c.state)
    )
    standing = connection.execute(
        sa.select(sa.func.count()).where(
            _R.program_id == program_id, _R.advocate_id == member_id, _R.stands
        )
    ).scalar_one()
    return dict(rows.tuples().all()) | {"standing": standing}


def page(
    connection: sa.Connection, program_id: bytes, member_id: bytes, query: Mapping[str, Any]
) -> Page:
    """A page of a member's referrals, newest first, and one more."""
    is_theirs = (_R.program_id == program_id, _R.advocate_id == member_id)
    after = paging.read_cursor(query.get("cursor"), [str])
    older = () if after is None else (_R.id < paging.read_id(referrals.PREFIX, after[0]),)
    is_friend = sa.and_(MEMBERS.c.program_id == _R.program_id, MEMBERS.c.id == _R.friend_id)
    is_own = sa.and_(
        SIDES.c.program_id == _R.program_id,
        SIDES.c.referral_id == _R.id,
        SIDES.c.side == "advocate",
    )
    rows = (
        connection.execute(
            sa.select(
                *(_R.id, _R.state, _R.reason, _R.offer_key, _R.channel, _R.bound_at),
                *(_R.qualified_at, _R.hold_until, _R.approved_at),
                *(MEMBERS.c.member_ref, MEMBERS.c.erased_at),
                *(SIDES.c.state.label("side_state"), SIDES.c.reason.label("side_reason")),
            )
            .join(MEMBERS, is_friend)
            .outerjoin(SIDES, is_own)
            .where(*is_theirs, *older)
            .order_by(_R.id.desc())
            .limit(query["limit"] + 1)
        )
        .mappings()
        .all()
    )
    first = connection.execute(
        sa.select(sa.func.count()).select_from(REFERRALS).where(*is_theirs, *older)
    ).scalar_one()
    return Page(rows, first)


def cursor_of(row: sa.RowMapping) -> list[str]:
    """What the page behind a row starts from."""
    return [ids.show_id(referrals.PREFIX, bytes(row["id"]))]


def _shown(row: sa.RowMapping) -> Shown:
    return {
        "id": ids.show_id(referrals.PREFIX, bytes(row["id"])),
        "state": row["state"],
        "reason": row["reason"],
        "friend": None if row["erased_at"] is not None else masked(row["member_ref"]),
        "offer": row["offer_key"],
        "channel": row["channel"],
        "bound_at": instant(row["bound_at"]),
        "qualified_at": instant(row["qualified_at"]),
        "hold_until": instant(row["hold_until"]),
        "approved_at": instant(row["approved_at"]),
        "side": None
        if row["side_state"] is None
        else {"state": side_in(row["state"], row["side_state"]), "reason": row["side_reason"]},
    }


def side_in(state: str, side_state: str) -> str:
    """The state of a side as it is shown: nothing waits where the referral came to nothing."""
    return "none" if state in OVER and side_state == "waiting" else side_state


def masked(reference: str) -> str:
    """A reference as it may be shown to whom it is not: its ends, or of a short one its first
    letter."""
    if len(reference) <= 3 * _SHOWN:
        return f"{reference[:1]}…"
    return f"{reference[:_SHOWN]}…{reference[-_SHOWN:]}"


def instant(at: int | None) -> str | None:
    """An instant as it is shown, if there is one."""
    return None if at is None else clock.format_instant(at)


def _rewarded(connection: sa.Connection, program_id: bytes, member_id: bytes) -> int:
    found: int = connection.execute(
        sa.select(sa.func.count()).where(
            SIDES.c.program_id == program_id,
            SIDES.c.member_id == member_id,
            SIDES.c.state == "rewarded",
            SIDES.c.side != "friend",
        )
    ).scalar_one()
    return found


def rewards(connection: sa.Connection, live: Compiled, member_id: bytes) -> list[Shown]:
    """What stands of what a member's referrals and milestones brought them: points, stamps and
    cash in sums, grants in numbers."""
    points = _summed(
        connection,
        live.program_id,
        member_id,
        key=LOTS.c.points_key,
        amount=sa.func.sum(LOTS.c.points - LOTS.c.reversed - LOTS.c.written_off),
        where=LOTS.c.is_moved.is_(False),
    )
    stamped = _summed(
        connection,
        live.program_id,
        member_id,
        key=STAMPS.c.card_key,
        amount=sa.func.sum(STAMPS.c.stamps),
        where=sa.true(),
    )
    given = _summed(
        connection,
        live.program_id,
        member_id,
        key=GRANTS.c.reward_key,
        amount=sa.func.count(),
        where=GRANTS.c.state.in_(_GIVEN),
    )
    owed = _summed(
        connection,
        live.program_id,
        member_id,
        key=PAYABLES.c.currency,
        amount=sa.func.sum(PAYABLES.c.minor),
        where=sa.true(),
    )
    return [
        *({"kind": "points", "points_key": key, "points": count} for key, count in points),
        *({"kind": "stamps", "card": key, "stamps": count} for key, count in stamped),
        *({"kind": "grant", "reward": key, "count": count} for key, count in given),
        *({"kind": "payable", "currency": key, "minor": count} for key, count in owed),
    ]


def _summed(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    *,
    key: sa.Column[str],
    amount: sa.ColumnElement[Any],
    where: sa.ColumnElement[bool],
) -> list[tuple[str, int]]:
    """Amounts by key of what a member's referrals and milestones made, those that are something."""
    table = key.table
    sides = sa.select(SIDES.c.id).where(
        SIDES.c.program_id == program_id, SIDES.c.member_id == member_id, SIDES.c.side != "friend"
    )
    reached = sa.select(MILESTONES.c.id).where(
        MILESTONES.c.program_id == program_id, MILESTONES.c.member_id == member_id
    )
    rows = connection.execute(
        sa.select(key, amount)
        .where(
            table.c.program_id == program_id,
            table.c.member_id == member_id,
            table.c.source_id.in_(sides.union_all(reached)),
            where,
        )
        .group_by(key)
        .order_by(key)
    )
    # PostgreSQL sums whole numbers to decimals.
    return [(name, int(found)) for name, found in rows if found]


def milestones(connection: sa.Connection, live: Compiled, member_id: bytes) -> list[Shown]:
    """The milestones of the offers that run, how often each is reached, and how many friends are
    missing for it, or for it once more; then those that the document has no more but stand."""
    program_id = live.program_id
    approved = connection.execute(
        sa.select(_R.offer_key, sa.func.count())
        .where(_R.program_id == program_id, _R.advocate_id == member_id, _R.stands)
        .group_by(_R.offer_key)
    )
    friends = {row[0]: row[1] for row in approved}
    standing = {
        (key, at): count
        for key, at, count in connection.execute(
            sa.select(MILESTONES.c.offer_key, MILESTONES.c.at_count, sa.func.count())
            .where(
                MILESTONES.c.program_id == program_id,
                MILESTONES.c.member_id == member_id,
                MILESTONES.c.stands,
            )
            .group_by(MILESTONES.c.offer_key, MILESTONES.c.at_count)
            .order_by(MILESTONES.c.offer_key, MILESTONES.c.at_count)
        )
    }
    found = []
    for offer in live.offers:
        for one in offer.milestones if offer.is_live else ():
            reached = standing.pop((offer.key, one.at), 0)
            missing = _missing(one, friends.get(offer.key, 0))
            found.append(_milestone(offer.key, one.at, reached, missing))
    return found + [_milestone(key, at, reached, 0) for (key, at), reached in standing.items()]


def _missing(milestone: Milestone, friends: int) -> int:
    if friends < milestone.at:
        return milestone.at - friends
    return milestone.at - friends % milestone.at if milestone.repeats else 0


def _milestone(offer_key: str, at: int, reached: int, missing: int) -> Shown:
    return {
        "offer": offer_key,
        "at": at,
        "reached": reached > 0,
        "times": reached,
        "missing": missing,
    }

"""A member's surprises as they are listed: what they won, and on request every chance they had.

Read in few statements a page, whatever was won. Refuses to know who asks: what a member may see of
it, `widget` picks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext, paging
from core.errors import not_found
from loyalty import reading
from members import members
from programs import versions
from programs.surprises import trigger_of
from rewards.carried import Row
from rewards.surprises.carried import DRAWS
from storefront import brought, firing
from storefront.decisions import DECISIONS
from storefront.explanations import surprised
from storefront.explanations.surprised import Drawn
from storefront.plan import Plan, begin
from storefront.surprising import giving, showing

WON = (DRAWS.c.won.is_(True), DRAWS.c.is_shadow.is_(False))
STANDING = (*WON, DRAWS.c.stands.is_(True))
UNSEEN = (*STANDING, DRAWS.c.seen_at.is_(None))

Shown = dict[str, Any]


def of_member(
    connection: sa.Connection, program_id: bytes, member_ref: str, query: Mapping[str, Any]
) -> Shown:
    """A page of a member's surprises, newest first; 404 when they are unknown."""
    known = members.get(connection, program_id, member_ref)
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    where = () if query["include"] == "all" else WON
    return page(connection, plan, known.id, query, where=where, show=_shown)


def page(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    query: Mapping[str, Any],
    *,
    where: Sequence[Any],
    show: Any,
) -> Shown:
    """A page of receipts of a member, shown by `show`: of what was won with what it brought."""
    cursor, limit = paging.read_cursor(query.get("cursor"), [str]), query["limit"]
    conditions = [
        DRAWS.c.program_id == plan.program_id,
        DRAWS.c.member_id == member_id,
        *where,
    ]
    if cursor:
        conditions.append(DRAWS.c.id < paging.read_id(giving.PREFIX, cursor[0]))
    statement = sa.select(DRAWS).where(*conditions).order_by(DRAWS.c.id.desc()).limit(limit + 1)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    _load(connection, plan, rows[:limit])
    return paging.page(
        surprised.of_rows(connection, plan.program_id, rows),
        limit,
        key=lambda one: [ids.show_id(giving.PREFIX, bytes(one.row["id"]))],
        show=lambda one: show(plan, one),
    )


def _load(connection: sa.Connection, plan: Plan, rows: Sequence[Mapping[str, Any]]) -> None:
    """Read at once what all of these brought, as far as it stands."""
    standing = [Row(dict(row)) for row in rows if row["stands"]]
    if not standing:
        return
    plan.book.load((), reading.read_lots(connection, plan.program_id, [one.id for one in standing]))
    wanted = sorted({one.decision_id for one in standing})
    decisions = {
        bytes(row.id): row
        for row in connection.execute(
            sa.select(
                DECISIONS.c.id, DECISIONS.c.version, DECISIONS.c.switches, DECISIONS.c.outcomes
            ).where(DECISIONS.c.program_id == plan.program_id, DECISIONS.c.id.in_(wanted))
        )
    }
    for one in standing:
        row = decisions[bytes(one.decision_id)]
        program = versions.get_compiled(connection, plan.program_id, row.version, row.switches)
        plan.surprises.brought[one.id] = brought.of_outcomes(
            plan,
            giving.source_of(one),
            rules=program.rules_of(trigger_of(one.surprise_key, one.prize)),
            outcomes=jsontext.parse(row.outcomes),
            program=program,
            member_id=one.member_id,
            decision_id=one.decision_id,
        )


def state_of(row: Mapping[str, Any]) -> str:
    """What became of a receipt, in a word."""
    if row["guard"] is not None:
        return "stopped"
    if not row["won"]:
        return "lost"
    if row["is_shadow"]:
        return "shadow"
    return "won" if row["stands"] else "taken_back"


def _shown(plan: Plan, drawn: Drawn) -> Shown:
    row = drawn.row
    if row["stands"]:
        told = showing.won(plan, Row(dict(row)))
    else:
        nothing = firing.nothing()
        told = {
            "key": row["surprise_key"],
            "name": drawn.surprise.name or None,
            "prize": row["prize"],
            "note": None,
            "awards": nothing["earned"],
            "grants": nothing["grants"],
            "payables": nothing["payables"],
            "draw_id": ids.show_id(giving.PREFIX, bytes(row["id"])),
            "source": showing.source(Row(dict(row))),
            "won_at": clock.format_instant(row["drawn_at"]) if row["won"] else None,
        }
    return told | {
        "state": state_of(row),
        "reason": surprised.reason_of(row),
        "summary": surprised.summary(drawn),
        "is_shadow": bool(row["is_shadow"]),
        "drawn_at": clock.format_instant(row["drawn_at"]),
        "seen_at": None if row["seen_at"] is None else clock.format_instant(row["seen_at"]),
    }


def unseen(connection: sa.Connection, plan: Plan, member_id: bytes, *, limit: int) -> list[Row]:
    """What a member won that stands and that they have not seen, newest first."""
    statement = sa.select(DRAWS).where(
        DRAWS.c.program_id == plan.program_id, DRAWS.c.member_id == member_id, *UNSEEN
    )
    found = connection.execute(statement.order_by(DRAWS.c.id.desc()).limit(limit)).mappings()
    rows = [dict(row) for row in found]
    _load(connection, plan, rows)
    return [Row(row) for row in rows]


def see(connection: sa.Connection, plan: Plan, member_id: bytes, shown_id: str) -> Row:
    """Note that a member saw what they won, once; 404 for what is not theirs, and for what was not
    won or does not stand."""
    draw_id = ids.read_id(giving.PREFIX, shown_id)
    if draw_id is None:
        raise not_found("surprise")
    is_it = (DRAWS.c.program_id == plan.program_id, DRAWS.c.id == draw_id)
    is_theirs = (DRAWS.c.member_id == member_id, *STANDING)
    # The member is locked: nothing else writes their receipts.
    found = connection.execute(sa.select(DRAWS).where(*is_it, *is_theirs)).mappings().first()
    if found is None:
        raise not_found("surprise")
    row = Row(dict(found))
    if row.seen_at is None:
        row.seen_at = plan.now
        connection.execute(sa.update(DRAWS).where(*is_it).values(seen_at=plan.now))
    return row

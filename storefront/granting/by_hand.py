"""Grants by hand, with a reason: given, and taken back for good. And grants as they are listed.

Refuses to judge who deserves one: whoever gives it has. Stock and codes are what there is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import db, ids, paging
from core.errors import Problem, invalid_at, not_found
from loyalty import reading
from members import members
from members.members import MEMBERS, Known
from programs import versions
from programs.rewards import Reward
from rewards import fulfilments, grants, redemptions, stock, terms, vouchers
from rewards.carried import GRANTS, Row
from storefront import finishing
from storefront.granting import giving, showing
from storefront.granting.giving import By, Origin, Refusal
from storefront.plan import Plan, begin

TYPE = "manual"
_C = GRANTS.c
_member_of = db.Statement(
    sa.select(_C.member_id).where(
        _C.program_id == sa.bindparam("program_id"), _C.id == sa.bindparam("id")
    )
)


def grant(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Give a member a reward; the answer, without its code, and 201. 404 for an unknown member or
    reward, 409 where none is left."""
    known = members.find(connection, program_id, body["member_ref"], is_locking=True)
    if known is None or known.is_erased:
        raise not_found("member")
    plan = _begin(connection, program_id, known.id, actor=actor)
    reward = plan.live.catalogue.find(body["reward"])
    if reward is None:
        raise Problem(404, "not_found", f"There is no reward {body['reward']} in this program.")
    _check(plan, reward, body)
    given = giving.give(
        connection,
        plan,
        known.id,
        reward,
        origin=Origin(TYPE, "", ids.new_id(), plan.now),
        by=By(TYPE, plan.live.edition, reason=body["reason"]),
        expires_at=body.get("expires_at"),
    )
    if isinstance(given, Refusal):
        raise _problem(reward, given)
    # What was given by hand has no cause but itself.
    given.source_id, given.source_ref = given.id, ids.show_id(grants.PREFIX, given.id)
    if body["is_sent"]:
        _send(plan, given)
    answer = {"grant": _owned(plan, given, known.member_ref)}
    finishing.write(connection, plan)
    return answer, 201


def _begin(
    connection: sa.Connection, program_id: bytes, member_id: bytes, *, actor: str | None
) -> Plan:
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, actor=actor)
    plan.book.load(reading.read_holdings(connection, program_id, member_id))
    plan.settle(member_id)
    return plan


def _check(plan: Plan, reward: Reward, body: Mapping[str, Any]) -> None:
    """422 for a date that is past, and for a gift that nobody would send."""
    if body.get("expires_at") is not None and body["expires_at"] <= plan.now:
        raise invalid_at("/expires_at", "is past; the grant would be gone at once")
    if not body["is_sent"]:
        return
    if not fulfilments.is_needed(terms.of_reward(reward, 0)):
        raise invalid_at("/is_sent", f"nobody sends {reward.key}: it needs no fulfilment")
    if reward.voucher is not None:
        raise invalid_at("/is_sent", f"{reward.key} comes with a code: its code uses it")


def _problem(reward: Reward, refusal: Refusal) -> Problem:
    if refusal.code == "out_of_stock":
        return stock.out_of_stock(reward.key)
    detail = f"Not granted: {refusal.detail}. Let it be live again first."
    return Problem(409, "state_conflict", detail, state="paused")


def _send(plan: Plan, row: Row) -> None:
    """Redeem it at once: its fulfilment is requested."""
    redemption = redemptions.hold(
        plan, row.member_id, row.frozen, expires_at=None, grant_id=row.id, reason=row.reason
    )
    redemptions.end(plan, redemption, "captured")


def _owned(plan: Plan, row: Row, member_ref: str | None) -> dict[str, Any]:
    """The grant for an answer that is stored: without its code."""
    shown = showing.hide_codes({"grants": [showing.show(plan, row)]})["grants"][0]
    return {"member_ref": member_ref, **shown}


def revoke(
    connection: sa.Connection,
    program_id: bytes,
    grant_ref: str,
    body: Mapping[str, Any],
    *,
    actor: str | None,
) -> tuple[dict[str, Any], int]:
    """Take a grant back for good; the answer and 200. Again changes nothing; 409 when it was used
    or its date is over."""
    plan, row, owner = _take_up(connection, program_id, grant_ref, actor=actor)
    has_access = row.state == "used" and row.frozen.kind == "access" and row.redemption_id is None
    if row.state in grants.UNUSED or (has_access and row.voucher_id is None):
        grants.end(plan, row, "revoked", at=plan.now)
    elif row.state != "revoked":
        raise grants.conflict(row, "revoked", plan.now)
    if row.cause != "withdrawn":
        row.cause, row.reason, row.actor = "withdrawn", body["reason"], actor
    answer = {"grant": _owned(plan, row, None if owner.is_erased else owner.member_ref)}
    finishing.write(connection, plan)
    return answer, 200


def _take_up(
    connection: sa.Connection, program_id: bytes, grant_ref: str, *, actor: str | None
) -> tuple[Plan, Row, Known]:
    """A grant to be changed, with its member and its code locked; 404 when it is unknown."""
    seen = _owner_id(connection, program_id, grant_ref)
    if seen is None:
        raise not_found("grant")
    owner = members.lock_ids(connection, program_id, [seen]).get(seen)
    assert owner is not None
    plan = _begin(connection, program_id, owner.id, actor=actor)
    row = grants.find(plan, grant_ref)
    assert row is not None
    if row.member_id != seen:
        # Merged since we looked.
        raise db.Restart
    grants.lock(plan, [row])
    grants.settle(plan, row)
    return plan, row, owner


def _owner_id(connection: sa.Connection, program_id: bytes, grant_ref: str) -> bytes | None:
    grant_id = ids.read_id(grants.PREFIX, grant_ref)
    if grant_id is None:
        return None
    row = _member_of.first(connection, {"program_id": program_id, "id": grant_id})
    return None if row is None else bytes(row[0])


def subjects(program_id: bytes, grant_ref: str) -> Callable[[sa.Connection], list[bytes]]:
    """Whom a grant is about: for what is kept and must go when they are erased."""

    def find(connection: sa.Connection) -> list[bytes]:
        found = _owner_id(connection, program_id, grant_ref)
        return [] if found is None else [found]

    return find


def get(connection: sa.Connection, program_id: bytes, grant_ref: str) -> dict[str, Any]:
    """One grant with its code; 404 when unknown."""
    grant_id = ids.read_id(grants.PREFIX, grant_ref)
    found = [] if grant_id is None else _read(connection, program_id, [_C.id == grant_id])
    if not found:
        raise not_found("grant")
    [shown] = _show_all(connection, program_id, found)
    return shown


def find_all(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A page of grants, newest first; 404 when they are asked of an unknown member."""
    where: list[sa.ColumnElement[bool]] = []
    if "member_ref" in query:
        where.append(_C.member_id == members.get(connection, program_id, query["member_ref"]).id)
    if "reward" in query:
        where.append(_C.reward_key == query["reward"])
    if "state" in query:
        _, now = versions.get_live(connection, program_id)
        where.append(_is_in(query["state"], now))
    cursor = paging.read_cursor(query.get("cursor"), [str])
    if cursor:
        where.append(_C.id < paging.read_id(grants.PREFIX, cursor[0]))
    limit = query["limit"]
    found = _read(connection, program_id, where, limit=limit + 1)
    page = paging.page(
        found,
        limit,
        key=lambda row: [ids.show_id(grants.PREFIX, bytes(row[1]))],
        show=lambda _: {},
    )
    return page | {"data": _show_all(connection, program_id, found[:limit])}


def _is_in(state: str, now: int) -> sa.ColumnElement[bool]:
    """Whether a row is in a state as of now, whether that is written or not (`grants.state_of`)."""
    is_due = sa.and_(_C.due_at.is_not(None), _C.due_at <= now)
    is_over = sa.and_(_C.state.in_(grants.UNUSED), is_due)
    has_date = sa.and_(_C.expires_at.is_not(None), _C.expires_at <= _C.due_at)
    if state == "lapsed":
        return sa.or_(_C.state == state, sa.and_(is_over, has_date))
    if state == "revoked":
        return sa.or_(_C.state == state, sa.and_(is_over, sa.not_(has_date)))
    return sa.and_(_C.state == state, sa.not_(is_over))


def _read(
    connection: sa.Connection,
    program_id: bytes,
    where: Sequence[sa.ColumnElement[bool]],
    *,
    limit: int = 1,
) -> list[Any]:
    """Rows with their members' references, newest first."""
    is_its = sa.and_(MEMBERS.c.program_id == _C.program_id, MEMBERS.c.id == _C.member_id)
    statement = (
        sa.select(GRANTS, MEMBERS.c.member_ref, MEMBERS.c.erased_at)
        .join(MEMBERS, is_its)
        .where(_C.program_id == program_id, *where)
        .order_by(_C.id.desc())
        .limit(limit)
    )
    return list(connection.execute(statement).all())


def _show_all(
    connection: sa.Connection, program_id: bytes, found: Sequence[Any]
) -> list[dict[str, Any]]:
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    rows = [grants.row_of(row[:-2]) for row in found]
    known = vouchers.shown_all(
        connection, program_id, [row.voucher_id for row in rows if row.voucher_id is not None]
    )
    return [
        {"member_ref": None if erased_at is not None else member_ref}
        | showing.show_with(plan, row, known.get(row.voucher_id))
        for row, (*_, member_ref, erased_at) in zip(rows, found, strict=True)
    ]

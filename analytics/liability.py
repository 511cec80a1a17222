"""What the program owes: points, stored value, codes and grants that can still be used, parcels.

Money is counted exactly and floored once, at the end. Points that members are about to get
(pending) and what some lack (deficit) are told apart, and never netted against what others hold.
Writes nothing; reads with a few statements, however many members there are.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from analytics import costs, points
from analytics.points import Sums
from core import clock
from members.members import MEMBERS
from programs import versions
from programs.compiled import Compiled
from programs.rewards import STORED_VALUE
from rewards import terms
from rewards.carried import FULFILMENTS, GRANTS, REDEMPTIONS, USES, VOUCHERS
from rewards.payables import EXPORTS, PAYABLES

#: As long as fewer points than these have ended, history says nothing: all are taken to be spent.
HISTORY_MIN = 1000
_WHOLE_BP = 10_000


def report(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """The liability as of an instant, by default of the program's clock."""
    live, now = versions.get_live(connection, program_id)
    as_of = clock.Instant(query.get("as_of", now))
    points.lift_limits(connection)
    given_bp = query.get("expected_redemption_bp")
    found = points.sums(connection, live, as_of=as_of, now=now)
    keys = [kind.key for kind in live.points]
    keys += sorted(found.keys() - set(keys))
    kinds = [_kind(live, key, found.get(key, Sums()), given_bp=given_bp) for key in keys]
    stored = _stored_value(connection, program_id, as_of)
    vouchers = _vouchers(connection, program_id, as_of)
    grants = _grants(connection, program_id, as_of)
    sent = _fulfilments(connection, program_id, as_of)
    return {
        "as_of": clock.format_instant(as_of),
        "currency": live.currency,
        "points": kinds,
        "stored_value": stored,
        "vouchers": vouchers,
        "grants": grants,
        "fulfilments": sent,
        "totals": {
            "points_minor": _total(kinds, "value_minor"),
            "points_expected_minor": _total(kinds, "expected_minor"),
            "points_pending_minor": _total(kinds, "pending_value_minor"),
            "stored_value_minor": _total(stored, "remaining_minor"),
            "vouchers_minor": _total(vouchers, "estimated_cost_minor"),
            "grants_minor": _total(grants, "estimated_cost_minor"),
            "fulfilments_minor": _total(sent, "estimated_cost_minor"),
            "payables_minor": _payables(connection, program_id, as_of),
        },
    }


def _payables(connection: sa.Connection, program_id: bytes, as_of: int) -> int:
    """Cash that was owed by then and not exported; nobody owes those who were erased."""
    columns = PAYABLES.c
    is_theirs = sa.and_(
        MEMBERS.c.program_id == columns.program_id,
        MEMBERS.c.id == columns.member_id,
        MEMBERS.c.erased_at.is_(None),
    )
    was_exported = sa.and_(
        EXPORTS.c.program_id == columns.program_id, EXPORTS.c.id == columns.exported_by
    )
    found = connection.execute(
        sa.select(sa.cast(sa.func.coalesce(sa.func.sum(columns.minor), 0), sa.BigInteger))
        .select_from(PAYABLES.join(MEMBERS, is_theirs).outerjoin(EXPORTS, was_exported))
        .where(
            columns.program_id == program_id,
            columns.effective_at <= as_of,
            sa.or_(columns.exported_by.is_(None), EXPORTS.c.created_at > as_of),
        )
    ).scalar_one()
    return int(found)


def _total(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(row[name] or 0 for row in rows)


def expected_redemption(spent: int, expired: int) -> tuple[int, str]:
    """Which share of points is spent in the end, in basis points rounded up so that it is never
    understated; and whether history told it."""
    ended = spent + expired
    if ended < HISTORY_MIN:
        return _WHOLE_BP, "little_history"
    return -(-max(0, spent) * _WHOLE_BP // ended), "history"


def _kind(live: Compiled, points_key: str, found: Sums, *, given_bp: int | None) -> dict[str, Any]:
    """One kind of points. One that the document no longer has is worth nothing known."""
    expected_bp, basis = expected_redemption(found.spent, found.expired)
    if given_bp is not None:
        expected_bp, basis = given_bp, "given"
    kind = live.kind(points_key)
    return {
        "points_key": points_key,
        "value": None if kind is None else {"points": kind.points, "minor": kind.minor},
        "active": found.active,
        "available": found.available,
        "held": found.held,
        "pending": found.pending,
        "deficit": found.deficit,
        "value_minor": None if kind is None else kind.value_minor(found.active),
        "pending_value_minor": None if kind is None else kind.value_minor(found.pending),
        "spent": found.spent,
        "expired": found.expired,
        "expected_redemption_bp": expected_bp,
        "expected_redemption_from": basis,
        "expected_minor": None
        if kind is None
        else found.active * kind.minor * expected_bp // (kind.points * _WHOLE_BP),
    }


def _usable_vouchers(program_id: bytes, as_of: clock.Instant) -> sa.ColumnElement[bool]:
    """Vouchers that could be used then, or are frozen: issued, with what they came with captured,
    and not ended."""
    columns = VOUCHERS.c
    return sa.and_(
        columns.program_id == program_id,
        columns.kind.is_not(None),
        columns.issued_at <= as_of,
        sa.or_(columns.expires_at.is_(None), columns.expires_at > as_of),
        sa.or_(columns.state.in_(("active", "frozen")), columns.ended_at > as_of),
        sa.or_(columns.redemption_id.is_(None), REDEMPTIONS.c.captured_at <= as_of),
    )


def _with_redemptions() -> sa.Join:
    its = sa.and_(
        REDEMPTIONS.c.program_id == VOUCHERS.c.program_id,
        REDEMPTIONS.c.id == VOUCHERS.c.redemption_id,
    )
    return VOUCHERS.outerjoin(REDEMPTIONS, its)


def _state() -> sa.ColumnElement[str]:
    return sa.case((VOUCHERS.c.state == "frozen", "frozen"), else_="active")


def _used(program_id: bytes, as_of: clock.Instant) -> sa.Subquery:
    """What of each voucher was used by then. A part that went back is told without its day, so it
    counts as gone back from the first; a use that was released counts until then."""
    columns = USES.c
    stands = sa.or_(columns.released_at.is_(None), columns.released_at > as_of)
    back = sa.case((columns.is_released, 0), else_=columns.returned_minor)
    return (
        sa.select(
            columns.voucher_id,
            sa.func.sum(columns.amount_minor - back).label("minor"),
            sa.func.count().label("times"),
        )
        .where(columns.program_id == program_id, columns.used_at <= as_of, stands)
        .group_by(columns.voucher_id)
        .subquery()
    )


def _stored_value(
    connection: sa.Connection, program_id: bytes, as_of: clock.Instant
) -> list[dict[str, Any]]:
    """Gift cards and store credit that something is left of, by kind and origin."""
    used = _used(program_id, as_of)
    left = VOUCHERS.c.value_minor - sa.func.coalesce(used.c.minor, 0)
    state, lead = _state(), (VOUCHERS.c.kind, VOUCHERS.c.origin)
    rows = connection.execute(
        sa.select(*lead, state, sa.func.count(), sa.func.sum(left))
        .select_from(_with_redemptions().outerjoin(used, used.c.voucher_id == VOUCHERS.c.id))
        .where(_usable_vouchers(program_id, as_of), VOUCHERS.c.kind.in_(STORED_VALUE), left > 0)
        .group_by(*lead, state)
        .order_by(*lead, state)
    )
    return [
        {
            "kind": kind,
            "origin": origin,
            "state": found,
            "count": count,
            "remaining_minor": int(minor),
        }
        for kind, origin, found, count, minor in rows
    ]


def _vouchers(
    connection: sa.Connection, program_id: bytes, as_of: clock.Instant
) -> list[dict[str, Any]]:
    """Codes that can still be used and hold no money, by reward, with what their uses cost."""
    used = _used(program_id, as_of)
    left = VOUCHERS.c.uses_max - sa.func.coalesce(used.c.times, 0)
    state, lead = _state(), (VOUCHERS.c.reward_key, VOUCHERS.c.terms)
    rows = connection.execute(
        sa.select(*lead, state, sa.func.count(), sa.func.sum(left))
        .select_from(_with_redemptions().outerjoin(used, used.c.voucher_id == VOUCHERS.c.id))
        .where(_usable_vouchers(program_id, as_of), VOUCHERS.c.kind.not_in(STORED_VALUE), left > 0)
        .group_by(*lead, state)
    )
    return _by_reward(
        (reward_key, text, found, count, int(uses)) for reward_key, text, found, count, uses in rows
    )


def _grants(
    connection: sa.Connection, program_id: bytes, as_of: clock.Instant
) -> list[dict[str, Any]]:
    """Open grants that come without a code, by reward; those with one count as vouchers. One that
    a redemption holds is owed all the same until that is captured, and outlives its date."""
    columns, held_by = GRANTS.c, REDEMPTIONS.c
    state = sa.case((columns.state == "frozen", "frozen"), else_="open")
    is_dated = sa.or_(columns.expires_at.is_(None), columns.expires_at > as_of)
    is_unused = sa.or_(columns.state.in_(("open", "frozen")), columns.ended_at > as_of)
    is_held = sa.and_(
        columns.state == "used",
        held_by.held_at <= as_of,
        sa.or_(held_by.state == "held", held_by.captured_at > as_of),
    )
    is_running = sa.or_(
        held_by.state != "held", held_by.expires_at.is_(None), held_by.expires_at > as_of
    )
    its = sa.and_(held_by.program_id == columns.program_id, held_by.id == columns.redemption_id)
    lead = (columns.reward_key, columns.terms)
    rows = connection.execute(
        sa.select(*lead, state, sa.func.count())
        .select_from(GRANTS.outerjoin(REDEMPTIONS, its))
        .where(
            columns.program_id == program_id,
            columns.voucher_id.is_(None),
            columns.recorded_at <= as_of,
            sa.or_(
                sa.and_(is_dated, is_unused),
                sa.and_(is_held, sa.or_(is_running, is_dated)),
            ),
        )
        .group_by(*lead, state)
    )
    return _by_reward((key, text, found, count, count) for key, text, found, count in rows)


def _fulfilments(
    connection: sa.Connection, program_id: bytes, as_of: clock.Instant
) -> list[dict[str, Any]]:
    """What was to be sent then and had not left, by reward."""
    columns = FULFILMENTS.c
    its = sa.and_(
        REDEMPTIONS.c.program_id == columns.program_id, REDEMPTIONS.c.id == columns.redemption_id
    )
    lead = (columns.reward_key, REDEMPTIONS.c.terms, REDEMPTIONS.c.cost_minor)
    later = (columns.shipped_at, columns.delivered_at, columns.cancelled_at)
    rows = connection.execute(
        sa.select(*lead, sa.func.count())
        .select_from(FULFILMENTS.join(REDEMPTIONS, its))
        .where(
            columns.program_id == program_id,
            columns.requested_at <= as_of,
            *(sa.or_(one.is_(None), one > as_of) for one in later),
        )
        .group_by(*lead)
    )
    found: dict[str, list[int]] = {}
    for reward_key, text, told, count in rows:
        cost = costs.estimated(terms.parse(text)) if told is None else told
        one = found.setdefault(reward_key or "", [0, 0])
        one[0] += count
        one[1] += count * cost
    return [
        {"reward": key or None, "count": count, "estimated_cost_minor": cost}
        for key, (count, cost) in sorted(found.items())
    ]


def _by_reward(rows: Iterable[tuple[str | None, str, str, int, int]]) -> list[dict[str, Any]]:
    """Rows by reward and state; each has its own terms, and so its own estimated cost."""
    found: dict[tuple[str, str], list[int]] = {}
    for reward_key, text, state, count, uses in rows:
        one = found.setdefault((reward_key or "", state), [0, 0, 0])
        one[0] += count
        one[1] += uses
        one[2] += uses * costs.estimated(terms.parse(text))
    return [
        {
            "reward": reward_key or None,
            "state": state,
            "count": count,
            "uses_left": uses,
            "estimated_cost_minor": cost,
        }
        for (reward_key, state), (count, uses, cost) in sorted(found.items())
    ]

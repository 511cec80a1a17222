"""What referrals came to in a period: the funnel per offer and channel, how fast, at what cost.

The funnel is of a cohort: links shared and clicked in the period, and what has become by now of
the friends who were identified in it. Costs are what stands now of what that cohort brought both
sides, in points at their value, rewards as estimated, and cash owed; milestones of the period
beside it. Writes nothing, and refuses to say why referred members buy more or less than others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from analytics import costs, funnel, points
from analytics.funnel import LINKS, Funnel, Period, ratio_bp
from core import clock
from core.errors import FieldError, invalid
from loyalty.ledger.rows import LOTS
from members.members import MEMBERS
from orders.models import Order
from programs import versions
from programs.compiled import Compiled
from referrals.carried import MILESTONES, REFERRALS, SIDES
from rewards import terms
from rewards.carried import GRANTS
from rewards.payables import PAYABLES

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]

_EVER = clock.Instant(0)
#: Said beside every comparison of members who came by a referral with others.
NOT_CAUSAL = {
    "en": "Referred members are other people than those who came by themselves: the difference"
    " does not show what the referral did.",
    "ko": "추천으로 가입한 회원과 그렇지 않은 회원은 서로 다른 집단이므로, 이 차이를 추천의"
    " 효과로 볼 수 없습니다.",
}


@dataclass(slots=True)
class _Cost:
    """What stands by kind of points, and money of rewards and of cash owed."""

    points: dict[str, int] = field(default_factory=dict)
    rewards_minor: int = 0
    payables_minor: int = 0


def report(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """The report of a period; by default from the first referral on until now."""
    live, now = versions.get_live(connection, program_id)
    start, end = query.get("from", _EVER), query.get("to", now + 1)
    if end < start:
        raise invalid([FieldError("?to", "invalid", "must not be before from")])
    points.lift_limits(connection)
    period = Period(start, end)
    found: dict[funnel.Key, Funnel] = {}
    funnel.count_links(connection, live, found, period)
    reasons = funnel.count_friends(connection, program_id, found, period)
    total = Funnel()
    for one in found.values():
        total.add(asdict(one))
    cost = _cost(connection, program_id, period)
    return {
        "from": None if "from" not in query else clock.format_instant(clock.Instant(start)),
        "to": clock.format_instant(clock.Instant(query.get("to", now))),
        "currency": live.currency,
        "offers": funnel.by_offer(live, found),
        "totals": total.shown(),
        "rejected_by_reason": [
            {"reason": reason, "count": count} for reason, count in sorted(reasons.items())
        ],
        "k_factor": _k_factor(connection, program_id, period, total),
        "times": _times(connection, program_id, period),
        "cost": _shown_cost(live, cost, total.approved),
        "members": _members(connection, program_id, period),
    }


def _k_factor(
    connection: sa.Connection, program_id: bytes, period: Period, total: Funnel
) -> dict[str, Any]:
    """The viral coefficient K = i × c: clicks that an advocate brings, times the approved friends
    that a click brings; so it is approved friends by advocate. Advocates are those whose links
    were made by the end of the period. In basis points: 10,000 is one friend by each."""
    advocates = connection.execute(
        sa.select(sa.func.count(sa.distinct(LINKS.c.member_id))).where(
            LINKS.c.program_id == program_id, LINKS.c.created_at < period.end
        )
    ).scalar_one()
    return {
        "advocates": int(advocates),
        "clicks_by_advocate_bp": ratio_bp(total.clicked, int(advocates)),
        "friends_by_click_bp": ratio_bp(total.approved, total.clicked),
        "k_bp": ratio_bp(total.approved, int(advocates)),
    }


def _times(connection: sa.Connection, program_id: bytes, period: Period) -> list[dict[str, Any]]:
    """Seconds between steps: half of the friends were faster than the median, nine in ten than the
    ninth decile (nearest rank)."""
    columns = REFERRALS.c
    shown = []
    for first, second, since, until in (
        ("clicked", "identified", columns.clicked_at, columns.bound_at),
        ("identified", "qualified", columns.bound_at, columns.qualified_at),
        ("qualified", "approved", columns.qualified_at, columns.approved_at),
    ):
        rows = connection.execute(
            sa.select(until - since).where(
                columns.program_id == program_id,
                columns.is_bound,
                period.has(columns.bound_at),
                since.is_not(None),
                until.is_not(None),
            )
        )
        seconds = sorted(max(0, row[0]) // clock.SECOND for row in rows)
        shown.append(
            {
                "from": first,
                "to": second,
                "count": len(seconds),
                "median_seconds": rank(seconds, 50),
                "ninth_decile_seconds": rank(seconds, 90),
            }
        )
    return shown


def rank(ordered: Sequence[int], percent: int) -> int | None:
    """The percentile by nearest rank; null of nothing."""
    if not ordered:
        return None
    return ordered[-(-len(ordered) * percent // 100) - 1]


def _cost(connection: sa.Connection, program_id: bytes, period: Period) -> _Cost:
    """What stands now of what the sides of the cohort and the milestones of the period brought."""
    sides = (
        sa.select(SIDES.c.id)
        .join(
            REFERRALS,
            sa.and_(
                REFERRALS.c.program_id == SIDES.c.program_id,
                REFERRALS.c.id == SIDES.c.referral_id,
            ),
        )
        .where(SIDES.c.program_id == program_id, period.has(REFERRALS.c.bound_at))
    )
    milestones = sa.select(MILESTONES.c.id).where(
        MILESTONES.c.program_id == program_id, period.has(MILESTONES.c.reached_at)
    )
    sources = sa.union_all(sides, milestones).subquery()
    found = _Cost()
    lots = connection.execute(
        sa.select(LOTS.c.points_key, sa.func.sum(LOTS.c.points - LOTS.c.reversed))
        .where(LOTS.c.program_id == program_id, LOTS.c.source_id.in_(sa.select(sources.c.id)))
        .group_by(LOTS.c.points_key)
    )
    found.points = {key: int(total) for key, total in lots}
    grants: Iterable[Any] = connection.execute(
        sa.select(GRANTS.c.terms, sa.func.count())
        .where(
            GRANTS.c.program_id == program_id,
            GRANTS.c.source_id.in_(sa.select(sources.c.id)),
            GRANTS.c.state.in_(("open", "used", "frozen")),
        )
        .group_by(GRANTS.c.terms)
    )
    for text, count in grants:
        found.rewards_minor += int(count) * costs.estimated(terms.parse(text))
    owed = connection.execute(
        sa.select(sa.func.coalesce(sa.func.sum(PAYABLES.c.minor), 0)).where(
            PAYABLES.c.program_id == program_id,
            PAYABLES.c.source_id.in_(sa.select(sources.c.id)),
        )
    )
    found.payables_minor = int(owed.scalar_one())
    return found


def _shown_cost(live: Compiled, cost: _Cost, approved: int) -> dict[str, Any]:
    points_minor = 0
    shown = []
    for key, count in sorted(cost.points.items()):
        kind = live.kind(key)
        value = None if kind is None else count * kind.minor // kind.points
        points_minor += value or 0
        shown.append({"points_key": key, "points": count, "value_minor": value})
    total = points_minor + cost.rewards_minor + cost.payables_minor
    return {
        "points": shown,
        "points_minor": points_minor,
        "rewards_minor": cost.rewards_minor,
        "payables_minor": cost.payables_minor,
        "total_minor": total,
        "by_approved_friend_minor": total // approved if approved else None,
    }


def _members(connection: sa.Connection, program_id: bytes, period: Period) -> dict[str, Any]:
    """Members who joined in the period, those who came by a referral beside the others: how many,
    and what each has bought by now."""
    orders = (
        sa.select(
            ORDERS.c.member_id,
            sa.func.count().label("count"),
            sa.func.sum(ORDERS.c.net_minor).label("net"),
        )
        .where(ORDERS.c.program_id == program_id, ORDERS.c.stands, ORDERS.c.member_id.is_not(None))
        .group_by(ORDERS.c.member_id)
        .subquery()
    )
    is_referred = sa.func.coalesce(
        sa.and_(REFERRALS.c.is_bound, REFERRALS.c.state != "rejected"), sa.false()
    )
    rows = connection.execute(
        sa.select(
            is_referred,
            sa.func.count(),
            sa.func.sum(sa.func.coalesce(orders.c.count, 0)),
            sa.func.sum(sa.case((orders.c.count >= 2, 1), else_=0)),
            sa.func.sum(sa.func.coalesce(orders.c.net, 0)),
        )
        .select_from(
            MEMBERS.outerjoin(
                REFERRALS,
                sa.and_(
                    REFERRALS.c.program_id == MEMBERS.c.program_id,
                    REFERRALS.c.friend_id == MEMBERS.c.id,
                ),
            ).outerjoin(orders, orders.c.member_id == MEMBERS.c.id)
        )
        .where(
            MEMBERS.c.program_id == program_id,
            MEMBERS.c.merged_into_id.is_(None),
            period.has(MEMBERS.c.joined_at),
        )
        .group_by(is_referred)
    )
    groups = {bool(row[0]): [int(value) for value in row[1:]] for row in rows}
    shown = {
        name: _group(groups.get(key, [0, 0, 0, 0]))
        for name, key in (("referred", True), ("others", False))
    }
    joined = shown["referred"]["members"] + shown["others"]["members"]
    return {
        "joined": joined,
        "referred_share_bp": ratio_bp(shown["referred"]["members"], joined),
        **shown,
        "warning": NOT_CAUSAL,
    }


def _group(counted: Sequence[int]) -> dict[str, Any]:
    members, orders, repeated, net = counted
    return {
        "members": members,
        "orders": orders,
        "orders_by_member_bp": ratio_bp(orders, members),
        "repeat_rate_bp": ratio_bp(repeated, members),
        "net_by_member_minor": net // members if members else None,
    }

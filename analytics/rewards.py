"""What rewards came to in a period: redemptions, points, discounts, costs, codes, stock.

What happened counts in the period in which it happened: a redemption captured in May and reversed
in June is captured in May's report and reversed in June's. Points are summed from the entries of
the ledger, so that they agree with its proof to the unit. Discounts and costs are of redemptions
captured in the period that stand now. Writes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from analytics import costs as costs_
from analytics import points
from core import clock
from core.errors import FieldError, invalid
from loyalty.ledger.rows import ENTRIES, HOLDS
from programs import versions
from programs.compiled import Compiled
from programs.rewards import STORED_VALUE
from rewards import terms
from rewards.carried import GRANTS, REDEMPTIONS, USES, VOUCHERS
from rewards.stock import STOCK
from rewards.terms import PAY_WITH_POINTS

#: Under this no redemption is held: a period without a beginning.
_EVER = clock.Instant(0)


@dataclass(slots=True)
class Redeemed:
    """Redemptions of one reward, by what happened to them in the period. `open` are those that are
    held now, whenever that was."""

    held: int = 0
    captured: int = 0
    reversed: int = 0
    released: int = 0
    expired: int = 0
    open: int = 0


@dataclass(slots=True)
class Costs:
    """What it gave and cost (`analytics.costs`). `cost_minor` takes the estimate of those of which
    no more is known: so many are `estimated_count`."""

    discount_minor: int = 0
    estimated_cost_minor: int = 0
    cost_minor: int = 0
    estimated_count: int = 0


@dataclass(slots=True)
class Issued:
    """Codes: issued and used in the period, and those that can be used now."""

    issued: int = 0
    used: int = 0
    used_minor: int = 0
    drawn_minor: int = 0
    remaining: int = 0
    remaining_minor: int = 0


@dataclass(slots=True)
class Granted:
    """Grants: given, used, lapsed and revoked in the period; `open` are those of now."""

    given: int = 0
    used: int = 0
    lapsed: int = 0
    revoked: int = 0
    open: int = 0


@dataclass(slots=True)
class Of:
    """One reward, or paying with points."""

    redemptions: Redeemed = field(default_factory=Redeemed)
    costs: Costs = field(default_factory=Costs)
    vouchers: Issued = field(default_factory=Issued)
    grants: Granted = field(default_factory=Granted)
    #: Captured and returned, by kind of points.
    points: dict[str, list[int]] = field(default_factory=dict)

    def add(self, other: "Of") -> None:
        """Add up another one."""
        for mine, its in (
            (self.redemptions, other.redemptions),
            (self.costs, other.costs),
            (self.vouchers, other.vouchers),
            (self.grants, other.grants),
        ):
            for name, value in asdict(its).items():
                setattr(mine, name, getattr(mine, name) + value)
        for key, (captured, returned) in other.points.items():
            one = self.points.setdefault(key, [0, 0])
            one[0] += captured
            one[1] += returned

    def shown(self) -> dict[str, Any]:
        """As the contract has it."""
        return {
            **asdict(self.redemptions),
            "points": [
                {
                    "points_key": key,
                    "captured": captured,
                    "returned": returned,
                    "net": captured - returned,
                }
                for key, (captured, returned) in sorted(self.points.items())
            ],
            **asdict(self.costs),
            "vouchers": asdict(self.vouchers),
            "grants": asdict(self.grants),
        }


class _Period:
    """From one instant on until before another."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end

    def has(self, column: Any) -> sa.ColumnElement[bool]:
        """Whether an instant is within it."""
        return sa.and_(column >= self.start, column < self.end)

    def count(self, *conditions: Any) -> sa.ColumnElement[Any]:
        """How many rows meet all of these conditions."""
        return sa.func.sum(sa.case((sa.and_(*conditions), 1), else_=0))


def report(
    connection: sa.Connection, program_id: bytes, query: Mapping[str, Any]
) -> dict[str, Any]:
    """What each reward came to in a period; by default from the first one on until now."""
    live, now = versions.get_live(connection, program_id)
    start = query.get("from", _EVER)
    # Until now is with what happens now.
    end = query.get("to", now + 1)
    if end < start:
        raise invalid([FieldError("?to", "invalid", "must not be before from")])
    points.lift_limits(connection)
    period, found = _Period(start, end), dict[str, Of]()
    _count_redemptions(connection, program_id, found, period, now)
    _sum_points(connection, program_id, found, period)
    _count_vouchers(connection, program_id, found, period, now)
    _count_uses(connection, program_id, found, period)
    _count_grants(connection, program_id, found, period, now)
    total = Of()
    for one in found.values():
        total.add(one)
    paid = found.pop(PAY_WITH_POINTS, Of())
    return {
        "from": None if "from" not in query else clock.format_instant(clock.Instant(start)),
        "to": clock.format_instant(clock.Instant(query.get("to", now))),
        "currency": live.currency,
        "rewards": _shown(live, found, _read_stock(connection, program_id)),
        "pay_with_points": paid.shown(),
        "totals": total.shown(),
    }


def _shown(
    live: Compiled, found: Mapping[str, Of], stock: Mapping[str, tuple[int, int]]
) -> list[dict[str, Any]]:
    """The rewards of the document in its order, then those that it no longer has. What belongs to
    none (gift cards that were sold) comes last, without a key."""
    keys = [reward.key for reward in live.catalogue.rewards]
    keys += sorted((found.keys() | stock.keys()) - {*keys, ""})
    shown = []
    for key in (*keys, *([""] if "" in found else [])):
        reward = live.catalogue.find(key)
        first = None if reward is None else reward.stock
        total, used = stock.get(key, (first, 0))
        kept = None if total is None else {"total": total, "used": used}
        if kept is not None and total is not None:
            kept["left"] = max(0, total - used)
        one = found.get(key, Of())
        shown.append({"reward": key or None, **one.shown(), "stock": kept})
    return shown


def _of(found: dict[str, Of], key: str | None) -> Of:
    return found.setdefault(key or "", Of())


def _count_redemptions(
    connection: sa.Connection,
    program_id: bytes,
    found: dict[str, Of],
    period: _Period,
    now: clock.Instant,
) -> None:
    """Redemptions by reward and terms, since terms say what one is estimated to cost. A hold whose
    time is over has run out, written or not."""
    columns, costs = REDEMPTIONS.c, costs_.Redeemed(program_id)
    is_held = columns.state == "held"
    has_lapsed = sa.and_(is_held, columns.expires_at.is_not(None), columns.expires_at <= now)
    stands = sa.and_(columns.state == "captured", period.has(columns.captured_at))
    rows = connection.execute(
        sa.select(
            columns.kind,
            columns.reward_key,
            columns.terms,
            period.count(period.has(columns.held_at)),
            period.count(columns.captured_at.is_not(None), period.has(columns.captured_at)),
            period.count(columns.state == "reversed", period.has(columns.ended_at)),
            period.count(columns.state == "released", period.has(columns.ended_at)),
            period.count(columns.state == "expired", period.has(columns.ended_at))
            + period.count(has_lapsed, period.has(columns.expires_at)),
            period.count(is_held) - period.count(has_lapsed),
            sa.func.sum(sa.case((stands, sa.func.coalesce(columns.discount_minor, 0)), else_=0)),
            period.count(stands),
            period.count(stands, costs.known_minor.is_(None)),
            sa.func.sum(sa.case((stands, sa.func.coalesce(costs.known_minor, 0)), else_=0)),
            sa.func.sum(sa.case((stands, costs.returned), else_=0)),
        )
        .select_from(costs.source())
        .where(columns.program_id == program_id)
        .group_by(columns.kind, columns.reward_key, columns.terms)
    )
    for kind, reward_key, text, *counted in rows:
        *counts, discount, standing, unknown, cost, returned = map(int, counted)
        one = _of(found, PAY_WITH_POINTS if kind == PAY_WITH_POINTS else reward_key)
        promised = terms.parse(text)
        estimated = costs_.estimated(promised)
        if kind == PAY_WITH_POINTS:
            cost = costs_.of_points(promised, count=standing, returned=returned)
            unknown = 0
        total = cost + unknown * estimated
        of = Of(Redeemed(*counts), Costs(discount, standing * estimated, total, unknown))
        one.add(of)


def _sum_points(
    connection: sa.Connection, program_id: bytes, found: dict[str, Of], period: _Period
) -> None:
    """Points that redemptions spent and that came back of them, from the ledger's entries. What
    each belongs to is told by the entry that held its points."""
    held = ENTRIES.alias("held")
    named = (
        sa.select(held.c.source_ref.label("ref"), REDEMPTIONS.c.kind, REDEMPTIONS.c.reward_key)
        .select_from(REDEMPTIONS)
        .join(
            HOLDS,
            sa.and_(HOLDS.c.program_id == REDEMPTIONS.c.program_id, HOLDS.c.id == REDEMPTIONS.c.id),
        )
        .join(
            held,
            sa.and_(held.c.program_id == HOLDS.c.program_id, held.c.id == HOLDS.c.entry_id),
        )
        .where(REDEMPTIONS.c.program_id == program_id)
        .subquery()
    )
    lead = (named.c.kind, named.c.reward_key, ENTRIES.c.points_key)
    to_spent = ENTRIES.c.to_bucket == "spent"
    rows = connection.execute(
        sa.select(
            *lead,
            sa.func.sum(sa.case((to_spent, ENTRIES.c.points), else_=0)),
            sa.func.sum(sa.case((to_spent, 0), else_=ENTRIES.c.points)),
        )
        .select_from(ENTRIES.join(named, named.c.ref == ENTRIES.c.source_ref))
        .where(
            ENTRIES.c.program_id == program_id,
            ENTRIES.c.source_type == "redemption",
            sa.or_(to_spent, ENTRIES.c.from_bucket == "spent"),
            period.has(ENTRIES.c.effective_at),
        )
        .group_by(*lead)
    )
    for kind, reward_key, points_key, captured, returned in rows:
        one = _of(found, PAY_WITH_POINTS if kind == PAY_WITH_POINTS else reward_key)
        one.add(Of(points={points_key: [int(captured), int(returned)]}))


def _count_vouchers(
    connection: sa.Connection,
    program_id: bytes,
    found: dict[str, Of],
    period: _Period,
    now: clock.Instant,
) -> None:
    """Codes that were given out: not those of a pool, nor those of what is only held."""
    columns = VOUCHERS.c
    is_usable = sa.and_(
        columns.state == "active",
        sa.or_(columns.expires_at.is_(None), columns.expires_at > now),
    )
    left = sa.case((is_usable, sa.func.coalesce(columns.remaining_minor, 0)), else_=0)
    rows = connection.execute(
        sa.select(
            columns.reward_key,
            period.count(period.has(columns.issued_at)),
            period.count(is_usable),
            sa.func.sum(left),
        )
        .where(
            columns.program_id == program_id,
            columns.kind.is_not(None),
            columns.state != "reserved",
        )
        .group_by(columns.reward_key)
    )
    for reward_key, issued, remaining, minor in rows:
        one = _of(found, reward_key).vouchers
        one.issued += int(issued)
        one.remaining += int(remaining)
        one.remaining_minor += int(minor)


def _count_uses(
    connection: sa.Connection, program_id: bytes, found: dict[str, Of], period: _Period
) -> None:
    """Uses of codes by orders, but those that were released; money less what went back."""
    its = sa.and_(VOUCHERS.c.program_id == USES.c.program_id, VOUCHERS.c.id == USES.c.voucher_id)
    taken = sa.func.coalesce(USES.c.amount_minor, 0) - USES.c.returned_minor
    rows = connection.execute(
        sa.select(
            VOUCHERS.c.reward_key,
            sa.func.count(),
            sa.func.sum(taken),
            sa.func.sum(sa.case((VOUCHERS.c.kind.in_(STORED_VALUE), taken), else_=0)),
        )
        .select_from(USES.join(VOUCHERS, its))
        .where(
            USES.c.program_id == program_id,
            USES.c.is_released.is_(False),
            period.has(USES.c.used_at),
        )
        .group_by(VOUCHERS.c.reward_key)
    )
    for reward_key, count, minor, drawn in rows:
        one = _of(found, reward_key).vouchers
        one.used += int(count)
        one.used_minor += int(minor)
        one.drawn_minor += int(drawn)


def _count_grants(
    connection: sa.Connection,
    program_id: bytes,
    found: dict[str, Of],
    period: _Period,
    now: clock.Instant,
) -> None:
    """Grants by reward and terms. One that a code used has no redemption to tell its cost."""
    columns, used = GRANTS.c, costs_.used_of_grants(program_id)
    is_over = sa.and_(columns.due_at.is_not(None), columns.due_at <= now)
    by_date = sa.and_(is_over, columns.expires_at <= columns.due_at)
    is_unused = columns.state.in_(("open", "frozen"))
    by_code = sa.and_(
        columns.state == "used", columns.redemption_id.is_(None), period.has(columns.ended_at)
    )

    def ended(state: str) -> sa.ColumnElement[Any]:
        return period.count(columns.state == state, period.has(columns.ended_at))

    def due(*conditions: Any) -> sa.ColumnElement[Any]:
        return period.count(is_unused, *conditions, period.has(columns.due_at))

    rows = connection.execute(
        sa.select(
            columns.reward_key,
            columns.terms,
            period.count(period.has(columns.granted_at)),
            ended("used"),
            ended("lapsed") + due(by_date),
            ended("revoked") + due(is_over) - due(by_date),
            period.count(columns.state == "open") - period.count(columns.state == "open", is_over),
            period.count(by_code),
            period.count(by_code, used.c.minor.is_(None)),
            sa.func.sum(sa.case((by_code, sa.func.coalesce(used.c.minor, 0)), else_=0)),
        )
        .select_from(GRANTS.outerjoin(used, used.c.owner_id == columns.id))
        .where(columns.program_id == program_id)
        .group_by(columns.reward_key, columns.terms)
    )
    for reward_key, text, *counted in rows:
        *counts, count, unknown, cost = map(int, counted)
        estimated = costs_.estimated(terms.parse(text))
        total = cost + unknown * estimated
        one = Of(grants=Granted(*counts), costs=Costs(0, count * estimated, total, unknown))
        _of(found, reward_key).add(one)


def _read_stock(connection: sa.Connection, program_id: bytes) -> dict[str, tuple[int, int]]:
    rows: Iterable[Any] = connection.execute(
        sa.select(STOCK.c.reward_key, STOCK.c.total, STOCK.c.used).where(
            STOCK.c.program_id == program_id
        )
    )
    return {key: (total, used) for key, total, used in rows}

"""The standing of members before orders: one statement for one order or for a whole batch.

Read after the members are locked. Carries the program's live version and clock, the order as
stored with what its first decision pinned, and the sums over the member's orders that stand.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import jsontext, rawsql
from loyalty import reading
from loyalty.ledger.rows import Holding
from loyalty.tiers.contributions import Contribution, netted
from programs import versions
from programs.ladder import Ladder
from storefront.tiers import contributing, referred


@dataclass(slots=True)
class Item:
    """What to read for one order: sums as of `at`, over windows that start after the others."""

    member_id: bytes | None
    order_ref: str
    at: int
    year_from: int
    window_from: int
    now_from: int


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as stored, with the program version and facts pinned for its member."""

    id: bytes
    member_id: bytes | None
    revision: int | None
    placed_at: int
    snapshot: str
    net_minor: int
    refunded_minor: int
    spend_minor: int
    qualifying_points: int
    stands: bool
    is_first: bool
    is_history: bool
    decision_id: bytes | None
    created_at: int
    updated_at: int
    points_returned: int
    version: int | None
    facts: str | None
    switches: int | None

    @property
    def was_first(self) -> bool:
        """Whether it was decided as the first purchase; the claim itself may be another order's
        since its member was merged with one who had bought before."""
        if self.facts is None:
            return self.is_first
        return bool(jsontext.parse(self.facts)["order"].get("order.is_first", self.is_first))


@dataclass(slots=True)
class Sums:
    """Sums over the member's other orders that stand, as of an instant and windows before it."""

    count: int = 0
    spend: int = 0
    year_spend: int = 0
    window_spend: int = 0
    window_points: int = 0
    window_count: int = 0
    now_spend: int = 0
    now_points: int = 0
    now_count: int = 0
    later_count: int = 0
    later_spend: int = 0
    later_points: int = 0
    last_at: int | None = None
    window_referrals: int = 0
    now_referrals: int = 0
    later_referrals: int = 0
    #: Friends who were approved by the instant, whenever they qualified.
    approved_referrals: int = 0

    def add(self, one: Contribution, sign: int, item: Item) -> None:
        """Add a contribution, or take it away."""
        if one.referrals:
            self._add_referral(one, sign, item)
            return
        if one.at > item.now_from:
            self.now_count += sign * one.count
            self.now_spend += sign * one.spend
            self.now_points += sign * one.points
        if one.at > item.at:
            self.later_count += sign * one.count
            self.later_spend += sign * one.spend
            self.later_points += sign * one.points
            return
        self.count += sign * one.count
        self.spend += sign * one.spend
        if one.at > item.year_from:
            self.year_spend += sign * one.spend
        if one.at > item.window_from:
            self.window_count += sign * one.count
            self.window_spend += sign * one.spend
            self.window_points += sign * one.points
        if sign > 0 and one.count:
            self.last_at = max(self.last_at or one.at, one.at)

    def _add_referral(self, one: Contribution, sign: int, item: Item) -> None:
        number = sign * one.referrals
        if one.known_at <= item.at:
            self.approved_referrals += number
        if one.at > item.now_from:
            self.now_referrals += number
        if one.at > item.at:
            self.later_referrals += number
        elif one.at > item.window_from:
            self.window_referrals += number

    def count_points(self, contributions: Iterable[Contribution], item: Item) -> None:
        """Take the points that count from these alone, adjustments among them."""
        self.window_points = self.now_points = self.later_points = 0
        for one in contributions:
            if one.at > item.now_from:
                self.now_points += one.points
            if one.at > item.at:
                self.later_points += one.points
            elif one.at > item.window_from:
                self.window_points += one.points

    def values(self, ladder: Ladder) -> tuple[int, ...]:
        """The tier metrics in the window as of the instant."""
        return self._values(ladder, "window")

    def values_later(self, ladder: Ladder) -> tuple[int, ...]:
        """The tier metrics of everything after the instant."""
        return self._values(ladder, "later")

    def values_now(self, ladder: Ladder) -> tuple[int, ...]:
        """The tier metrics in the window as of the clock."""
        return self._values(ladder, "now")

    def _values(self, ladder: Ladder, prefix: str) -> tuple[int, ...]:
        return tuple(getattr(self, f"{prefix}_{_COLUMNS[metric]}") for metric in ladder.metrics)


_COLUMNS = {"spend": "spend", "points": "points", "orders": "count", "referrals": "referrals"}


@dataclass(frozen=True, slots=True)
class TierRow:
    """The member's row of tiers."""

    level_key: str | None
    since: int
    until: int | None
    grace_until: int | None
    is_at_risk: bool
    due_at: int | None
    manual_key: str | None
    manual_since: int | None
    manual_until: int | None
    assured_key: str | None
    assured_since: int | None
    assured_until: int | None


@dataclass(frozen=True, slots=True)
class FriendOf:
    """The referral of the member, as read before it is locked with its advocate."""

    id: bytes
    advocate_id: bytes
    state: str
    order_ref: str | None
    is_bound: bool
    reason: str | None = None
    qualified_at: int | None = None
    #: The referral's instant: the click's, else that of the binding.
    since: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """One row of the standing."""

    live_version: int
    clock_at: int | None
    stored: StoredOrder | None
    sums: Sums
    first_ref: str | None
    tier: TierRow | None
    #: Whether refunds of the order were told; before the order itself they are parked.
    has_refunds: bool = False
    holdings: list[Holding] = field(default_factory=list)
    live_switches: int = 0
    #: The referral by which the member came, if they did.
    referral: FriendOf | None = None

    @property
    def edition(self) -> tuple[int, int]:
        """What is live: version and switches."""
        return self.live_version, self.live_switches


#: Sums over a member's other orders `h`, by the instants of an item `i`.
SUMS = """
    COUNT(CASE WHEN h.placed_at <= i.at THEN 1 END),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at <= i.at THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at <= i.at AND h.placed_at > i.year_from
                           THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at <= i.at AND h.placed_at > i.window_from
                           THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at <= i.at AND h.placed_at > i.window_from
                           THEN h.qualifying_points END), 0) AS BIGINT),
    COUNT(CASE WHEN h.placed_at <= i.at AND h.placed_at > i.window_from THEN 1 END),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at > i.now_from THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at > i.now_from THEN h.qualifying_points END), 0)
         AS BIGINT),
    COUNT(CASE WHEN h.placed_at > i.now_from THEN 1 END),
    COUNT(CASE WHEN h.placed_at > i.at THEN 1 END),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at > i.at THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at > i.at THEN h.qualifying_points END), 0) AS BIGINT),
    MAX(CASE WHEN h.placed_at <= i.at THEN h.placed_at END)
"""

_ORDER = """
    o.id, o.member_id, o.revision, o.placed_at, o.snapshot, o.net_minor, o.refunded_minor,
    o.spend_minor, o.qualifying_points, o.stands, o.is_first, o.is_history, o.decision_id,
    o.created_at, o.updated_at, o.points_returned, d.version, d.facts, d.switches
"""


_ACCOUNT = (
    "a.member_id, a.points_key, a.available, a.pending, a.held, a.lifetime_earned, a.version,"
    " a.head, a.due_at, a.has_inactivity, a.has_counted"
)


_SIZES = (1, 2, 4, 16, 50, 100)
_PADDING = -1


@functools.cache
def _sql(count: int, dialect: str) -> str:
    mark, blob = rawsql.mark(dialect), "BLOB" if dialect == "sqlite" else "BYTEA"
    program = f"CAST({mark}1 AS {blob})"
    types = ("BIGINT", blob, "TEXT", "BIGINT", "BIGINT", "BIGINT", "BIGINT")
    rows = ", ".join(
        "("
        + ", ".join(
            f"CAST({mark}{2 + index * len(types) + place} AS {kind})"
            for place, kind in enumerate(types)
        )
        + ")"
        for index in range(count)
    )
    names = "k, member_id, order_ref, at, year_from, window_from, now_from"
    sums = (
        f"SELECT {SUMS} FROM orders h WHERE h.program_id = {program}"
        " AND h.member_id = i.member_id AND h.stands AND h.order_ref <> i.order_ref"
    )
    columns = ", ".join(f"c{number}" for number in range(13))
    if dialect == "sqlite":
        start = f"WITH i({names}) AS (VALUES {rows}), s(k, {columns}) AS (" + (
            f"SELECT i.k, {SUMS} FROM i LEFT JOIN orders h ON h.program_id = {program}"
            " AND h.member_id = i.member_id AND h.stands AND h.order_ref <> i.order_ref"
            " GROUP BY i.k)"
        )
        summed = "JOIN s ON s.k = i.k"
    else:
        start = f"WITH i({names}) AS (VALUES {rows})"
        summed = f"CROSS JOIN LATERAL ({sums}) s({columns})"
    joins = [
        rawsql.left_join(dialect, table, alias, on=f"{alias}.program_id = {program} AND {on}")
        for table, alias, on in (
            ("orders", "o", "o.order_ref = i.order_ref"),
            ("decisions", "d", "d.id = o.decision_id"),
            ("member_tiers", "t", "t.member_id = i.member_id"),
            ("accounts", "a", "a.member_id = i.member_id"),
            ("referrals", "f", "f.friend_id = i.member_id"),
        )
    ]
    return f"""
{start}
SELECT i.k, {_ACCOUNT},
    p.live_version, p.clock_at, t.level_key, t.since,
    (SELECT b.order_ref FROM orders b
     WHERE b.program_id = {program} AND b.member_id = i.member_id AND b.is_first),
    s.{columns.replace(", ", ", s.")},
    {_ORDER},
    (SELECT 1 FROM order_refunds r
     WHERE r.program_id = {program} AND r.order_ref = i.order_ref LIMIT 1),
    t.until, t.grace_until, t.is_at_risk, t.due_at, t.manual_key, t.manual_since, t.manual_until,
    t.assured_key, t.assured_since, t.assured_until, p.switches,
    f.id, f.advocate_id, f.state, f.order_ref, f.is_bound, f.reason, f.qualified_at,
    COALESCE(f.clicked_at, f.bound_at)
FROM i {summed} JOIN programs p ON p.program_id = {program}
{" ".join(joins)}
ORDER BY i.k, a.points_key
"""


def read(connection: sa.Connection, program_id: bytes, items: Sequence[Item]) -> list[Read]:
    """The standing for each item, in their order."""
    values: list[Any] = [program_id]
    for index, item in enumerate(items):
        values += (
            index,
            item.member_id,
            item.order_ref,
            item.at,
            item.year_from,
            item.window_from,
            item.now_from,
        )
    # Few shapes of the statement, so that each is prepared once and kept: padded with nothing.
    size = next((size for size in _SIZES if size >= len(items)), len(items))
    for _ in range(size - len(items)):
        values += (_PADDING, None, "", 0, 0, 0, 0)
    sql = _sql(size, connection.dialect.name)
    found: dict[int, Read] = {}
    for row in rawsql.run(connection, sql, values):
        if row[0] == _PADDING:
            continue
        one = found.get(row[0])
        if one is None:
            one = found[row[0]] = _read(row[12:])
        if row[1] is not None:
            one.holdings.append(reading.holding_of(program_id, row[1:12]))
    for item, one in zip(items, found.values(), strict=True):
        if any(holding.has_counted for holding in one.holdings):
            assert item.member_id is not None
            told = contributing.read(connection, program_id, item.member_id, counts_referrals=False)
            others = [each for ref, each in told if ref != item.order_ref]
            one.sums.count_points(netted(sorted(others, key=lambda each: each.at)), item)
    reads = list(found.values())
    _count_referrals(connection, program_id, items, reads)
    return reads


def _count_referrals(
    connection: sa.Connection, program_id: bytes, items: Sequence[Item], reads: Sequence[Read]
) -> None:
    """Count approved friends, where the live version asks for them."""
    members = {item.member_id for item in items if item.member_id is not None}
    if not members:
        return
    live = versions.get_compiled(connection, program_id, *reads[0].edition)
    if not live.reads_referrals:
        return
    friends = referred.read_many(connection, program_id, sorted(members))
    for item, one in zip(items, reads, strict=True):
        for _, friend in friends.get(item.member_id or b"", ()):
            one.sums.add(friend, 1, item)


def _friend_of(row: Sequence[Any]) -> FriendOf:
    referral_id, advocate_id, state, order_ref, is_bound, *rest = row
    return FriendOf(bytes(referral_id), bytes(advocate_id), state, order_ref, bool(is_bound), *rest)


def _read(row: Sequence[Any]) -> Read:
    row, friend_of = row[:-8], row[-8:]
    stored = None
    if row[18] is not None:
        order = list(row[18:-12])
        order[0] = bytes(order[0])
        order[1] = None if order[1] is None else bytes(order[1])
        order[9], order[10], order[11] = bool(order[9]), bool(order[10]), bool(order[11])
        order[12] = None if order[12] is None else bytes(order[12])
        stored = StoredOrder(*order)
    return Read(
        live_version=row[0],
        clock_at=row[1],
        # Only who stands somewhere, or was promised something, has a row.
        tier=None if row[3] is None else TierRow(row[2], row[3], *row[-11:-1]),
        first_ref=row[4],
        sums=Sums(*row[5:18]),
        stored=stored,
        has_refunds=bool(row[-12]),
        live_switches=row[-1],
        referral=None if friend_of[0] is None else _friend_of(friend_of),
    )

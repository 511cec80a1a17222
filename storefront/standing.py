"""The standing of members before orders: one statement for one order or for a whole batch.

Read after the members are locked. Carries the program's live version and clock, the order as
stored with what its first decision pinned, and the sums over the member's orders that stand.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import jsontext, rawsql
from loyalty import reading
from loyalty.ledger.rows import Holding
from loyalty.tiers.contributions import Contribution, netted
from programs import versions
from programs.compiled import APPROVED_REFERRALS, Compiled
from programs.ladder import Ladder
from storefront import standing_statement
from storefront.segmenting import patterns
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
    #: When these orders were placed, and the member's rank by spend: where something asks.
    placed: list[int] | None = None
    spend_rank_bp: int | None = None

    def add(self, one: Contribution, sign: int, item: Item) -> None:
        """Add a contribution, or take it away."""
        if one.referrals:
            self._add_referral(one, sign, item)
            return
        if self.placed is not None and one.count:
            self.placed.append(one.at) if sign > 0 else self.placed.remove(one.at)
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


_SIZES = (1, 2, 4, 16, 50, 100)
_PADDING = -1


def read(
    connection: sa.Connection,
    program_id: bytes,
    items: Sequence[Item],
    *,
    asked: Collection[str] | None = None,
) -> list[Read]:
    """The standing for each item, in their order, with what the live version asks for beyond it,
    else with what is `asked`."""
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
    sql = standing_statement.sql(size, connection.dialect.name)
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
    _read_further(connection, program_id, items, reads, asked)
    return reads


def asks_further(live: Compiled) -> bool:
    """Whether a version asks for what takes a statement of its own."""
    return live.reads_referrals or patterns.are_asked(live.asked)


def _read_further(
    connection: sa.Connection,
    program_id: bytes,
    items: Sequence[Item],
    reads: Sequence[Read],
    asked: Collection[str] | None,
) -> None:
    """Approved friends, when members ordered and how they rank, as far as it is asked for."""
    members = {item.member_id for item in items if item.member_id is not None}
    if not members:
        return
    live = versions.get_compiled(connection, program_id, *reads[0].edition)
    asked = live.asked if asked is None else asked
    if patterns.are_asked(asked):
        found = patterns.read_many(connection, program_id, sorted(members), asked=asked)
        for item, one in zip(items, reads, strict=True):
            if item.member_id is not None:
                known = found[item.member_id]
                one.sums.spend_rank_bp = known.rank_bp
                placed = known.placed.items()
                one.sums.placed = [at for ref, at in placed if ref != item.order_ref]
    if not live.reads_referrals and APPROVED_REFERRALS not in asked:
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

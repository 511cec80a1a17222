"""Stored orders decided again under two versions of a program: which rules win and lose by it.

Each order keeps its own pinned facts of the member; it is judged as it stands now, refunds
included. Of limits only what these orders themselves take is counted. Reads, writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from core import jsontext
from orders.models import Order, OrderRefund
from orders.refunds import Refund, fold
from programs import versions
from programs.compiled import Compiled
from programs.models import Decision
from rules.limits import Room, Use, order_most, room, span
from storefront import decide
from storefront.decide import Decided, Pinned

#: Orders read at once.
_PORTION = 500
_ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]
_REFUNDS: sa.Table = OrderRefund.__table__  # type: ignore[assignment]
_DECISIONS: sa.Table = Decision.__table__  # type: ignore[assignment]


@dataclass(slots=True)
class RuleChange:
    """What became of one rule: how often it fired and what it gave, before and after; in how many
    orders it fires only afterwards (won) or only before (lost)."""

    fired: list[int] = field(default_factory=lambda: [0, 0])
    points: list[int] = field(default_factory=lambda: [0, 0])
    won: int = 0
    lost: int = 0


@dataclass(slots=True)
class Comparison:
    """The same orders under the one and the other version."""

    orders: int = 0
    first_at: int | None = None
    last_at: int | None = None
    rules: dict[str, RuleChange] = field(default_factory=dict)
    totals: dict[str, list[int]] = field(default_factory=dict)
    #: Orders whose members were measured otherwise than the new ladder measures.
    unmeasured: int = 0

    def add(self, decided: Sequence[Decided], at: int) -> None:
        """Count one order, decided both ways."""
        self.orders += 1
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)
        fired: list[set[str]] = []
        for side, one in enumerate(decided):
            fired.append({item.rule for item in one.earning.outcomes if item.is_fired})
            for rule in fired[side]:
                self.rules.setdefault(rule, RuleChange()).fired[side] += 1
            for earned in one.earning.earned:
                self.totals.setdefault(earned.points_key, [0, 0])[side] += earned.points
                for share in earned.breakdown:
                    self.rules.setdefault(share.rule, RuleChange()).points[side] += share.points
        for rule in fired[1] - fired[0]:
            self.rules[rule].won += 1
        for rule in fired[0] - fired[1]:
            self.rules[rule].lost += 1


@dataclass(slots=True)
class _Limits:
    """What the orders decided so far took of limits, and what that leaves."""

    program: Compiled
    used: dict[tuple[Any, ...], list[int]] = field(default_factory=dict)

    def rooms(self, member_id: bytes, at: int) -> dict[str, Room]:
        """What is left of each rule that has limits."""
        found: dict[str, Room] = {}
        for rule in self.program.rules_of("order"):
            if not rule.limits or not rule.is_live:
                continue
            limits = [limit for limit in rule.limits if limit.per != "order"]
            spans = [span(limit.period, at, self.program.zone) for limit in limits]
            uses = [
                Use(*self.used.get((rule.key, *_owner(limit.per, member_id), of.start, of.end), ()))
                for limit, of in zip(limits, spans, strict=True)
            ]
            found[rule.key] = room(limits, uses, spans, most=order_most(rule.limits))
        return found

    def take(self, decided: Decided, member_id: bytes, at: int) -> None:
        """Count what an order takes."""
        for rule in self.program.rules_of("order"):
            taken = decided.earning.taken.get(rule.key)
            if taken is None:
                continue
            keys = {
                (rule.key, *_owner(limit.per, member_id), of.start, of.end)
                for limit in rule.limits
                if limit.per != "order"
                for of in [span(limit.period, at, self.program.zone)]
            }
            for key in keys:
                use = self.used.setdefault(key, [0, 0])
                use[0] += 1
                use[1] += taken.points


def _owner(per: str, member_id: bytes) -> tuple[Any, ...]:
    return (per, member_id if per == "member" else None)


def compare(
    connection: sa.Connection, before: Compiled, after: Compiled, *, limit: int
) -> Comparison:
    """The newest orders of members, up to so many, decided under both in the order of time."""
    programs = (before, after)
    limits = tuple(_Limits(program) for program in programs)
    result = Comparison()
    for row, refunds in _stored(connection, before.program_id, limit):
        member_id, at = bytes(row.member_id), row.placed_at
        facts = jsontext.parse(row.facts)
        body = fold(jsontext.parse(row.snapshot), refunds).body
        decided = []
        for program, own in zip(programs, limits, strict=True):
            pinned, is_measured = _pinned(connection, program, row, facts)
            result.unmeasured += not is_measured
            one = _decide(pinned, row, body, facts, own.rooms(member_id, at))
            own.take(one, member_id, at)
            decided.append(one)
        result.add(decided, at)
    return result


def _decide(
    pinned: Pinned,
    row: Any,
    body: Mapping[str, Any],
    facts: Mapping[str, Any],
    rooms: Mapping[str, Room],
) -> Decided:
    order = decide.figure(pinned.program, body)
    return decide.decide_order(
        pinned,
        body,
        order=order,
        stands=decide.is_standing(body["status"], order),
        is_first=bool(facts["order"].get("order.is_first", row.is_first)),
        is_history=bool(row.is_history),
        at=row.placed_at,
        rooms=rooms,
    )


def _pinned(
    connection: sa.Connection, program: Compiled, row: Any, facts: Mapping[str, Any]
) -> tuple[Pinned, bool]:
    """The order's own facts under another version; and whether its ladder measures alike."""
    pinned = Pinned.of_facts(program, facts)
    told = versions.get_compiled(connection, program.program_id, row.version, row.switches)
    metrics = program.ladder.metrics
    if told.ladder.metrics == metrics:
        return pinned, True
    return replace(pinned, metric_before=(0,) * len(metrics)), False


def _stored(
    connection: sa.Connection, program_id: bytes, limit: int
) -> Iterator[tuple[Any, list[Refund]]]:
    """The newest orders that were decided, oldest first, each with its refunds."""
    newest = (
        sa.select(_ORDERS.c.id, _ORDERS.c.placed_at)
        .where(
            _ORDERS.c.program_id == program_id,
            _ORDERS.c.member_id.is_not(None),
            _ORDERS.c.decision_id.is_not(None),
        )
        .order_by(_ORDERS.c.id.desc())
        .limit(limit)
    )
    found = sorted((placed_at, bytes(one)) for one, placed_at in connection.execute(newest))
    for start in range(0, len(found), _PORTION):
        part = [one for _, one in found[start : start + _PORTION]]
        rows = {bytes(row.id): row for row in _rows(connection, program_id, part)}
        refunds = _refunds(connection, program_id, [row.order_ref for row in rows.values()])
        for one in part:
            row = rows[one]
            yield row, refunds.get(row.order_ref, [])


def _rows(connection: sa.Connection, program_id: bytes, order_ids: Sequence[bytes]) -> list[Any]:
    columns = _ORDERS.c
    statement = (
        sa.select(
            columns.id,
            columns.order_ref,
            columns.member_id,
            columns.placed_at,
            columns.snapshot,
            columns.is_first,
            columns.is_history,
            _DECISIONS.c.facts,
            _DECISIONS.c.version,
            _DECISIONS.c.switches,
        )
        .join(
            _DECISIONS,
            sa.and_(
                _DECISIONS.c.program_id == columns.program_id,
                _DECISIONS.c.id == columns.decision_id,
            ),
        )
        .where(columns.program_id == program_id, columns.id.in_(order_ids))
    )
    return list(connection.execute(statement))


def _refunds(
    connection: sa.Connection, program_id: bytes, order_refs: Sequence[str]
) -> dict[str, list[Refund]]:
    columns = _REFUNDS.c
    statement = sa.select(
        columns.order_ref,
        columns.refund_ref,
        columns.status,
        columns.refunded_at,
        columns.body,
        columns.is_applied,
        columns.created_at,
        columns.updated_at,
    ).where(columns.program_id == program_id, columns.order_ref.in_(order_refs))
    found: dict[str, list[Refund]] = {}
    for row in connection.execute(statement):
        values = row._asdict() | {"body": jsontext.parse(row.body)}
        found.setdefault(row.order_ref, []).append(Refund(**values))
    return found

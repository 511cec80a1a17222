"""Everything that a list of rewards or a quote takes, in one statement: the member, their accounts,
level and orders, what is there for them, and what limits count.

What to ask for depends on the program, so it is asked for as this process last saw the program;
the answer says whether that is what is live, and is not used if not. Refuses to read what only few
take: who asks reads on, or asks step by step.
"""

import functools
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db, jsontext, rawsql
from loyalty import reading
from loyalty.ledger.rows import Holding
from loyalty.limits import storing
from loyalty.limits.claims import NONE_USED
from members.members import Known
from programs import versions
from programs.compiled import Compiled
from programs.models import Program
from programs.rules import Rule
from rewards.availability import Asked
from rules.limits import Room, Use
from storefront import decide, limiting, standing
from storefront.limiting import Day
from storefront.plan import Plan, begin
from storefront.redeeming import asking, opened
from storefront.redeeming.opened import Opened
from storefront.standing import Item, Read, Sums, TierRow
from storefront.standing_statement import SUMS
from storefront.telling import Telling, item_of
from storefront.tiers import levels

#: No order has this reference.
_NO_ORDER = "\x01"
#: Columns of a row: the program and the member, then lists in JSON.
_OF_MEMBER = 10
_ACCOUNT = (
    "a.points_key, a.available, a.pending, a.held, a.lifetime_earned, a.version, {head}, a.due_at,"
    " a.has_inactivity, a.has_counted"
)
_TIER = (
    "t.level_key, t.since, t.until, t.grace_until, t.is_at_risk, t.due_at, t.manual_key,"
    " t.manual_since, t.manual_until, t.assured_key, t.assured_since, t.assured_until"
)

#: Edition and own clock of programs as they were last seen.
_seen: OrderedDict[bytes, tuple[tuple[int, int], int | None]] = OrderedDict()
_SEEN_MAX = 1024
_lock = threading.Lock()
_program_of = db.Statement(
    sa.select(Program.live_version, Program.switches, Program.clock_at).where(
        Program.program_id == sa.bindparam("program_id")
    )
)


def _remember(program_id: bytes, edition: tuple[int, int], clock_at: int | None) -> None:
    with _lock:
        _seen[program_id] = edition, clock_at
        while len(_seen) > _SEEN_MAX:
            _seen.popitem(last=False)


@dataclass(slots=True)
class Got:
    """What the statement told, of a program as it is live. `read` is how the member stands as of
    an instant, where that matters."""

    live: Compiled
    now: clock.Instant
    known: Known
    holdings: list[Holding]
    opened: Opened
    item: Item | None
    read: Read | None
    _day: Day
    _used: str | None
    _counted: str | None
    #: Whether it told what limits count.
    _is_counted: bool

    @property
    def is_due(self) -> bool:
        """Whether something of the member's accounts may be due, or some hold of theirs is."""
        return self.opened.is_over or any(
            one.due_at is not None or one.held for one in self.holdings
        )

    @property
    def rooms(self) -> dict[str, Room] | None:
        """What limits leave of rewards, where that is everything; None where it must be seen."""
        if not self._is_counted or self._used or self._counted or self.opened.is_over:
            return None
        return {}

    def count(self, plan: Plan) -> None:
        """Note what limits count in a plan, so that nobody reads it again."""
        if not self._is_counted:
            return
        keys = [(self.known.id, *window) for window in self._day.windows]
        plan.claims.sums |= dict.fromkeys(keys, NONE_USED)
        for place, times, points in jsontext.parse(self._used) if self._used else ():
            plan.claims.sums[keys[place - 1]] = Use(times, points)
        plan.claims.used |= dict.fromkeys(self._day.counters, 0)
        for place, count in jsontext.parse(self._counted) if self._counted else ():
            plan.claims.used[self._day.counters[place - 1]] = count


def ask(
    connection: sa.Connection, program_id: bytes, member_ref: str
) -> tuple[Plan, Opened, Asked] | None:
    """What judging every reward takes of a member, in a plan to be thrown away; None where this
    statement could not tell."""
    got = read(connection, program_id, member_ref)
    if got is None:
        return None
    live, known = got.live, got.known
    plan = begin(connection, live, now=got.now, is_quote=True)
    plan.book.load(got.holdings)
    if got.is_due:
        plan.settle(known.id)
    level_key, facts = None, None
    if got.item is not None and got.read is not None:
        level_key, facts = _stood(plan, known, got.item, got.read)
    got.count(plan)
    asked = asking.gather(
        connection,
        plan,
        known.id,
        rewards=live.catalogue.rewards,
        opened=got.opened,
        at=got.now,
        level_key=level_key,
        facts=asking.facts_of_row(plan, known) if facts is None else facts,
        rooms=got.rooms,
    )
    return plan, got.opened, asked


def read(
    connection: sa.Connection,
    program_id: bytes,
    member_ref: str,
    *,
    at: int | None = None,
    is_cart: bool = False,
) -> Got | None:
    """Ask once; None where the member is not found so, or another edition is live by now. For a
    cart (`is_cart`) also what the rules of orders take, as of `at`."""
    seen = _seen.get(program_id)
    if seen is None:
        [row] = _program_of.rows(connection, {"program_id": program_id})
        seen = (row[0], row[1]), row[2]
        _remember(program_id, *seen)
    live = versions.get_compiled(connection, program_id, *seen[0])
    now = versions.program_now(seen[1])
    item = None
    if is_cart or live.catalogue.needs_standing:
        placed_at = now if at is None else min(at, now)
        item = item_of(Telling(_NO_ORDER, {"placed_at": placed_at}), live, now)
    if is_cart and (live.cards or live.ladder.has_term):
        # Stamps, and the orders that a term is judged by, are read behind it.
        rawsql.ask_for_more(connection)
    rules = _rules(live) if is_cart else live.catalogue.rules
    day = limiting.day_of(rules, now if item is None else item.at, live.zone)
    row = _row(connection, live, (program_id, member_ref, now), item, day)
    if row is None:
        return None
    told = (row[0], row[1]), row[2]
    if told != seen:
        _remember(program_id, *told)
        return None
    known = _known(row)
    accounts, tier, sums, first_ref, used, counted, *columns = row[_OF_MEMBER:]
    holdings = _holdings(program_id, known.id, accounts)
    stood = None
    if item is not None:
        if standing.asks_further(live) or any(one.has_counted for one in holdings):
            return None
        item.member_id = known.id
        stood = _standing(live, sums, tier, first_ref=first_ref, holdings=holdings)
    there = opened.parse(columns)
    is_counted = connection.dialect.name != "sqlite"
    return Got(live, now, known, holdings, there, item, stood, day, used, counted, is_counted)


#: The rules of orders and of rewards, of editions by their identity.
_joined: dict[int, tuple[Compiled, tuple[Rule, ...]]] = {}


def _rules(live: Compiled) -> tuple[Rule, ...]:
    known = _joined.get(id(live))
    if known is not None and known[0] is live:
        return known[1]
    if len(_joined) >= _SEEN_MAX:
        _joined.clear()
    made = live.rules_of("order") + live.catalogue.rules
    _joined[id(live)] = live, made
    return made


def _row(
    connection: sa.Connection,
    live: Compiled,
    named: tuple[bytes, str, clock.Instant],
    item: Item | None,
    windows: Day,
) -> Any:
    values: list[Any] = [*named]
    if item is not None:
        values += [item.at, item.year_from, item.window_from, item.now_from]
    dialect = connection.dialect.name
    # The embedded database has no lists; being nearby, it is as fast asked again.
    has_windows = bool(windows.windows) and dialect != "sqlite"
    has_counters = bool(windows.counters) and dialect != "sqlite"
    if has_windows:
        values += windows.texts
    if has_counters:
        values += storing.window_texts(windows.counters)
    sql = _sql(
        dialect,
        has_standing=item is not None,
        has_windows=has_windows,
        has_counters=has_counters,
        has_stock=live.catalogue.has_stock,
        has_pools=live.catalogue.has_pools,
    )
    return next(iter(rawsql.run(connection, sql, values)), None)


@functools.cache
def _sql(
    dialect: str,
    *,
    has_standing: bool,
    has_windows: bool,
    has_counters: bool,
    has_stock: bool,
    has_pools: bool,
) -> str:
    mark = rawsql.mark(dialect)
    program = f"program_id = {mark}1"
    start = (
        "SELECT p.live_version, p.switches, p.clock_at, m.id, m.member_ref, m.is_enrolled,"
        f" m.joined_at, m.locale, m.attributes, m.erased_at, CAST({mark}3 AS BIGINT) AS now"
        f" FROM members m JOIN programs p ON p.{program} WHERE m.{program}"
        f" AND m.member_ref = {mark}2 AND m.merged_into_id IS NULL"
    )
    head = "hex(a.head)" if dialect == "sqlite" else "encode(a.head, 'hex')"
    account = _array(dialect, _ACCOUNT.format(head=head))
    accounts = f"SELECT {account} FROM accounts a WHERE a.{program} AND a.member_id = m.id"
    tier = sums = first_ref = windows = counters = "NULL"
    place = 4
    if has_standing:
        tier = (
            f"(SELECT {_one(dialect, _TIER)} FROM member_tiers t WHERE t.{program}"
            " AND t.member_id = m.id)"
        )
        item = ", ".join(
            f"CAST({mark}{number} AS BIGINT) AS {name}"
            for number, name in enumerate(("at", "year_from", "window_from", "now_from"), start=4)
        )
        sums = (
            f"(SELECT {_one(dialect, SUMS)} FROM (SELECT {item}) i CROSS JOIN orders h"
            f" WHERE h.{program} AND h.member_id = m.id AND h.stands)"
        )
        first_ref = (
            f"(SELECT f.order_ref FROM orders f WHERE f.{program} AND f.member_id = m.id"
            " AND f.is_first)"
        )
        place = 8
    if has_windows:
        windows = _windows(place)
        place += 3
    if has_counters:
        counters = _counters(place)
    there = opened.columns(dialect, has_stock=has_stock, has_pools=has_pools)
    return (
        f"WITH m AS ({start}) SELECT m.live_version, m.switches, m.clock_at, m.id, m.member_ref,"
        " m.is_enrolled, m.joined_at, m.locale, m.attributes, m.erased_at,"
        f" {_all(dialect, accounts)}, {tier}, {sums}, {first_ref}, {windows}, {counters},"
        f" {there} FROM m"
    )


def _array(dialect: str, columns: str) -> str:
    return f"{'json_array' if dialect == 'sqlite' else 'json_build_array'}({columns})"


def _one(dialect: str, columns: str) -> str:
    """A row's columns, as a list in JSON."""
    return _array(dialect, columns) + ("" if dialect == "sqlite" else "::text")


def _all(dialect: str, sql: str) -> str:
    """The rows of a query of one column, as a list in JSON."""
    if dialect == "sqlite":
        return f"(WITH q(c) AS ({sql}) SELECT json_group_array(json(c)) FROM q)"
    return f"(SELECT json_agg(c)::text FROM ({sql}) q(c))"


def _windows(place: int) -> str:
    """What the member's own windows hold, looked up one by one only if there is anything."""
    found = _all(
        "postgresql",
        "SELECT json_build_array(w.k, s.times, s.points) FROM"
        f" {_unnested(('text', 'bigint', 'bigint'), place)}"
        " WITH ORDINALITY w(rule, start, ending, k) CROSS JOIN LATERAL (SELECT"
        " SUM(c.times)::bigint, SUM(c.points)::bigint FROM limit_claims c WHERE"
        " c.program_id = $1 AND c.member_id = m.id AND c.rule = w.rule AND c.at >= w.start"
        " AND c.at < w.ending) s(times, points) WHERE s.times IS NOT NULL",
    )
    return (
        "CASE WHEN EXISTS (SELECT 1 FROM limit_claims e WHERE e.program_id = $1 AND e.member_id ="
        f" m.id AND e.rule = ANY(CAST(CAST(${place} AS text) AS text[]))) THEN {found} END"
    )


def _counters(place: int) -> str:
    return _all(
        "postgresql",
        "SELECT json_build_array(n.k, c.used) FROM"
        f" {_unnested(('text', 'text', 'bigint', 'text'), place)}"
        " WITH ORDINALITY n(rule, period, starts_at, unit, k) CROSS JOIN LATERAL (SELECT"
        " d.used FROM limit_counters d WHERE d.program_id = $1 AND d.rule = n.rule AND"
        " d.period = n.period AND d.starts_at = n.starts_at AND d.unit = n.unit OFFSET 0) c",
    )


def _unnested(types: tuple[str, ...], place: int) -> str:
    lists = (
        f"CAST(CAST(${place + index} AS text) AS {kind}[])" for index, kind in enumerate(types)
    )
    return f"unnest({', '.join(lists)})"


def _known(row: Any) -> Known:
    return Known(
        id=bytes(row[3]),
        member_ref=row[4],
        is_enrolled=bool(row[5]),
        joined_at=row[6],
        locale=row[7],
        attributes=jsontext.parse(row[8]) if row[8] != "{}" else {},
        is_erased=row[9] is not None,
    )


def _holdings(program_id: bytes, member_id: bytes, accounts: str | None) -> list[Holding]:
    return [
        reading.holding_of(program_id, (member_id, *row[:6], bytes.fromhex(row[6]), *row[7:]))
        for row in (jsontext.parse(accounts) if accounts else ())
    ]


def _standing(
    live: Compiled, sums: Any, tier: Any, *, first_ref: str | None, holdings: list[Holding]
) -> Read:
    # Only who stands somewhere, or was promised something, has a row.
    place = None if tier is None else TierRow(*jsontext.parse(tier))
    told = Sums(*jsontext.parse(sums))
    version, switches = live.edition
    return Read(version, None, None, told, first_ref, place, False, holdings, switches)


def _stood(plan: Plan, known: Known, item: Item, read: Read) -> tuple[str | None, dict[str, Any]]:
    """The member's level and facts as before an order placed now."""
    telling = Telling(_NO_ORDER, {"placed_at": plan.now}, member=known, item=item)
    assert plan.connection is not None
    stood = levels.before(plan.connection, plan, telling, read)
    available = plan.book.holding(known.id, plan.live.points[0].key).available
    facts = decide.facts_of(plan.live, known, read.sums, at=item.at, stood=stood, balance=available)
    return stood.key, facts

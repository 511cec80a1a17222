"""Limiting: what limits leave of rules for one source, and what the source takes of them.

Orders, quotes and whatever fires a trigger come here, so all of them are bounded alike. Refuses
to decide: `loyalty.earning` does, with the rooms that are given here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import jsontext
from loyalty.earning import Earning, Taken
from loyalty.limits import storing
from loyalty.limits.claims import Claim, ClaimKey, CounterKey, Window
from programs import versions
from programs.compiled import Compiled
from programs.models import Decision
from programs.rules import Rule
from rules.calendar import local
from rules.limits import Kept, Limit, Room, Span, Use, order_most, room, span
from storefront.plan import Plan
from storefront.standing import StoredOrder

DECISIONS: sa.Table = Decision.__table__  # type: ignore[assignment]


class FiredBefore(Protocol):
    """What is to be known of a source: what names its decisions, its own id, when it happened."""

    @property
    def type(self) -> str:
        """What kind of source it is."""

    @property
    def ref(self) -> str:
        """Its reference."""

    @property
    def id(self) -> bytes:
        """Its id."""

    @property
    def at(self) -> int:
        """When it happened."""


@dataclass(frozen=True, slots=True)
class Before:
    """What a source claims as it is stored: for whom, by which rules, as of when, and by what its
    rules were bound. Only one that `is_kept`, for the same member, keeps it."""

    source_id: bytes
    member_id: bytes
    rules: Sequence[Rule]
    at: int
    bound: Mapping[str, Kept] = field(default_factory=dict)
    is_kept: bool = True


#: Rules, program, member and instant of a source, and what it claims as stored.
Asked = tuple[Sequence[Rule], Compiled, bytes, int, Before | None]


def counted(rule: Rule) -> bool:
    """Whether a rule has limits that are counted beyond one order."""
    return any(limit.per != "order" for limit in rule.limits)


@dataclass(frozen=True, slots=True)
class _Bounded:
    """A rule with the limits that are counted beyond one order, and their periods; `windows` and
    `counters` are what is read for each limit, the other one being None."""

    rule: Rule
    limits: tuple[Limit, ...]
    spans: tuple[Span, ...]
    counters: tuple[CounterKey | None, ...]
    most: int | None


@dataclass(frozen=True, slots=True)
class Day:
    """Rules with limits on one local day, the member's windows of all of them (also as `texts`, as
    they are sent), and what all members share."""

    rules: Sequence[Rule]
    bounded: tuple[_Bounded, ...]
    windows: tuple[tuple[str, int, int], ...]
    texts: tuple[str, ...]
    counters: tuple[CounterKey, ...]


#: By rules, zone and local day. Rules are known by their identity: those of a draft have no number.
_days: dict[tuple[int, str, date], Day] = {}
_DAYS_MAX = 1024


_NO_DAY = Day((), (), (), (), ())


def _day(rules: Sequence[Rule], at: int, zone: ZoneInfo) -> Day:
    """The rules with limits as they stand on the day of an instant."""
    if not any(rule.limits for rule in rules):
        return _NO_DAY
    key = (id(rules), zone.key, local(at, zone).date())
    found = _days.get(key)
    if found is not None and found.rules is rules:
        return found
    made = tuple(_bound(rule, at, zone) for rule in rules if rule.limits and rule.is_live)
    windows = tuple(
        (one.rule.key, of.start, of.end)
        for one in made
        for of, counter in zip(one.spans, one.counters, strict=True)
        if counter is None
    )
    if len(_days) >= _DAYS_MAX:
        _days.clear()
    # Holding the rules, so that their identity is not given to others.
    found = _days[key] = Day(
        rules,
        made,
        windows,
        storing.window_texts(windows),
        tuple(counter for one in made for counter in one.counters if counter is not None),
    )
    return found


def _bound(rule: Rule, at: int, zone: ZoneInfo) -> _Bounded:
    limits = tuple(limit for limit in rule.limits if limit.per != "order")
    spans = tuple(span(limit.period, at, zone) for limit in limits)
    counters = tuple(
        CounterKey(rule.key, limit.period, of.start, limit.unit) if limit.per == "program" else None
        for limit, of in zip(limits, spans, strict=True)
    )
    return _Bounded(rule, limits, spans, counters, order_most(rule.limits))


def day_of(rules: Sequence[Rule], at: int, zone: ZoneInfo) -> Day:
    """What `rooms` will read at an instant, for who reads it together with other things."""
    return _day(rules, at, zone)


def rooms(
    connection: sa.Connection,
    plan: Plan,
    program: Compiled,
    rules: Sequence[Rule],
    *,
    member_id: bytes,
    at: int,
    before: Before | None = None,
) -> dict[str, Room]:
    """What limits leave of those rules that have any, for a source of a member at an instant."""
    bounded = _day(rules, at, program.zone).bounded
    if bounded or before is not None:
        read(
            connection,
            plan,
            [(rules, program, member_id, at, before)],
            is_writing=not plan.is_quote,
        )
    source_id = None if before is None else before.source_id
    kept = before if before is not None and before.is_kept else None
    return {
        one.rule.key: _room(plan, one, member_id, source_id=source_id, kept=kept) for one in bounded
    }


def before_order(
    connection: sa.Connection, plan: Plan, stored: StoredOrder | None, member_id: bytes
) -> Before | None:
    """What an order claims as it is stored; None when nothing of it can have limits."""
    if stored is None or stored.member_id is None or stored.facts is None:
        return None
    assert stored.version is not None
    program = versions.get_compiled(
        connection, plan.program_id, stored.version, stored.switches or 0
    )
    rules = [rule for rule in program.rules_of("order") if rule.limits]
    if not rules:
        return None
    bound = read_bound(jsontext.parse(stored.facts))
    is_kept = stored.stands and stored.member_id == member_id
    return Before(stored.id, stored.member_id, rules, stored.placed_at, bound, is_kept)


def before_fired(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    source: FiredBefore,
    *,
    decision_id: bytes | None,
) -> Before | None:
    """What a source that is no order claims as it is stored: by its last decision, whatever the
    trigger was then. Who does not know which that is says None: several sources (the completions
    of a card) may go by one reference, and are told apart by when they happened."""
    its = [DECISIONS.c.id == decision_id]
    if decision_id is None:
        its = [
            DECISIONS.c.member_id == member_id,
            DECISIONS.c.source_type == source.type,
            DECISIONS.c.source_ref == source.ref,
            DECISIONS.c.effective_at == source.at,
        ]
    row = connection.execute(
        sa.select(
            DECISIONS.c.version, DECISIONS.c.switches, DECISIONS.c.effective_at, DECISIONS.c.facts
        )
        .where(DECISIONS.c.program_id == plan.program_id, *its)
        .order_by(DECISIONS.c.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    program = versions.get_compiled(connection, plan.program_id, row.version, row.switches)
    facts = jsontext.parse(row.facts)
    limited = [rule for rule in program.rules_of(facts["trigger"]) if rule.limits]
    if not limited:
        return None
    return Before(source.id, member_id, limited, row.effective_at, read_bound(facts))


def read(
    connection: sa.Connection,
    plan: Plan,
    asked: Sequence[Asked],
    *,
    is_writing: bool = True,
) -> None:
    """Read at once what the rooms of several sources need."""
    windows: list[Window] = []
    counters: list[CounterKey] = []
    own: list[ClaimKey] = []
    day = _NO_DAY
    for rules, program, member_id, at, before in asked:
        if before is not None:
            own += [
                ClaimKey(before.member_id, rule.key, before.at, before.source_id)
                for rule in before.rules
                if counted(rule)
            ]
        day = _day(rules, at, program.zone)
        windows += [(member_id, *window) for window in day.windows]
        for one in day.bounded:
            for limit, counter in zip(one.limits, one.counters, strict=True):
                if counter is not None:
                    counters.append(counter)
                    plan.claims.most[counter] = limit.most
    storing.read(
        connection,
        plan.program_id,
        plan.claims,
        windows=windows,
        own=own,
        counters=counters,
        is_locking=is_writing,
        texts=day.texts if len(asked) == 1 else None,
    )


def _room(
    plan: Plan,
    one: _Bounded,
    member_id: bytes,
    *,
    source_id: bytes | None,
    kept: Before | None,
) -> Room:
    claims, key = plan.claims, one.rule.key
    claim = None if kept is None else claims.of(source_id).get(key)
    uses: list[Use] = []
    own: list[Use] = []
    for limit, of, counter in zip(one.limits, one.spans, one.counters, strict=True):
        if counter is None:
            uses.append(claims.use((member_id, key, of.start, of.end), but=source_id))
        else:
            used = claims.counted(counter, but=source_id)
            uses.append(Use(used, 0) if limit.unit == "times" else Use(0, used))
        # Its own is only what it took of this very period: it may have moved here from another.
        is_own = claim is not None and _is_in(claim, of, counter)
        own.append(Use(claim.times, claim.points) if claim is not None and is_own else Use())
    held = None
    if kept is not None and all(of.start <= kept.at < of.end for of in one.spans):
        held = kept.bound.get(key)
        if held is None and claim is not None:
            held = Kept(claim.wanted, None)
    return room(one.limits, uses, one.spans, own=own, kept=held, most=one.most)


def _is_in(claim: Claim, of: Span, counter: CounterKey | None) -> bool:
    """Whether a claim takes of a period, or of what all share in it."""
    if counter is not None:
        return counter in claim.counters
    return of.start <= claim.key.at < of.end


def leaves_once(
    plan: Plan,
    program: Compiled,
    rule: Rule,
    *,
    member_id: bytes,
    at: int,
    source_id: bytes,
    fallen: Iterable[tuple[bytes, int]],
) -> bool:
    """Whether limits leave a source one more time beside what others claim and what was used of
    sources that fell: whose it is and since when. What fell claims nothing, but what it gave is
    gone. The limits of the rule were read at that instant (`rooms`)."""
    one, claims, gone = _bound(rule, at, program.zone), plan.claims, list(fallen)
    for limit, of, counter in zip(one.limits, one.spans, one.counters, strict=True):
        if limit.unit != "times":
            continue
        within = [owner_id for owner_id, when in gone if of.start <= when < of.end]
        if counter is None:
            used = claims.use((member_id, rule.key, of.start, of.end), but=source_id).times
            within = [owner_id for owner_id in within if owner_id == member_id]
        else:
            used = claims.counted(counter, but=source_id)
        if used + len(within) >= limit.most:
            return False
        if counter is not None and within:
            # Claimed under the same condition, last of all.
            claims.most[counter] = limit.most - len(within)
    return True


def take(
    plan: Plan,
    program: Compiled,
    rules: Sequence[Rule],
    *,
    source_id: bytes,
    member_id: bytes,
    at: int,
    taken: Mapping[str, Taken],
) -> None:
    """Let a source claim what its decision takes, and nothing else."""
    claims = claims_of(program, rules, source_id=source_id, member_id=member_id, at=at, taken=taken)
    if claims or plan.claims.of(source_id):
        plan.claims.take(source_id, claims)


def claims_of(
    program: Compiled,
    rules: Sequence[Rule],
    *,
    source_id: bytes,
    member_id: bytes,
    at: int,
    taken: Mapping[str, Taken],
) -> dict[str, Claim]:
    """What a decision takes of limits, as claims."""
    found: dict[str, Claim] = {}
    for bounded in _day(rules, at, program.zone).bounded if taken else ():
        key = bounded.rule.key
        one = taken.get(key)
        if one is not None and bounded.limits:
            counters = tuple(counter for counter in bounded.counters if counter is not None)
            claim_key = ClaimKey(member_id, key, at, source_id)
            found[key] = Claim(claim_key, 1, one.points, one.wanted, counters)
    return found


def shown_bound(earning: Earning) -> dict[str, list[int | None]]:
    """By what rules were bound, as decisions store it."""
    return {rule: [kept.wanted, kept.left] for rule, kept in earning.bound.items()}


def shown_taken(earning: Earning) -> dict[str, list[int]]:
    """What rules take of their limits, as decisions store it: their points, and those wanted."""
    return {rule: [one.points, one.wanted] for rule, one in earning.taken.items()}


def read_bound(facts: Mapping[str, object]) -> dict[str, Kept]:
    """By what the rules of a stored decision were bound."""
    stored = facts.get("limits") or {}
    assert isinstance(stored, dict)
    return {rule: Kept(*value) for rule, value in stored.items()}


def as_decided(rules: Sequence[Rule], bound: Mapping[str, Kept]) -> dict[str, Room]:
    """The rooms of a decision that is made again as it was."""
    found: dict[str, Room] = {}
    for rule in rules:
        if rule.limits and rule.is_live:
            kept = bound.get(rule.key, Kept(None, None))
            # A rule that had nothing left was not reached; it is not reached again.
            left = 0 if kept.left == 0 else None
            found[rule.key] = Room(left, kept=kept, most=order_most(rule.limits))
    return found

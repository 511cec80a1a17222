"""Firing: what happened to a member that is no order (they signed up, did something, had a
birthday, entered a level, completed a card) brings what the rules of its trigger say.

Converges as orders do: fired again, what stands is brought to what is deserved now, by the version
and the member's facts that were pinned first; what happened no longer stands when there is a
`reason` against it, and everything goes back. Refuses to know what happened: the facts are given.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from loyalty import earning, reading
from loyalty.deserved import Deserved, by_terms
from loyalty.earning import Earning
from loyalty.exact import NO_TIER_FACTOR, Earner
from loyalty.ledger import awards
from loyalty.ledger.awards import Award
from loyalty.ledger.entries import Cause
from orders import figures
from orders.figures import OrderFigures
from programs.compiled import Compiled
from programs.rules import Rule
from programs.surprises import heard_trigger
from programs.terms import parse as parse_terms
from rewards.payables import owed_of
from rewards.surprises.carried import Chance
from rules.limits import Room
from rules.outcomes import Reason
from storefront import answers, cards, limiting
from storefront.cards import Claimed, Given
from storefront.decisions import DECISIONS, find_pinned
from storefront.granting import bringing, showing
from storefront.granting.giving import Origin
from storefront.payables import bringing as payables
from storefront.plan import Plan


@dataclass(frozen=True, slots=True)
class Source:
    """What happened, when: decisions and entries name its type and reference, lots its id."""

    type: str
    ref: str
    id: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order of somebody else that shares of it are reckoned by, as it stands."""

    figures: OrderFigures

    @property
    def line_facts(self) -> list[dict[str, Any]]:
        """What conditions on lines are asked by."""
        return [figures.line_facts(line) for line in self.figures.lines]


@dataclass(frozen=True, slots=True)
class Fired:
    """What a trigger brought: the decision, what is deserved by it, and the entries made now."""

    source: Source
    member_id: bytes
    earning: Earning
    deserved: list[Deserved]
    decision_id: bytes
    made: list[dict[str, Any]]


def fire(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    source: Source,
    *,
    trigger: str,
    program: Compiled,
    member_facts: Mapping[str, Any],
    own_facts: Mapping[str, Any],
    reason: Reason | None = None,
    is_new: bool = True,
    decided_id: bytes | None = None,
    reversal_at: int | None = None,
    frozen_until: int | None = None,
    order: Ordered | None = None,
    withheld: Collection[str] = (),
    why_withheld: Reason = "not_paid",
    weighed: Earning | None = None,
) -> Fired:
    """Bring what stands of a source to what the rules of `trigger` (`Compiled.rules_of`) say. A
    `reason` says why nothing is deserved, if so. `decided_id` is of the decision that stands, of a
    source that is not new. What is taken back is gone since `reversal_at`, else now; unused rewards
    only rest `frozen_until` then. Amounts and units are reckoned by `order`; rules `withheld` bring
    nothing, for a reason of their own. `weighed` is what `weigh` has just said of the same."""
    rules, decision_id = program.rules_of(trigger), ids.new_id()
    result = weighed
    if result is None:
        before = None
        if not is_new:
            before = limiting.before_fired(
                connection, plan, member_id, source, decision_id=decided_id
            )
        result = weigh(
            connection,
            plan,
            member_id,
            source,
            program=program,
            rules=rules,
            facts={**member_facts, **own_facts},
            before=before,
            reason=reason,
            order=order,
            withheld=withheld,
            why_withheld=why_withheld,
        )
    origin = Origin(source.type, source.ref, source.id, source.at, decision_id)
    if bringing.concern(program, rules) or (not is_new and bringing.concern_at_all(program)):
        rests: dict[str, Any] = {"program": program, "frozen_until": frozen_until}
        bringing.bring(connection, plan, member_id, origin, earning=result, is_new=is_new, **rests)
    taken_at = plan.now if reversal_at is None else min(max(reversal_at, source.at), plan.now)
    if payables.concern(rules) or (not is_new and payables.concern_at_all(program)):
        payables.bring(plan, member_id, origin, earning=result, is_new=is_new, taken_at=taken_at)
    whose = {"source_id": source.id, "member_id": member_id}
    limiting.take(plan, program, rules, **whose, at=source.at, taken=result.taken)
    deserved = by_terms(program, rules, result.earned)
    asked = {"trigger": trigger, "member": dict(member_facts), "own": dict(own_facts)}
    decision = _write_decision(
        plan, program, member_id, source, decision_id, asked=asked, result=result
    )
    if not is_new:
        plan.book.load((), reading.read_lots(connection, plan.program_id, [source.id]))
    fired = Fired(source, member_id, result, deserved, decision_id, [])
    _bring(plan, program, fired, reversal_at=taken_at)
    if cards.concern(plan, program) and (result.stamps or not is_new):
        given = Given(source.type, source.ref, source.id, source.at, result.stamps)
        as_pinned: dict[str, Any] = {"program": program, "member_facts": member_facts}
        fired.made.extend(
            stamp(connection, plan, member_id, given, **as_pinned, reversal_at=reversal_at)
        )
    heard, pays = heard_trigger(trigger), plan.surprises.is_paying
    if (program.surprises.of(heard) or plan.live.surprises.of(heard)) and not (pays and is_new):
        # A completion and a level are a chance when they are new, or never: later they only follow.
        follows = not is_new and (pays or source.type in ("card", "tier"))
        plan.surprises.chances.append(
            Chance(
                member_id,
                heard,
                source.type,
                source.ref,
                source.id,
                _activity_ref(source, own_facts),
                source.at,
                member_facts,
                own_facts,
                # Some things are paid to who takes no part: a surprise is not.
                stands=reason is None and bool(member_facts.get("member.is_enrolled", True)),
                is_new=is_new,
                pinned=None if is_new else program,
                order=order,
                decision=decision,
                reversal_at=reversal_at,
                keys=frozenset() if follows else None,
            )
        )
    return fired


def _activity_ref(source: Source, own_facts: Mapping[str, Any]) -> str:
    """What a draw calls what happened: the same however often it is told, and made of no id of
    ours where there is another way to say it."""
    if source.type == "activity":
        return source.ref
    if source.type == "signup":
        return source.type
    if source.type == "card":
        return f"card:{source.ref}:{own_facts['card.number']}"
    if source.type == "tier":
        return f"tier:{source.ref}:{clock.format_instant(source.at)}"
    return f"{source.type}:{source.ref}"


def weigh(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    source: Source,
    *,
    program: Compiled,
    rules: Sequence[Rule],
    facts: Mapping[str, Any],
    before: limiting.Before | None = None,
    reason: Reason | None = None,
    order: Ordered | None = None,
    withheld: Collection[str] = (),
    why_withheld: Reason = "not_paid",
) -> Earning:
    """What rules say to something of a member, within what limits leave; brings nothing."""
    rooms = limiting.rooms(
        connection,
        plan,
        program,
        rules if reason is None else (),
        member_id=member_id,
        at=source.at,
        before=before,
    )
    asked = [rule for rule in rules if rule.key not in withheld]
    result = _earn(program, asked, facts, at=source.at, rooms=rooms, reason=reason, order=order)
    held_back = [rule for rule in rules if rule.key in withheld]
    result.outcomes += earning.none_fired(held_back, reason or why_withheld).outcomes
    return result


def _earn(
    program: Compiled,
    rules: Sequence[Rule],
    facts: Mapping[str, Any],
    *,
    at: int,
    rooms: Mapping[str, Room],
    reason: Reason | None,
    order: Ordered | None,
) -> Earning:
    """What the rules say to these facts, or nothing for a reason."""
    if reason is not None:
        return earning.none_fired(rules, reason)
    earner = Earner([], [], 0, facts, facts, 0, 0, at=at, rooms=rooms)
    if order is not None:
        earner.lines, earner.line_facts = order.figures.lines, order.line_facts
        earner.shipping_minor = order.figures.shipping_earning_minor
        earner.left_minor = order.figures.net_minor
        earner.whole_minor = order.figures.whole_net_minor
    chosen = earning.choose(program, rules, earner, lambda _: NO_TIER_FACTOR)
    return earning.settle(program, chosen, earner, NO_TIER_FACTOR)


def _write_decision(
    plan: Plan,
    program: Compiled,
    member_id: bytes,
    source: Source,
    decision_id: bytes,
    *,
    asked: Mapping[str, Any],
    result: Earning,
) -> dict[str, Any]:
    """Store what was decided, with the facts that rules were asked by; the row."""
    bound = {"limits": limiting.shown_bound(result)} if result.bound else {}
    taken = {"taken": limiting.shown_taken(result)} if result.taken else {}
    row = {
        "program_id": plan.program_id,
        "id": decision_id,
        "source_type": source.type,
        "source_ref": source.ref,
        "member_id": member_id,
        "version": program.version,
        "switches": program.switches,
        "facts": jsontext.text(dict(asked) | bound),
        "outcomes": jsontext.text(answers.decision_outcomes(result) | taken),
        "effective_at": source.at,
        "recorded_at": plan.now,
    }
    plan.writes.insert(DECISIONS, row)
    return row


def _bring(plan: Plan, program: Compiled, fired: Fired, *, reversal_at: int) -> None:
    """Bring the points that stand to what is deserved; the entries are those made."""
    source, member_id = fired.source, fired.member_id
    cause = Cause(source.type, source.ref, fired.decision_id, plan.actor, source.at, plan.now)
    wanted = {(one.points_key, one.terms): one.points for one in fired.deserved}
    stored = [
        (lot.points_key, parse_terms(lot.terms)) for lot in plan.book.lots_of(source.id, member_id)
    ]
    for points_key, terms in dict.fromkeys([*wanted, *stored]):
        kind = program.kind(points_key)
        fired.made.extend(
            awards.bring_to(
                plan.book,
                wanted.get((points_key, terms), 0),
                Award(source.id, member_id, points_key, terms),
                cause=cause,
                reversal_at=reversal_at,
                policy="within_balance" if kind is None else kind.return_policy,
            )
        )


def stamp(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    given: Given,
    *,
    program: Compiled,
    member_facts: Mapping[str, Any],
    reversal_at: int | None = None,
) -> list[dict[str, Any]]:
    """Bring the stamps of a source to what it deserves, and what completed cards bring with them;
    returns the entries made. `member_facts` are what a completion pins; `reversal_at` as for
    `fire`."""
    made: list[dict[str, Any]] = []
    for claimed in cards.bring(connection, plan, member_id, given, program):
        made += _fire_card(
            connection, plan, member_id, claimed, member_facts, reversal_at=reversal_at
        )
    return made


def complete(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    claims: Sequence[Claimed],
    *,
    member_facts: Mapping[str, Any],
) -> None:
    """Pay completions that were claimed elsewhere; they pin these facts."""
    for claimed in claims:
        _fire_card(connection, plan, member_id, claimed, member_facts, reversal_at=None)


def _fire_card(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    claimed: Claimed,
    member_facts: Mapping[str, Any],
    *,
    reversal_at: int | None,
) -> list[dict[str, Any]]:
    """Pay a completion by the live version, once; afterwards it follows what it pinned."""
    one = claimed.completion
    if one.pinned is None and one.decision_id is not None:
        one.pinned = find_pinned(connection, plan.program_id, one.decision_id)
    elif one.pinned is None:
        balance = plan.book.holding(member_id, plan.live.points[0].key).available
        one.pinned = plan.live, {**member_facts, "member.balance": balance}
    program, pinned = one.pinned
    fired = fire(
        connection,
        plan,
        member_id,
        Source("card", claimed.card_key, one.id, one.completed_at),
        trigger=f"card_completed:{claimed.card_key}",
        program=program,
        member_facts=pinned,
        own_facts={"card.key": claimed.card_key, "card.number": one.number},
        reason=None if one.stands else "not_paid",
        is_new=claimed.is_new,
        decided_id=one.decision_id,
        reversal_at=reversal_at,
    )
    cards.write_claim(plan, member_id, claimed, fired.decision_id)
    cards.note(plan, member_id, claimed, earned=shown(plan, fired))
    return fired.made


def shown(plan: Plan, fired: Fired) -> list[dict[str, Any]]:
    """What stands, as awards of the contract."""
    return answers.shown_awards(
        plan,
        fired.deserved,
        earned_at=fired.source.at,
        lots=plan.book.lots_of(fired.source.id, fired.member_id),
        decision_id=fired.decision_id,
    )


def granted(plan: Plan, fired: Fired) -> list[dict[str, Any]]:
    """What stands, as grants of the contract."""
    return showing.known_of(plan, fired.source.id, fired.member_id)


def owed(plan: Plan, fired: Fired) -> list[dict[str, Any]]:
    """What stands of the cash that is owed, as the contract shows it."""
    return owed_of(plan, fired.source.id, fired.member_id)


def nothing() -> dict[str, Any]:
    """The same where nothing was brought."""
    return {"earned": [], "grants": [], "payables": []}


def brought(plan: Plan, fired: Iterable[Fired]) -> dict[str, Any]:
    """What stands of several, as the contract shows it beside what caused them."""
    found = nothing()
    for one in fired:
        found["earned"] += shown(plan, one)
        found["grants"] += granted(plan, one)
        found["payables"] += owed(plan, one)
    return found

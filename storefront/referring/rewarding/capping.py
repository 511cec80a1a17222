"""Capping: what caps and the budget of an offer leave of one side, and what the side takes of them.

A side claims under its own id, with what its rules claim of their own limits: a place of the cap
as of the qualification (SEMANTICS F47), and of the budget all that it costs. Refuses to give parts:
there is enough for the whole side or it gets nothing.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from loyalty.earning import Earning, Taken
from loyalty.limits import storing
from loyalty.limits.claims import ClaimKey
from programs.compiled import Compiled
from programs.referrals import Offer
from programs.rules import Rule
from rewards.carried import Row
from storefront import limiting
from storefront.costing import Cost, cost_of
from storefront.limiting import Before
from storefront.plan import Plan

#: Rules by themselves, as limits are asked for: known by their identity.
_alone: dict[int, tuple[Rule, ...]] = {}
_ALONE_MAX = 1024


def load(connection: sa.Connection, plan: Plan, side: Row, *, keys: Mapping[str, int]) -> None:
    """Read what a side claims as stored: by these rules, as of these instants."""
    own = [ClaimKey(side.member_id, key, at, side.id) for key, at in keys.items()]
    storing.read(
        connection,
        plan.program_id,
        plan.claims,
        windows=(),
        own=own,
        counters=(),
        is_locking=not plan.is_quote,
    )


def claim_keys(offer: Offer, *, side: str, at: int) -> dict[str, int]:
    """The rules of the offer itself that a side claims by, with the instant that counts."""
    found: dict[str, int] = {}
    if side == "advocate" and offer.cap.limits:
        found[offer.cap.key] = at
    if offer.budget is not None:
        found[offer.budget.key] = at
    return found


def has_place(
    connection: sa.Connection, plan: Plan, program: Compiled, offer: Offer, *, side: Row, at: int
) -> bool:
    """Whether the caps leave the advocate's side a place, as of the qualification."""
    left = _left(connection, plan, program, offer.cap, side=side, at=at)
    return left is None or left > 0


def has_budget(
    connection: sa.Connection,
    plan: Plan,
    program: Compiled,
    offer: Offer,
    *,
    side: Row,
    at: int,
    cost: Cost,
) -> bool:
    """Whether enough of the budget is left for all that a side costs."""
    if offer.budget is None:
        return True
    left = _left(connection, plan, program, offer.budget, side=side, at=at)
    return left is None or cost.in_unit(offer.budget_unit) <= left


def _left(
    connection: sa.Connection, plan: Plan, program: Compiled, rule: Rule, *, side: Row, at: int
) -> int | None:
    """What others leave of a rule's limits; None when there is no end to it."""
    # Not kept: what the side holds itself is nothing that others take.
    before = Before(side.id, side.member_id, (rule,), at, is_kept=False)
    rooms = limiting.rooms(
        connection, plan, program, _by_itself(rule), member_id=side.member_id, at=at, before=before
    )
    found = rooms.get(rule.key)
    return None if found is None else found.left


def _by_itself(rule: Rule) -> tuple[Rule, ...]:
    found = _alone.get(id(rule))
    if found is None or found[0] is not rule:
        if len(_alone) >= _ALONE_MAX:
            _alone.clear()
        found = _alone[id(rule)] = (rule,)
    return found


def take(
    plan: Plan,
    program: Compiled,
    offer: Offer,
    *,
    side: Row,
    trigger: str,
    earning: Earning,
    given_at: int,
    qualified_at: int,
) -> None:
    """Let a side claim what it was given, and nothing else: of the limits of its rules, as of when
    it was given, and of the offer's cap and budget."""
    whose = {"source_id": side.id, "member_id": side.member_id}
    rules = program.rules_of(trigger)
    claims = limiting.claims_of(program, rules, **whose, at=given_at, taken=earning.taken)
    if side.side == "advocate" and offer.cap.limits:
        claims |= limiting.claims_of(
            program,
            _by_itself(offer.cap),
            **whose,
            at=qualified_at,
            taken={offer.cap.key: Taken(0, 1)},
        )
    cost = cost_of(program, earning).in_unit(offer.budget_unit)
    if offer.budget is not None and cost:
        claims |= limiting.claims_of(
            program,
            _by_itself(offer.budget),
            **whose,
            at=qualified_at,
            taken={offer.budget.key: Taken(cost, cost)},
        )
    if claims or plan.claims.of(side.id):
        plan.claims.take(side.id, claims)


def give_back(plan: Plan, side: Row) -> None:
    """Let a side claim nothing any more."""
    if plan.claims.of(side.id):
        plan.claims.take(side.id, {})

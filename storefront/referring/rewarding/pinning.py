"""Pinning: by what a side of a referral was paid first, which every later payment follows.

The version of the offer, the member's facts as of the first payment, and since when it was given.
Refuses to pay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import jsontext
from loyalty.earning import Earning
from members.members import Known
from programs import versions
from programs.compiled import Compiled
from programs.referrals import trigger_of
from referrals.carried import REFERRALS
from rewards.carried import Row
from storefront import answers
from storefront.decisions import DECISIONS
from storefront.membership import member_facts
from storefront.plan import Plan

_NUMBER = "referral.number"


@dataclass(frozen=True, slots=True)
class Pinned:
    """What the first payment of a side pinned, and what the last one came to."""

    program: Compiled
    facts: Mapping[str, Any]
    own: Mapping[str, Any]
    at: int
    outcomes: Mapping[str, Any]


def program_of(connection: sa.Connection, plan: Plan, referral: Row) -> Compiled:
    """The version that a referral is pinned to."""
    return versions.get_compiled(connection, plan.program_id, referral.version, referral.switches)


def first(
    connection: sa.Connection, plan: Plan, referral: Row, side: Row, *, known: Known, at: int
) -> Pinned:
    """What a first payment pins: the member as they are by then."""
    given_at = min(at, plan.now)
    program = program_of(connection, plan, referral)
    facts = plan.referrals.facts.get((known.id, given_at))
    if facts is None or not program.asked <= plan.live.asked:
        # An offer may ask for what nothing live asks for any more.
        asked = program.asked | plan.live.asked
        [facts] = member_facts.before(connection, plan, [(known, given_at)], asked=asked)
    own: dict[str, Any] = {"referral.offer": referral.offer_key}
    if referral.channel:
        own["referral.channel"] = referral.channel
    rules = program.rules_of(trigger_of(side.side, referral.offer_key))
    if any(_NUMBER in rule.when.facts for rule in rules):
        own[_NUMBER] = _number(connection, plan, referral)
    return Pinned(program, facts, own, given_at, {})


def read_ahead(connection: sa.Connection, plan: Plan, moments: Sequence[tuple[Known, int]]) -> None:
    """Read at once what first payments of several members pin, with their accounts."""
    carried = plan.referrals
    facts = member_facts.before(connection, plan, moments)
    for (known, at), one in zip(moments, facts, strict=True):
        carried.facts[known.id, at] = one
        carried.loaded.add(known.id)


def read(connection: sa.Connection, plan: Plan, side: Row) -> Pinned:
    """What was pinned when a side was paid first."""
    here: Pinned | None = plan.referrals.pinned.get(side.id)
    if here is not None:
        return here
    row = connection.execute(
        sa.select(
            DECISIONS.c.version,
            DECISIONS.c.switches,
            DECISIONS.c.facts,
            DECISIONS.c.outcomes,
            DECISIONS.c.effective_at,
        ).where(DECISIONS.c.program_id == plan.program_id, DECISIONS.c.id == side.decision_id)
    ).one()
    facts, outcomes = jsontext.parse(row.facts), jsontext.parse(row.outcomes)
    program = versions.get_compiled(connection, plan.program_id, row.version, row.switches)
    return Pinned(program, facts["member"], facts["own"], row.effective_at, outcomes)


def is_same(earning: Earning, outcomes: Mapping[str, Any]) -> bool:
    """Whether what is deserved is what was given last."""
    now = jsontext.parse(jsontext.text(answers.decision_outcomes(earning)))
    before = {name: value for name, value in outcomes.items() if name != "taken"}
    return bool(now == jsontext.parse(jsontext.text(before)))


def _number(connection: sa.Connection, plan: Plan, referral: Row) -> int:
    """Which approved friend of the advocate it is, as this unit leaves them."""
    carried = plan.referrals.referrals
    stored: int = connection.execute(
        sa.select(sa.func.count()).where(
            REFERRALS.c.program_id == plan.program_id,
            REFERRALS.c.advocate_id == referral.advocate_id,
            REFERRALS.c.stands,
            REFERRALS.c.id.not_in(list(carried)),
        )
    ).scalar_one()
    own = [one for one in carried.values() if one.advocate_id == referral.advocate_id]
    return stored + sum(bool(one.stands) for one in own if one.id != referral.id) + 1

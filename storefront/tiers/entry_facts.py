"""Facts of a member as of entering a level: what rules and surprises of that are asked by.

What led to the level counts in, the order among it: they stand as they do once they are there. A
program where nothing asks for more than who they are and what they hold costs no statement here.
"""

from typing import Any

import sqlalchemy as sa

from core import clock
from loyalty.tiers.claims import Claim
from loyalty.tiers.standing import Standing
from members.facts import member_facts
from members.members import Known
from programs.compiled import APPROVED_REFERRALS
from storefront import decide, standing
from storefront.facts import STANDING
from storefront.plan import Plan
from storefront.telling import YEAR
from storefront.tiers import referred

#: What is known without looking back at orders.
_AT_HAND = {"member.tier", "member.balance", APPROVED_REFERRALS}
_LOOKED_BACK = frozenset(fact.name for fact in STANDING) - _AT_HAND
#: No order has this reference, so none is left out.
_NO_ORDER = "\x01"


def of_entry(
    connection: sa.Connection, plan: Plan, claim: Claim, person: Known, *, stood: Standing
) -> dict[str, Any]:
    """The facts as of when the level was entered, on which the member stands so since."""
    live, at = plan.live, claim.since
    balance = plan.book.holding(claim.member_id, live.points[0].key).available
    if live.asked.isdisjoint(_LOOKED_BACK):
        facts = member_facts(
            joined_at=person.joined_at,
            is_enrolled=person.is_enrolled,
            locale=person.locale,
            attributes=person.attributes,
            at=at,
            zone=live.zone,
        )
        facts["member.balance"] = balance
    else:
        year_from = clock.before(at, YEAR, live.zone)
        item = standing.Item(claim.member_id, _NO_ORDER, at, year_from, at, at)
        [read] = standing.read(connection, plan.program_id, [item])
        plan.adjust(read.sums, item)
        facts = decide.facts_of(live, person, read.sums, at=at, stood=stood, balance=balance)
    facts["member.tier"] = claim.level_key
    known = plan.referrals.referrals
    return facts | referred.facts(connection, live, claim.member_id, at=at, known=known)

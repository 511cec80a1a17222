"""Proof of what sides of referrals cost, and of what they take of their offer's cap and budget.

Rows are those of the proof of what claims paid (`fired`), with what must be known of the referral:
`side`, `cost_minor`, `offer_key` and `qualified_at`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core import jsontext
from loyalty.earning import Earning, Taken
from loyalty.exact import Earned
from loyalty.limits.claims import Claim
from programs.compiled import Compiled
from programs.referrals import BUDGET_PREFIX, CAP_PREFIX, Offer
from server.verify.rows import Place, Report
from storefront import costing, limiting


def claims(program: Compiled, row: Any, stored_claims: Sequence[Any]) -> dict[str, Claim]:
    """What a side that stands takes of its offer's cap and budget."""
    offer = program.offer(row.offer_key)
    if offer is None or not row.stands:
        return {}
    stored = {one.rule: one.at for one in stored_claims if one.rule.startswith(_PREFIXES)}
    found: dict[str, Claim] = {}
    for rule, taken in _taken(program, offer, row):
        # Of a friend who is paid at once it is counted since the binding.
        is_late = row.side != "friend" and row.qualified_at is not None
        at = row.qualified_at if is_late else stored.get(rule.key, row.effective_at)
        found |= limiting.claims_of(
            program,
            (rule,),
            source_id=bytes(row.id),
            member_id=bytes(row.member_id),
            at=at,
            taken={rule.key: taken},
        )
    return found


_PREFIXES = (CAP_PREFIX, BUDGET_PREFIX)


def check_cost(report: Report, program: Compiled, row: Any) -> None:
    """What a side costs is what its decision came to."""
    cost = 0
    if row.stands and row.outcomes is not None:
        cost = costing.cost_of(program, _earning(jsontext.parse(row.outcomes))).minor
    place: Place = ("rsd", row.id, "")
    report.compare("referral_sides", place, "cost_minor", row.cost_minor, cost)


def _taken(program: Compiled, offer: Offer, row: Any) -> list[tuple[Any, Taken]]:
    found: list[tuple[Any, Taken]] = []
    if row.side == "advocate" and offer.cap.limits:
        found.append((offer.cap, Taken(0, 1)))
    if offer.budget is not None:
        cost = costing.cost_of(program, _earning(jsontext.parse(row.outcomes)))
        spent = cost.points if offer.budget_unit == "points" else cost.minor
        if spent:
            found.append((offer.budget, Taken(spent, spent)))
    return found


def _earning(outcomes: Mapping[str, Any]) -> Earning:
    """What a decision came to, as far as it costs something."""
    return Earning(
        earned=[
            Earned(one["points_key"], one["points"], (), (), one["exact"])
            for one in outcomes["arithmetic"]
        ],
        grants=dict(outcomes.get("grants") or {}),
        payables=dict(outcomes.get("payables") or {}),
    )

"""Which budgets a version has, by the key that each is claimed under.

One view of the budgets of surprises and of referral offers. Refuses to know what is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from loyalty.limits.claims import CounterKey
from programs.compiled import Compiled
from programs.referrals import BUDGET_PREFIX as OFFER_PREFIX
from programs.referrals import Offer
from programs.surprises import Surprise
from rules.limits import BEGINNING

Section = Literal["surprises", "referral_offers"]


@dataclass(frozen=True, slots=True)
class Known:
    """A budget: `rule` is the key that it is claimed under. Once less than `least` is left nothing
    more can be had of it."""

    section: Section
    key: str
    rule: str
    unit: str
    total: int
    per_day: int | None
    least: int

    def of_day(self) -> "Known | None":
        """What a day may have of it, which is a budget of its own; None without a day's share."""
        return None if self.per_day is None else replace(self, total=self.per_day)

    @property
    def counter(self) -> CounterKey:
        """Where what is used of the total is counted."""
        return CounterKey(self.rule, "ever", BEGINNING, "points")

    def day_counter(self, starts_at: int) -> CounterKey:
        """Where what is used on the local day that starts then is counted."""
        return CounterKey(self.rule, "day", starts_at, "points")


def all_of(program: Compiled) -> Iterator[Known]:
    """Every budget, surprises first."""
    for surprise in program.surprises.all:
        found = of_surprise(surprise)
        if found is not None:
            yield found
    for offer in program.offers:
        known = of_offer(offer)
        if known is not None:
            yield known


def of_surprise(surprise: Surprise) -> Known | None:
    """The budget of a surprise: no draw is made without its dearest prize. A prize that is a share
    of an order costs at least something."""
    budget = surprise.budget
    if budget is None:
        return None
    is_points = budget.unit == "points"
    costs = (one.fixed_points if is_points else one.fixed_minor for one in surprise.prizes)
    return Known(
        section="surprises",
        key=surprise.key,
        rule=budget.rule.key,
        unit=budget.unit,
        total=budget.total,
        per_day=budget.per_day,
        least=max(1, *(cost or 0 for cost in costs)),
    )


def of_offer(offer: Offer) -> Known | None:
    """The budget of a referral offer."""
    if offer.budget is None:
        return None
    [limit] = offer.budget.limits
    return Known(
        section="referral_offers",
        key=offer.key,
        rule=OFFER_PREFIX + offer.key,
        unit=offer.budget_unit,
        total=limit.most,
        per_day=None,
        least=1,
    )


def find(program: Compiled, rule: str) -> Known | None:
    """The budget that is claimed under a key."""
    return next((one for one in all_of(program) if one.rule == rule), None)

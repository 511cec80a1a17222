"""Deciding: a program version applied to facts. Pure: no database, no clock, no chance.

The one place that composes earning, tiers and the facts of orders and members. Quotes, orders,
refunds and back-tests all call it, so a quote always equals the award.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import clock
from loyalty import earning
from loyalty.earning import Earning
from loyalty.exact import Earner, TierFactor
from loyalty.tiers.contributions import Contribution
from loyalty.tiers.factor import factor as tier_factor
from loyalty.tiers.standing import Standing
from members.facts import member_facts
from members.members import Known
from orders import figures
from orders.figures import OrderFigures
from programs.compiled import APPROVED_REFERRALS, Compiled
from programs.segments import SEGMENTS, keys_of
from rules.limits import Room
from rules.outcomes import Reason
from segments import rhythm
from segments.facts import AT_RISK, SPEND_RANK, TERM_LEFT
from storefront.standing import Sums


@dataclass(frozen=True, slots=True)
class Pinned:
    """What the first decision of an order for a member holds fast: version and facts."""

    program: Compiled
    facts: Mapping[str, Any]
    level_key: str | None
    #: The metrics in the window before the order, as the ladder names them.
    metric_before: tuple[int, ...]
    #: The level was given by hand: no order moves it.
    is_fixed: bool = False

    @classmethod
    def of_facts(cls, program: Compiled, facts: Mapping[str, Any]) -> "Pinned":
        """From the facts that a decision stored."""
        tier = facts["tier"]
        before = tier["metric_before"]
        metrics = tuple(before) if isinstance(before, list) else (before,)
        return cls(program, facts["member"], tier["key"], metrics, tier.get("is_manual", False))

    def shown_tier(self) -> dict[str, Any]:
        """The same as decisions store it."""
        before = self.metric_before
        shown = {
            "key": self.level_key,
            "metric_before": before[0] if len(before) == 1 else list(before),
        }
        return shown | ({"is_manual": True} if self.is_fixed else {})


@dataclass(slots=True)
class Decided:
    """What an order deserves now."""

    pinned: Pinned
    figures: OrderFigures
    stands: bool
    is_first: bool
    earning: Earning
    order_facts: Mapping[str, Any]
    #: As if nothing had been refunded, where that differs: what kept bonuses are judged by.
    whole_facts: Mapping[str, Any] | None

    @property
    def spend_minor(self) -> int:
        """Money that earns, while the order stands."""
        return self.figures.spend_minor if self.stands else 0

    @property
    def qualifying_points(self) -> int:
        """Points that count for tiers, while the order stands."""
        return self.earning.qualifying_points if self.stands else 0


def pin(
    program: Compiled,
    member: Known,
    sums: Sums,
    *,
    at: int,
    stood: Standing,
    balance: int,
) -> Pinned:
    """The member's facts as of `at`, before the order."""
    facts = facts_of(program, member, sums, at=at, stood=stood, balance=balance)
    return Pinned(program, facts, stood.key, sums.values(program.ladder), stood.is_manual)


def facts_of(
    program: Compiled,
    member: Known,
    sums: Sums,
    *,
    at: int,
    stood: Standing,
    balance: int,
    asked: Collection[str] | None = None,
) -> dict[str, Any]:
    """Who the member is and how they stand as of `at`; what costs more than that, as far as the
    program asks for it, else as far as it is `asked`."""
    facts = member_facts(
        joined_at=member.joined_at,
        is_enrolled=member.is_enrolled,
        locale=member.locale,
        attributes=member.attributes,
        at=at,
        zone=program.zone,
    )
    facts["member.order_count"] = sums.count
    facts["member.spend_minor"] = sums.spend
    facts["member.spend_12m_minor"] = sums.year_spend
    facts["member.balance"] = balance
    asked = program.asked if asked is None else asked
    if APPROVED_REFERRALS in asked:
        facts[APPROVED_REFERRALS] = sums.approved_referrals
    if stood.key is not None:
        facts["member.tier"] = stood.key
    if sums.last_at is not None:
        today = clock.local_date(at, program.zone)
        last = clock.local_date(sums.last_at, program.zone)
        facts["member.days_since_last_order"] = (today - last).days
    if asked:
        facts |= _further(program, facts, sums, at=at, stood=stood, asked=asked)
    return facts


def _further(
    program: Compiled,
    facts: Mapping[str, Any],
    sums: Sums,
    *,
    at: int,
    stood: Standing,
    asked: Collection[str],
) -> dict[str, Any]:
    """The facts that are only told where something asks for them."""
    zone, found = program.zone, dict[str, Any]()
    if sums.placed is not None:
        found |= rhythm.facts_of(sums.placed, at=at, zone=zone, asked=asked)
    if SPEND_RANK in asked and sums.spend_rank_bp is not None:
        found[SPEND_RANK] = sums.spend_rank_bp
    if TERM_LEFT in asked and stood.level is not None and stood.until is not None:
        left = clock.local_date(stood.until, zone) - clock.local_date(at, zone)
        found[TERM_LEFT] = max(0, left.days)
    if AT_RISK in asked:
        found[AT_RISK] = stood.is_at_risk
    if SEGMENTS in asked:
        found[SEGMENTS] = keys_of(program.segments, {**facts, **found})
    return found


def is_standing(status: str, order: OrderFigures) -> bool:
    """Whether an order counts: paid or fulfilled, and not wholly refunded."""
    return status in ("paid", "fulfilled") and not order.is_wholly_refunded


def figure(program: Compiled, body: Mapping[str, Any]) -> OrderFigures:
    """The figures of an order or cart under a program's basis."""
    return figures.figure(body, program.basis, prices_include_tax=program.prices_include_tax)


def decide_order(
    pinned: Pinned,
    body: Mapping[str, Any],
    *,
    order: OrderFigures,
    stands: bool,
    is_first: bool,
    is_history: bool,
    at: int,
    rooms: Mapping[str, Room],
) -> Decided:
    """What an order deserves: its figures under pinned facts, as of when it was placed, and the
    claims it holds; `rooms` are what limits leave of the rules that have any."""
    program = pinned.program
    rules = program.rules.get("order", ())
    facts = figures.order_facts(body, order, is_whole=False)
    facts["order.is_first"] = is_first
    whole = None
    reason: Reason | None = None if stands else "not_paid"
    if not pinned.facts["member.is_enrolled"]:
        reason = "no_member"
    if reason is not None:
        result = earning.none_fired(rules, reason)
    else:
        if _is_partly_back(order, body):
            whole = figures.order_facts(body, order, is_whole=True) | {"order.is_first": is_first}
        judged = {**pinned.facts, **facts}
        facts_whole = {**pinned.facts, **whole} if whole else judged
        result = _earn(pinned, order, judged, facts_whole, at=at, rooms=rooms)
        if is_history:
            # What is moved in was rewarded where it came from; it only counts.
            result.earned.clear()
            result.stamps.clear()
            result.grants.clear()
            result.payables.clear()
            result.taken.clear()
            result.bound.clear()
            result.outcomes = earning.none_fired(rules, "already_paid").outcomes
    return Decided(pinned, order, stands, is_first, result, facts, whole)


def _is_partly_back(order: OrderFigures, body: Mapping[str, Any]) -> bool:
    """Whether less is left of an order than was bought: money, or pieces that cost nothing."""
    if order.net_minor != order.whole_net_minor or order.refunded_minor:
        return True
    return any(line.get("refunded_quantity") for line in body["lines"])


def _earn(
    pinned: Pinned,
    order: OrderFigures,
    facts: Mapping[str, Any],
    whole: Mapping[str, Any],
    *,
    at: int,
    rooms: Mapping[str, Room],
) -> Earning:
    program = pinned.program
    earner = Earner(
        lines=order.lines,
        line_facts=[figures.line_facts(line) for line in order.lines],
        shipping_minor=order.shipping_earning_minor,
        facts=facts,
        facts_whole=whole,
        left_minor=order.net_minor,
        whole_minor=order.whole_net_minor,
        at=at,
        rooms=rooms,
    )
    ladder = program.ladder
    held = ladder.find(pinned.level_key)

    def factor(fired: Sequence[Any]) -> TierFactor:
        points = earning.qualifying(program, fired, earner) if "points" in ladder.metrics else 0
        own = Contribution(at, order.spend_minor, points)
        return tier_factor(
            program,
            held,
            before=pinned.metric_before,
            adds=own.values(ladder),
            is_fixed=pinned.is_fixed,
        )

    chosen = earning.choose(program, program.rules.get("order", ()), earner, factor)
    return earning.settle(program, chosen, earner, factor(chosen.fired))

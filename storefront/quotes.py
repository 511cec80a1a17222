"""Quotes: the same decision as an order's, thrown away. Writes nothing, draws nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db, language
from core.errors import FieldError, invalid
from loyalty.tiers.contributions import Contribution
from members import members
from members.members import Known
from orders import figures
from programs import versions
from programs.compiled import Compiled
from rewards import guesses, paying
from rewards.guesses import Claim
from storefront import answers, cards, decide, decisions, limiting, orders, standing
from storefront.decide import Decided
from storefront.decisions import Told
from storefront.explanations import missing
from storefront.plan import Plan, begin
from storefront.redeeming import at_once, catalogue
from storefront.redeeming.at_once import Got
from storefront.standing import Read
from storefront.telling import Telling, item_of
from storefront.tiers import levels, tier_entries
from storefront.tiers.tier_entries import Followed
from storefront.vouchers import quoted as quoted_codes
from storefront.vouchers.quoted import Looked

#: No stored order can have this reference: it is not printable.
_NO_ORDER = "\x01"
_NOBODY = Known(bytes(16), "", is_enrolled=False, joined_at=0, locale=None, attributes={})


@dataclass(frozen=True, slots=True)
class Quoted:
    """A cart as it was decided, and what it was decided with."""

    plan: Plan
    telling: Telling
    read: Read
    decided: Decided

    def told(self, order_ref: str = "") -> Told:
        """The decision in words."""
        facts = answers.decision_facts(self.decided) | {"status": self.telling.body["status"]}
        outcomes = answers.decision_outcomes(self.decided.earning)
        program = self.decided.pinned.program
        return Told(None, program, "order", order_ref, "order", facts, outcomes)


def quote(
    program_id: bytes, body: Mapping[str, Any], *, key_id: bytes | None = None
) -> dict[str, Any]:
    """What a cart would earn if it were ordered and paid at `at` (now when absent). Wrong codes
    in it are counted: against `key_id` where neither member nor address is known."""
    claimed = quoted_codes.claim(program_id, body, key_id=key_id)
    # Where the cart is refused, none of them is told to be right or wrong.
    right: Iterable[str] = claimed.texts
    try:
        # Codes are looked up one way, however many of them there are.
        read = db.reading if body["cart"].get("codes") else db.reading_little
        answer, codes = read(lambda connection: _quote(connection, program_id, body, claimed))
        right = codes.usable
    finally:
        guesses.give_back(claimed, right)
    return answer


def _quote(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], claimed: Claim
) -> tuple[dict[str, Any], Looked]:
    ref, got = body.get("member_ref"), None
    if ref is not None:
        got = at_once.read(connection, program_id, ref, at=body.get("at"), is_cart=True)
    if got is None:
        live, now = versions.get_live(connection, program_id)
    else:
        live, now = got.live, got.now
    at = min(body.get("at") or now, now)
    cart = {**body["cart"], "placed_at": at, "paid_at": at, "status": "paid", "is_history": False}
    figures.check(cart, currency=live.currency, pointer="/cart")
    member = None if got is None else got.known
    if ref is not None and member is None:
        member = members.find(connection, program_id, ref)
        if member is None and not live.auto_enrol:
            raise invalid(
                [FieldError("/member_ref", "unknown_member", "no member has this reference")]
            )
        if member is None:
            member = Known(bytes(16), ref, True, at, None, {})
    codes = quoted_codes.look(connection, live, now, body, member=member, claimed=claimed)
    quoted = decide_cart(connection, live, now, cart=codes.cart(cart), member=member, got=got)
    plan, telling, read, decided = quoted.plan, quoted.telling, quoted.read, quoted.decided
    tier, shown, rewards = None, list[dict[str, Any]](), list[dict[str, Any]]()
    slider = _slider(plan, member, decided)
    facts = {**decided.pinned.facts, **decided.order_facts}
    if member is not None:
        # Before the cart itself moves anything.
        rewards = catalogue.quoted(
            connection,
            plan,
            member.id,
            at=at,
            level_key=decided.pinned.level_key,
            facts=facts,
            order=decided.figures,
            got=got,
        )
        own = Contribution(at, decided.spend_minor, decided.qualifying_points)
        tier = _tier_after(plan, telling, read, own)
        shown = cards.as_quoted(connection, plan, member.id, at=at, stamps=decided.earning.stamps)
    answer = {
        "earned": answers.awards(plan, decided, earned_at=at),
        "tier": tier,
        "cards": shown,
        **slider,
        "rewards": rewards,
        "codes": codes.shown(decided.figures, facts),
        "missing": _missing(quoted, rewards) if member is not None else [],
    }
    return answer, codes


def _missing(quoted: Quoted, rewards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How much more money the cart would need for rules, and for rewards that lack nothing else;
    the least first."""
    decided = quoted.decided
    found = decisions.more_minor(
        decided.pinned.program,
        decided.earning.outcomes,
        facts={**decided.pinned.facts, **decided.order_facts},
    )
    for one in rewards:
        reasons = one["unavailable_reasons"]
        if len(reasons) == 1 and "missing_minor" in reasons[0]:
            minor = reasons[0]["missing_minor"]
            name = language.name_of(one["name"], one["key"])
            found.append(missing.more_for_reward(quoted.plan.live, minor, one["key"], name))
    return sorted(found, key=lambda one: one["minor"])


def _slider(plan: Plan, member: Known | None, decided: Decided) -> dict[str, Any]:
    """How much of the cart can be paid with points; why not, where the program lets points pay and
    they cannot pay here."""
    pay = plan.live.catalogue.pay_with_points
    if pay is None:
        return {"pay_with_points": None}
    if member is None:
        reason = paying.GUEST if pay.is_live else paying.PAUSED
        return {"pay_with_points": None, "pay_with_points_unavailable": [reason.shown()]}
    available = plan.book.holding(member.id, pay.points_key).available
    found = paying.bounds(pay, available=available, order=decided.figures, program=plan.live)
    reasons = {}
    if found.reason is not None:
        reasons["pay_with_points_unavailable"] = [found.reason.shown()]
    return {"pay_with_points": found.shown(pay), **reasons}


def decide_cart(
    connection: sa.Connection,
    live: Compiled,
    now: clock.Instant,
    *,
    cart: Mapping[str, Any],
    member: Known | None,
    got: Got | None = None,
) -> Quoted:
    """Decide on a cart that looks like an order, as if it were told now for a member; `got` is
    what was read of them already."""
    telling = Telling(_NO_ORDER, cart, member=member or _NOBODY)
    plan = begin(connection, live, now=now, is_quote=True)
    if got is not None and got.read is not None:
        telling.item, read = got.item, got.read
        got.count(plan)
    else:
        telling.item = item_of(telling, live, now)
        [read] = standing.read(connection, live.program_id, [telling.item])
    assert telling.item is not None
    plan.book.load(read.holdings)
    if member is not None:
        plan.settle(member.id)
    pinned = orders.pinned_of(connection, plan, telling, read)
    order = decide.figure(live, cart)
    decided = decide.decide_order(
        pinned,
        cart,
        order=order,
        stands=decide.is_standing(cart["status"], order),
        is_first=orders.takes_first(plan, telling, read),
        is_history=False,
        at=telling.item.at,
        rooms=limiting.rooms(
            connection,
            plan,
            live,
            live.rules_of("order"),
            member_id=telling.member.id if telling.member else b"",
            at=telling.item.at,
        ),
    )
    return Quoted(plan, telling, read, decided)


def _tier_after(plan: Plan, telling: Telling, read: Any, own: Contribution) -> dict[str, Any]:
    """The tier as it would be after the order, with the change it would bring."""
    assert telling.member is not None
    assert plan.connection is not None
    source = levels.source_of(telling.order_ref)
    change = levels.advance(plan.connection, plan, telling, read, new=own, source=source)
    people = {telling.member.id: telling.member}
    entered = tier_entries.follow(plan.connection, plan, people=people)
    if change is not None:
        change |= entered.get(telling.member.id, Followed()).shown
    return answers.tier_now(plan, telling.member.id, read, own, change)

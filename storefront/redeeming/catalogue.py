"""The catalogue as a member sees it: every reward with its cost for them, whether they can have it
now, and every reason why not; for a cart, judged with it.

What never changes within an edition of the program is built once. Refuses to show what a reward
costs the program.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext
from loyalty import reading
from members import members
from members.members import Known
from orders.figures import OrderFigures
from programs import triggers, versions
from programs.compiled import Compiled
from programs.rewards import TRIGGER, Catalogue, Reward
from rewards import availability, discounts, grants, vouchers
from rewards.availability import CONDITION, Asked, Reason
from storefront.explanations import missing
from storefront.plan import Plan, begin
from storefront.redeeming import asking, at_once
from storefront.redeeming.at_once import Got
from storefront.redeeming.opened import Opened, OpenGrant

Shown = dict[str, Any]

#: What is shown of rewards whoever asks, by catalogue; known by its identity, and held for that.
_built: dict[int, tuple[Catalogue, "list[_Usual]"]] = {}
_BUILT_MAX = 256
#: What conditions take, told for the facts that they read.
_told: dict[tuple[int, str, bytes], tuple[Catalogue, Shown]] = {}
_TOLD_MAX = 4096


def list_rewards(program_id: bytes, member_ref: str) -> Shown:
    """The rewards for a member, judged without a cart; 404 for an unknown member."""

    def judged(connection: sa.Connection) -> list[Shown]:
        found = at_once.ask(connection, program_id, member_ref)
        if found is None:
            return _list(connection, program_id, member_ref)
        plan, opened, asked = found
        return show(connection, plan, asked, opened)

    return {"data": db.reading_little(judged), "next_cursor": None}


def _list(connection: sa.Connection, program_id: bytes, member_ref: str) -> list[Shown]:
    known = members.get(connection, program_id, member_ref)
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, is_quote=True)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    return of_member(connection, plan, known)


def of_member(
    connection: sa.Connection, plan: Plan, known: Known, *, opened: Opened | None = None
) -> list[Shown]:
    """The rewards for a member whose accounts are loaded and settled, in a plan that is thrown
    away."""
    rewards = plan.live.catalogue.rewards
    if not rewards:
        return []
    if opened is None:
        opened = asking.read(connection, plan, known.id)
    asked = asking.ask(connection, plan, known, rewards=rewards, opened=opened)
    return show(connection, plan, asked, opened)


def quoted(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    *,
    at: int,
    level_key: str | None,
    facts: Mapping[str, Any],
    order: OrderFigures,
    got: Got | None = None,
) -> list[Shown]:
    """The rewards for a member and a cart that was decided, in the plan that decided it; `got` is
    what was read at once for both."""
    rewards = plan.live.catalogue.rewards
    if not rewards:
        return []
    opened = asking.read(connection, plan, member_id) if got is None else got.opened
    asked = asking.gather(
        connection,
        plan,
        member_id,
        rewards=rewards,
        opened=opened,
        at=at,
        level_key=level_key,
        facts=facts,
        order=order,
        rooms=None if got is None else got.rooms,
    )
    return show(connection, plan, asked, opened)


def show(connection: sa.Connection, plan: Plan, asked: Asked, opened: Opened) -> list[Shown]:
    """The rewards as judged, in the order in which they are shown. Whoever is given them changes
    nothing in them: what is as usual is shared."""
    given = _grants(connection, plan, opened.grants) if opened.grants else {}
    level_key, order = asked.level_key, asked.order
    goods_minor = 0 if order is None else discounts.goods_minor(order)
    found = []
    for usual in _usual(plan.live.catalogue):
        reward = usual.reward
        cost = reward.cost(level_key)
        reasons = availability.reasons(reward, asked, cost=cost)
        changes: Shown = {}
        if reasons:
            changes["is_available"] = False
            changes["unavailable_reasons"] = [_reason(one, reward, asked) for one in reasons]
            if reasons[-1].missing_points is not None:
                changes["missing_points"] = reasons[-1].missing_points
        if given and reward.key in given:
            changes["grants"] = given[reward.key]
        if cost != reward.cost_points:
            changes["cost_points"] = cost
        if reward.stock is not None:
            changes["stock_left"] = availability.left(reward, asked)
        if order is None:
            found.append({**usual.shown, **changes} if changes else usual.shown)
            continue
        if usual.takes_off:
            minor = discounts.worth_of(reward, order, goods_minor=goods_minor)
            if minor != usual.discount.get("minor"):
                changes["discount"] = {**usual.discount, "minor": minor}
        found.append({**usual.judged, **changes} if changes else usual.judged)
    return found


@dataclass(frozen=True, slots=True)
class _Usual:
    """A reward as it is shown to whoever can have it for its usual cost; `judged` with a cart."""

    reward: Reward
    shown: Shown
    judged: Shown
    discount: Shown
    takes_off: bool


def _usual(catalogue: Catalogue) -> list[_Usual]:
    known = _built.get(id(catalogue))
    if known is not None and known[0] is catalogue:
        return known[1]
    if len(_built) >= _BUILT_MAX:
        _built.clear()
    made = []
    for reward in catalogue.rewards:
        shown: Shown = {
            "key": reward.key,
            "name": reward.name,
            "description": reward.description,
            "kind": reward.kind,
            "cost_points": reward.cost_points,
            "points_key": reward.points_key,
            "discount": (discount := discounts.shown(reward)),
            "is_available": True,
            "unavailable_reasons": [],
            "needs_cart": reward.needs_cart,
            "min_order_minor": reward.min_order_minor,
            "stock_left": None,
            "has_voucher": reward.voucher is not None,
            "combines": reward.combines,
            "image_url": reward.image_url,
            "terms": reward.terms,
            "category": reward.category,
            "position": reward.position,
            "grants": [],
        }
        takes_off = reward.kind in discounts.TAKES_OFF
        judged = shown | {"needs_cart": False}
        made.append(_Usual(reward, shown, judged, discount, takes_off))
    _built[id(catalogue)] = catalogue, made
    return made


def _reason(reason: Reason, reward: Reward, asked: Asked) -> Shown:
    return _condition(reward, asked) if reason is CONDITION else availability.show(reason)


def _condition(reward: Reward, asked: Asked) -> Shown:
    """What a condition that is not met would take."""
    program = asked.program
    when = reward.of_member if asked.order is None else reward.rule.when
    facts = asked.facts
    read = jsontext.write([facts.get(name) for name in sorted(when.facts)])
    key = (id(program.catalogue), f"{reward.key}:{asked.order is None}", read)
    known = _told.get(key)
    if known is not None and known[0] is program.catalogue:
        return known[1]
    if len(_told) >= _TOLD_MAX:
        _told.clear()
    _told[key] = program.catalogue, (shown := _explained(program, reward, asked))
    return shown


def _explained(program: Compiled, reward: Reward, asked: Asked) -> Shown:
    when = reward.of_member if asked.order is None else reward.rule.when
    needed, ways = missing.of_condition(
        program, when.explain(asked.facts), catalogue=triggers.find_facts(TRIGGER)
    )
    text = missing.advice(program, "condition_not_met", needed)
    shown = availability.show(CONDITION)
    if text is not None:
        shown["detail"] = {one: f"{CONDITION.text[one]} {text[one]}" for one in text}
    shown["missing"] = needed
    if ways:
        shown["alternatives"] = ways
    return shown


def _grants(
    connection: sa.Connection, plan: Plan, opened: Sequence[OpenGrant]
) -> dict[str, list[Shown]]:
    """Open grants by reward, with the codes that they came with."""
    found: dict[str, list[Shown]] = {}
    ids_ = [one.voucher_id for one in opened if one.voucher_id is not None]
    codes = vouchers.shown_all(connection, plan.program_id, ids_)
    for one in opened:
        ends_at = one.expires_at
        found.setdefault(one.reward_key, []).append(
            {
                "id": ids.show_id(grants.PREFIX, one.id),
                "expires_at": None if ends_at is None else clock.format_instant(ends_at),
                "voucher": None if one.voucher_id is None else codes.get(one.voucher_id),
            }
        )
    return found

"""Holding: a member takes a reward, or points that pay, for an open checkout.

The member is locked and settled, what they may have is judged, and what is given is held in one
unit. Refuses to judge by itself: `rewards.availability` says why not, `rewards.paying` how much.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock
from core.errors import FieldError, Problem, invalid, invalid_at, not_found
from loyalty import reading
from members import members
from members.members import Known
from orders import figures
from orders.figures import OrderFigures
from programs import versions
from programs.compiled import Compiled
from programs.rewards import DISCOUNTS, Reward
from rewards import availability, claiming, grants, paying, redemptions, stock, terms
from rewards.availability import Asked, Reason
from rewards.carried import Row
from storefront import answers, decide, finishing
from storefront.activities import inactivity
from storefront.plan import Plan, begin
from storefront.redeeming import asking, listing
from storefront.redeeming.opened import Opened


def hold(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], int]:
    """Hold a reward or points for a member; the answer and 201. 404 for an unknown member or
    reward, 409 that says why not, 422 for points that the program or the cart does not allow."""
    answer, _ = hold_for(connection, program_id, body, actor=actor)
    return answer, 201


def hold_for(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any], *, actor: str | None
) -> tuple[dict[str, Any], bytes]:
    """The same; the answer, and the member whom it tells of."""
    _check(body)
    known = members.find(connection, program_id, body["member_ref"], is_locking=True)
    if known is None or known.is_erased:
        raise not_found("member")
    live, now = versions.get_live(connection, program_id)
    plan = begin(connection, live, now=now, actor=actor)
    plan.book.load(reading.read_holdings(connection, program_id, known.id))
    plan.settle(known.id)
    order = _order(live, body.get("cart"))
    if "reward" in body:
        row = _reward(connection, plan, known, body)
    else:
        row = _points(plan, known, body, order=order)
    if body.get("capture"):
        _capture(connection, plan, row)
    answer = {
        "redemption": listing.show(plan, row, known.member_ref, order=order),
        "balances": answers.balances(plan, known.id),
    }
    finishing.write(connection, plan)
    return answer, known.id


def _capture(connection: sa.Connection, plan: Plan, row: Row) -> None:
    """Have at once what needs no order; 422 for what only an order can say whether it applies."""
    promised = row.frozen
    reward = None if row.reward_key is None else plan.live.catalogue.find(row.reward_key)
    takes_off = promised.kind in (*DISCOUNTS, "free_shipping", terms.PAY_WITH_POINTS)
    asks = promised.min_order_minor > 0 or (reward is not None and reward.needs_cart)
    if promised.voucher is None and (takes_off or asks):
        raise invalid_at("/capture", "is not for this: an order that names the redemption does so")
    redemptions.end(plan, row, "captured")
    if row.points:
        inactivity.follow(connection, plan, row.member_id)


def _check(body: Mapping[str, Any]) -> None:
    if ("reward" in body) == ("pay_with_points" in body):
        raise invalid(
            [FieldError("", "invalid", "needs exactly one of reward and pay_with_points")]
        )
    if "grant_id" in body and "reward" not in body:
        raise invalid_at("/grant_id", "is only for rewards")


def _order(live: Compiled, cart: Mapping[str, Any] | None) -> OrderFigures | None:
    """The figures of the cart; 422 when its amounts contradict each other."""
    if cart is None:
        return None
    figures.check(cart, currency=live.currency, pointer="/cart")
    return decide.figure(live, {**cart, "status": "paid"})


def _points(
    plan: Plan, known: Known, body: Mapping[str, Any], *, order: OrderFigures | None
) -> Row:
    """Hold points that pay a part of an order."""
    pay, points = plan.live.catalogue.pay_with_points, body["pay_with_points"]["points"]
    if pay is None:
        raise invalid_at("/pay_with_points", "the program does not let points pay")
    paying.check(pay, points, order=order)
    promised = terms.of_points(pay, points)
    _replace(plan, known.id, body, promised)
    return redemptions.hold(
        plan,
        known.id,
        promised,
        expires_at=_expires_at(plan, body),
        cart_ref=body.get("cart_ref"),
    )


def _reward(connection: sa.Connection, plan: Plan, known: Known, body: Mapping[str, Any]) -> Row:
    """Hold a reward: by a grant of it that is open, else for its points."""
    opened = asking.read(connection, plan, known.id)
    grant = _grant(plan, known, body, opened)
    if grant is not None:
        return _by_grant(plan, known, body, grant)
    reward = plan.live.catalogue.find(body["reward"])
    if reward is None:
        raise Problem(
            404,
            "not_found",
            f"There is no reward {body['reward']} in this program; its document lists those there"
            " are.",
        )
    # For whatever cost: what is replaced comes back before it is judged what can be paid. A grant
    # may come back so as well, or because what held it has run out, and is used before points.
    _replace(plan, known.id, body, terms.of_reward(reward, 0))
    grant = _freed(plan, known, body)
    if grant is not None:
        return _hold_granted(plan, known, body, grant)
    if "grant_id" in body:
        raise _no_grant(body)
    asked = asking.ask(
        connection, plan, known, rewards=[reward], cart=body.get("cart"), opened=opened
    )
    cost = reward.cost(asked.level_key)
    _judge(reward, asked, availability.reasons(reward, asked, cost=cost))
    return redemptions.hold(
        plan,
        known.id,
        terms.of_reward(reward, cost or 0),
        expires_at=_expires_at(plan, body),
        has_stock=reward.stock is not None,
        stock_first=None if reward.key in asked.stock else reward.stock,
        cart_ref=body.get("cart_ref"),
    )


def _grant(plan: Plan, known: Known, body: Mapping[str, Any], opened: Opened) -> Row | None:
    """The grant to be used: the one that is named, else the open one that ends first."""
    reward_key, named = body["reward"], body.get("grant_id")
    if named is None and not any(
        one.reward_key == reward_key and one.voucher_id is None for one in opened.grants
    ):
        return None
    found = grants.oldest_open(plan, known.id, reward_key, named)
    if found is None and named is not None and plan.live.catalogue.find(reward_key) is None:
        raise _no_grant(body)
    return found


def _freed(plan: Plan, known: Known, body: Mapping[str, Any]) -> Row | None:
    """A grant that this unit has opened again."""
    is_known = any(
        one.member_id == known.id and one.reward_key == body["reward"]
        for one in plan.rewards.grants.values()
    )
    if not is_known:
        return None
    return grants.oldest_open(plan, known.id, body["reward"], body.get("grant_id"))


def _no_grant(body: Mapping[str, Any]) -> Problem:
    return Problem(
        404,
        "not_found",
        f"The member has no open grant {body['grant_id']} of {body['reward']} that is used without"
        " a code.",
    )


def _by_grant(plan: Plan, known: Known, body: Mapping[str, Any], grant: Row) -> Row:
    """Hold what was granted, on the terms of its grant: nothing is judged or paid, and its stock
    was taken when it was granted."""
    _replace(plan, known.id, body, grant.frozen)
    return _hold_granted(plan, known, body, grant)


def _hold_granted(plan: Plan, known: Known, body: Mapping[str, Any], grant: Row) -> Row:
    return redemptions.hold(
        plan,
        known.id,
        grant.frozen,
        expires_at=_expires_at(plan, body),
        cart_ref=body.get("cart_ref"),
        grant_id=grant.id,
    )


def _expires_at(plan: Plan, body: Mapping[str, Any]) -> int:
    return clock.after(plan.now, clock.parse_duration(body["ttl"]), plan.live.zone)


def _replace(plan: Plan, member_id: bytes, body: Mapping[str, Any], promised: terms.Terms) -> None:
    """Let a new hold take the place of the open one of its kind for the same cart; 409 where
    another one there, or this one, does not combine. What an order keeps is not in the cart."""
    opened = redemptions.open_of(plan, member_id)
    cart_ref = body.get("cart_ref")
    if cart_ref is None:
        return
    others = [one for one in opened if one.cart_ref == cart_ref and one.kept_by is None]
    for one in others:
        if one.kind == promised.kind:
            redemptions.end(plan, one, "released")
    # What came back after its date is gone before anything else is held.
    plan.settle(member_id)
    beside = [one for one in others if one.state == "held"]
    alone = next((one.frozen for one in beside if not one.frozen.combines), None)
    if beside and (alone is not None or not promised.combines):
        named = promised if alone is None else alone
        raise Problem(
            409,
            "state_conflict",
            f"{named.reward_key} does not combine with others: release what is held for cart "
            f"{cart_ref} first. Nothing changed.",
            state="held",
        )


def _judge(reward: Reward, asked: Asked, reasons: Sequence[Reason]) -> None:
    """409 by the first reason why not."""
    if not reasons:
        return
    reason = reasons[0]
    if reason.code == "out_of_stock":
        raise stock.out_of_stock(reward.key)
    if reason.code == "limit_reached":
        raise claiming.limit_reached(reward.key)
    detail = f"{reward.key}: {reason.detail} Nothing changed."
    if reason.code in ("insufficient_points", "negative_balance"):
        available = asked.available[reward.points_key]
        raise Problem(409, "insufficient_points", detail, available=available)
    raise Problem(409, "state_conflict", detail, state=reason.code)

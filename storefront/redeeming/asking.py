"""Asking: everything that judging rewards takes of a member, gathered in few statements.

For a whole catalogue as for one reward, and never a statement per reward. In a plan that is thrown
away, what has run out is free though nobody has written so yet; who writes sees what is written,
since that is what can be claimed. Refuses to judge: `rewards.availability` does.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from members.facts import member_facts
from members.members import Known
from orders import figures
from orders.figures import OrderFigures
from programs.rewards import Reward
from rewards import claiming, grants, redemptions
from rewards.availability import Asked
from rewards.carried import REDEMPTIONS
from rules.limits import Room
from storefront import decide, limiting, standing
from storefront.plan import Plan
from storefront.redeeming import opened as opened_
from storefront.redeeming.opened import Opened, OpenGrant
from storefront.standing import Read
from storefront.telling import Telling, item_of
from storefront.tiers import levels

#: No order has this reference, so none is left out of what a member's orders come to.
_NO_ORDER = "\x01"


def read(connection: sa.Connection, plan: Plan, member_id: bytes) -> Opened:
    """What is there for a member beside their points."""
    return opened_.read(connection, plan.program_id, member_id, now=plan.now)


def ask(
    connection: sa.Connection,
    plan: Plan,
    known: Known,
    *,
    rewards: Sequence[Reward],
    cart: Mapping[str, Any] | None = None,
    opened: Opened | None = None,
) -> Asked:
    """What judging these rewards takes of a member as of now, with a checked cart or without one;
    the member's accounts are loaded and settled."""
    level_key, facts, read_ = None, facts_of_row(plan, known), None
    asks_first = cart is not None and any(
        "order.is_first" in reward.rule.when.facts for reward in rewards
    )
    if asks_first or any(reward.needs_standing for reward in rewards):
        level_key, facts, read_ = _stood(connection, plan, known)
    order = None
    if cart is not None:
        order = decide.figure(plan.live, cart)
        facts |= figures.order_facts(cart, order, is_whole=False)
        if read_ is not None:
            facts["order.is_first"] = plan.first_ref(known.id, read_.first_ref) is None
    return gather(
        connection,
        plan,
        known.id,
        rewards=rewards,
        opened=read(connection, plan, known.id) if opened is None else opened,
        at=plan.now,
        level_key=level_key,
        facts=facts,
        order=order,
    )


def gather(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    *,
    rewards: Sequence[Reward],
    opened: Opened,
    at: int,
    level_key: str | None,
    facts: Mapping[str, Any],
    order: OrderFigures | None = None,
    rooms: Mapping[str, Room] | None = None,
) -> Asked:
    """The same where level and facts are known, and `rooms`, if they are."""
    if opened.is_over and plan.is_quote:
        _give_up_over(connection, plan, member_id)
    _follow(plan, member_id, opened)
    catalogue = plan.live.catalogue
    is_all = rewards is catalogue.rewards
    rules = catalogue.rules if is_all else tuple(reward.rule for reward in rewards)
    # One that comes with a voucher is used by its code alone.
    usable = Counter(one.reward_key for one in opened.grants if one.voucher_id is None)
    return Asked(
        program=plan.live,
        at=at,
        level_key=level_key,
        facts=facts,
        available={
            kind.key: plan.book.holding(member_id, kind.key).available for kind in plan.live.points
        },
        stock=_stock(plan, opened),
        rooms=limiting.rooms(connection, plan, plan.live, rules, member_id=member_id, at=at)
        if rooms is None
        else rooms,
        grants=usable,
        coded=frozenset(one.reward_key for one in opened.grants if one.voucher_id is not None),
        empty_pools=frozenset(_pools(rewards) - opened.pools),
        order=order,
    )


def _pools(rewards: Sequence[Reward]) -> set[str]:
    """The pools that rewards take their codes from, whether there are such pools or not."""
    return {
        reward.voucher.pool
        for reward in rewards
        if reward.voucher is not None and reward.voucher.pool is not None
    }


def _give_up_over(connection: sa.Connection, plan: Plan, member_id: bytes) -> None:
    """Give back, in a plan that is thrown away, what holds of the member's own that have run out
    still take; their points are given back with their accounts."""
    rows = connection.execute(
        sa.select(REDEMPTIONS).where(
            REDEMPTIONS.c.program_id == plan.program_id,
            REDEMPTIONS.c.member_id == member_id,
            REDEMPTIONS.c.state == sa.literal_column("'held'"),
            REDEMPTIONS.c.expires_at <= plan.now,
        )
    )
    for row in map(redemptions.row_of, rows):
        claiming.give_back(plan, row)
        if row.has_stock:
            plan.rewards.take(row.reward_key, -1)
        grant = None if row.grant_id is None else grants.find_by_id(plan, row.grant_id)
        if grant is not None and grant.redemption_id == row.id:
            grants.give_up(plan, grant)


def _follow(plan: Plan, member_id: bytes, opened: Opened) -> None:
    """Bring open grants up to what this unit has made of them."""
    known = [one for one in plan.rewards.grants.values() if one.member_id == member_id]
    if known:
        ids = {one.id for one in known}
        opened.grants = [one for one in opened.grants if one.id not in ids] + [
            OpenGrant(one.id, one.reward_key, one.voucher_id, one.expires_at)
            for one in known
            if grants.state_of(one, plan.now) == "open"
        ]
        opened.grants.sort(key=lambda one: one.id)


def _stock(plan: Plan, opened: Opened) -> dict[str, tuple[int, int]]:
    """Stock as this unit leaves it, and what has run out given back where that only is read."""
    over = opened.over if plan.is_quote else {}
    taken = plan.rewards.stock
    if not over and not taken:
        return opened.stock
    return {
        key: (total, used + taken.get(key, 0) - over.get(key, 0))
        for key, (total, used) in opened.stock.items()
    }


def facts_of_row(plan: Plan, known: Known) -> dict[str, Any]:
    """What is known of a member without what their orders come to."""
    facts = member_facts(
        joined_at=known.joined_at,
        is_enrolled=known.is_enrolled,
        locale=known.locale,
        attributes=known.attributes,
        at=plan.now,
        zone=plan.live.zone,
    )
    facts["member.balance"] = plan.book.holding(known.id, plan.live.points[0].key).available
    return facts


def _stood(
    connection: sa.Connection, plan: Plan, known: Known
) -> tuple[str | None, dict[str, Any], Read]:
    """The member's level and facts as before an order placed now."""
    telling = Telling(_NO_ORDER, {"placed_at": plan.now}, member=known)
    telling.item = item_of(telling, plan.live, plan.now)
    [found] = standing.read(connection, plan.program_id, [telling.item])
    stood = levels.before(connection, plan, telling, found)
    facts = decide.facts_of(
        plan.live,
        known,
        found.sums,
        at=telling.item.at,
        stood=stood,
        balance=plan.book.holding(known.id, plan.live.points[0].key).available,
    )
    return stood.key, facts, found

"""Giving: one reward to one member, with its code and one of its stock.

What cannot be given (paused, none left) is said, never raised: what happened is never refused for
it. Refuses to decide who deserves a reward.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from core import ids
from core.errors import Problem
from programs.rewards import Reward
from rewards import grants, issuing, stock, terms, vouchers
from rewards.carried import Row
from rules.outcomes import Reason
from storefront.plan import Plan


@dataclass(frozen=True, slots=True)
class Origin:
    """Where grants come from: what happened and when, and what decided it."""

    type: str
    ref: str
    id: bytes
    at: int
    decision_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class By:
    """What gives one of them: a rule of an edition of the program, for the nth time; or a hand,
    with a reason."""

    rule: str
    edition: tuple[int, int]
    number: int = 1
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a reward was not given: as rules' outcomes say it, and as problems do, where it is
    one."""

    reason: Reason
    code: str | None
    detail: str


def give(
    connection: sa.Connection,
    plan: Plan,
    member_id: bytes,
    reward: Reward,
    *,
    origin: Origin,
    by: By,
    expires_at: int | None = None,
) -> Row | Refusal:
    """Give a reward, until the end of its own term or until another instant."""
    if not reward.is_live:
        return paused(reward)
    if expires_at is None:
        # The same ends as those of codes: with the last local day (SEMANTICS C17).
        expires_at = vouchers.ends_at(reward.claim_within, origin.at, plan.live.zone)
    row = _row(plan, member_id, reward, origin, by, expires_at=expires_at)
    if expires_at is not None and expires_at <= plan.now:
        row.state, row.due_at, row.ended_at = "lapsed", None, expires_at
    else:
        refusal = take_stock(connection, plan, row, reward.stock) or _issue(plan, row)
        if refusal is not None:
            grants.give_stock_back(plan, row)
            return refusal
    plan.rewards.grants[row.id] = row
    if row.state == "open":
        use_access(row)
    return row


def _row(
    plan: Plan,
    member_id: bytes,
    reward: Reward,
    origin: Origin,
    by: By,
    *,
    expires_at: int | None,
) -> Row:
    version, switches = by.edition
    return Row(
        {
            "program_id": plan.program_id,
            "id": ids.new_id(),
            "member_id": member_id,
            "reward_key": reward.key,
            "source_type": origin.type,
            "source_ref": origin.ref,
            "source_id": origin.id,
            "rule": by.rule,
            "number": by.number,
            "terms": terms.of_reward(reward, 0).text,
            "version": version,
            "switches": switches,
            "state": "open",
            "cause": "stands",
            "has_stock": False,
            "voucher_id": None,
            "redemption_id": None,
            "decision_id": origin.decision_id,
            "reason": by.reason,
            "actor": plan.actor,
            "granted_at": origin.at,
            "recorded_at": plan.now,
            "expires_at": expires_at,
            "due_at": expires_at,
            "ended_at": None,
        },
        is_new=True,
    )


def paused(reward: Reward) -> Refusal:
    """The reward is given to nobody for now."""
    return Refusal("not_live", "state_conflict", f"the reward {reward.key} is paused")


def take_stock(
    connection: sa.Connection, plan: Plan, row: Row, first: int | None
) -> Refusal | None:
    """Take one of a reward's stock for a grant that has none yet; `first` is what a document says
    of it at first, None where it has no stock."""
    if row.has_stock or first is None:
        return None
    key: str = row.reward_key
    known = stock.read(connection, plan.program_id, [key]).get(key)
    total, used = known or (first, 0)
    if used + plan.rewards.stock.get(key, 0) >= total:
        return _none_left(f"no {key} is left in stock")
    row.has_stock = True
    plan.rewards.take(key, 1, first=None if known else first)
    return None


def _none_left(detail: str) -> Refusal:
    return Refusal("limit_reached", "out_of_stock", detail)


def _issue(plan: Plan, row: Row) -> Refusal | None:
    """The code that the reward comes with; it ends with the grant."""
    promised = row.frozen
    if promised.voucher is None:
        return None
    try:
        voucher = issuing.issue(
            plan,
            promised,
            member_id=row.member_id,
            grant_id=row.id,
            state="active",
            at=row.granted_at,
        )
    except Problem as problem:
        if problem.code != "out_of_stock":
            raise
        return _none_left(f"no code of {row.reward_key} is left")
    ends = [one for one in (voucher.expires_at, row.expires_at) if one is not None]
    voucher.expires_at = row.expires_at = row.due_at = min(ends, default=None)
    row.voucher_id = voucher.id
    return None


def use_access(row: Row) -> None:
    """Access is had at once: nobody has to use it, unless by a code."""
    if row.frozen.kind == "access" and row.voucher_id is None:
        row.state, row.due_at, row.ended_at = "used", None, row.granted_at

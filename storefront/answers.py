"""What the use cases answer: awards, orders, tiers and decisions as the contract shows them."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext, signing
from loyalty import showing
from loyalty.deserved import Deserved, by_terms
from loyalty.earning import Earning
from loyalty.ledger.rows import HeldLot
from loyalty.tiers import showing as tiers
from loyalty.tiers.contributions import Contribution
from loyalty.tiers.showing import View
from members import members
from orders.refunds import Refund, fold
from orders.schemas import VOUCHER_IDS
from programs.compiled import Compiled
from programs.triggers import ACTIVITY
from rewards import payables
from storefront import cards as stamp_cards
from storefront import decide, decisions, limiting
from storefront import telling as tellings
from storefront.decide import Decided
from storefront.granting import bringing
from storefront.granting import showing as granting
from storefront.plan import Plan
from storefront.redeeming import named
from storefront.referring.attribution import answering
from storefront.refunding import refunded
from storefront.standing import Read, StoredOrder
from storefront.tiers import places
from storefront.vouchers import told as told_codes

_INSTANTS = ("placed_at", "paid_at", "fulfilled_at", "cancelled_at")
#: How long after it was placed a guest's order can be claimed, and what its token is signed for.
CLAIMABLE = clock.Duration(days=90)
CLAIM = "claim"


def awards(
    plan: Plan,
    decided: Decided,
    *,
    earned_at: int,
    lots: Sequence[HeldLot] = (),
    decision_id: bytes | None = None,
) -> list[dict[str, Any]]:
    """What an order deserves, by kind and terms, with its breakdown; dated by its lots, or as
    they would be when there are none."""
    program = decided.pinned.program
    found = by_terms(program, program.rules_of("order"), decided.earning.earned)
    return shown_awards(plan, found, earned_at=earned_at, lots=lots, decision_id=decision_id)


def shown_awards(
    plan: Plan,
    found: Sequence[Deserved],
    *,
    earned_at: int,
    lots: Sequence[HeldLot],
    decision_id: bytes | None,
) -> list[dict[str, Any]]:
    """Awards as the contract shows them, dated by their lots."""
    return [
        {
            "points_key": one.points_key,
            "points": one.points,
            **_dates(plan, one, earned_at=earned_at, lots=lots),
            "breakdown": [
                {"rule": share.rule, "points": share.points, "detail": share.detail}
                for share in one.breakdown
            ],
            "lines": [{"line_ref": ref, "points": points} for ref, points in one.by_line],
            "decision_id": _decision_id(decision_id),
        }
        for one in found
    ]


def _dates(plan: Plan, one: Deserved, *, earned_at: int, lots: Sequence[HeldLot]) -> dict[str, Any]:
    """State and dates of an award."""
    own = [lot for lot in lots if lot.points_key == one.points_key and lot.terms == one.terms.text]
    if own:
        is_pending = any(lot.is_pending and lot.standing for lot in own)
        available_at, expires_at = own[0].available_at, own[0].expires_at
    else:
        available_at = one.terms.available_at(earned_at, plan.live.zone)
        is_pending = available_at is None or available_at > plan.now
        expires_at = None
        if available_at is not None:
            expires_at = one.terms.expires_at(available_at, plan.live.zone)
    return {
        "state": "pending" if is_pending else "available",
        "available_at": None if available_at is None else clock.format_instant(available_at),
        "expires_at": None if expires_at is None else clock.format_instant(expires_at),
    }


def _decision_id(value: bytes | None) -> str | None:
    return None if value is None else ids.show_id("dec", value)


def decision_outcomes(earning: Earning) -> dict[str, Any]:
    """Outcomes of every rule and the arithmetic, as decisions store them."""
    return {
        "rules": [outcome.shown() for outcome in earning.outcomes],
        "arithmetic": [
            {
                "points_key": one.points_key,
                "exact": one.exact,
                "points": one.points,
                "breakdown": [[share.rule, share.points, share.detail] for share in one.breakdown],
            }
            for one in earning.earned
        ],
        "qualifying_points": earning.qualifying_points,
        **({"stamps": earning.stamps} if earning.stamps else {}),
        **({"grants": earning.grants} if earning.grants else {}),
        **({"payables": earning.payables} if earning.payables else {}),
    }


def decision_facts(decided: Decided) -> dict[str, Any]:
    """What a decision pinned and saw, as decisions store it."""
    facts = {
        "member": decided.pinned.facts,
        "tier": decided.pinned.shown_tier(),
        "order": decided.order_facts,
        "lines": [
            [line.line_ref, line.left_quantity, line.left_minor, line.earning_minor]
            for line in decided.figures.lines
        ],
        "shipping_earning_minor": decided.figures.shipping_earning_minor,
    }
    if decided.whole_facts is not None:
        facts["order_whole"] = decided.whole_facts
    if decided.earning.bound:
        facts["limits"] = limiting.shown_bound(decided.earning)
    return facts


def balances(plan: Plan, member_id: bytes) -> list[dict[str, Any]]:
    """A member's balances of every kind the program has, also where nothing moved yet."""
    keys = [kind.key for kind in plan.live.points]
    keys += [one.points_key for one in plan.book.holdings(member_id)]
    return [
        showing.show_balance(plan.book, plan.book.holding(member_id, key))
        for key in dict.fromkeys(keys)
    ]


def reversed_points(live: Compiled, made: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a request took back, kind by kind, with its entries."""
    by_key: dict[str, list[Mapping[str, Any]]] = {}
    for entry in made:
        if entry["kind"] == "claw_back":
            by_key.setdefault(entry["points_key"], []).append(entry)
    return [
        {
            "points_key": key,
            "points": sum(entry["points"] for entry in entries),
            "entries": [showing.show_entry(entry, live) for entry in entries],
        }
        for key, entries in by_key.items()
    ]


def tier_now(
    plan: Plan, member_id: bytes, read: Read, own: Contribution | None, change: Any
) -> dict[str, Any]:
    """The member's tier as of the clock, with what this order adds."""
    assert plan.connection is not None
    seen = places.view(plan.connection, plan, member_id, read, own=own)
    return tiers.show(plan.live, seen, change=change)


def order(
    plan: Plan,
    telling: Any,
    read: Read,
    *,
    row: Mapping[str, Any],
    decided: Decided | None,
    made: Sequence[Mapping[str, Any]],
    change: dict[str, Any] | None,
    cards: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The answer to an order that was told, or is read."""
    if plan.is_mute:
        return {}
    own = None
    if row["stands"]:
        own = Contribution(row["placed_at"], row["spend_minor"], row["qualifying_points"])
    member = telling.member
    member_ref = None if member is None or member.is_erased else member.member_ref
    body = jsontext.parse(row["snapshot"])
    folded = fold(body, telling.refunds)
    earned_at = min(body.get("paid_at") or body["placed_at"], plan.now)
    return {
        "order": _shown_order(row, body, member_ref)
        | {"refunds": [refunded.show(one, folded) for one in telling.refunds]},
        "earned": awards(
            plan,
            decided,
            earned_at=earned_at,
            lots=plan.book.lots_of(row["id"], member.id) if member else (),
            decision_id=row["decision_id"],
        )
        if decided
        else [],
        "grants": granted(plan, decided, row["id"], member.id) if member and decided else [],
        "payables": payables.shown(decided.earning.payables) if member_ref and decided else [],
        "reversed": reversed_points(plan.live, made),
        "balances": balances(plan, member.id) if member else [],
        "tier": tier_now(plan, member.id, read, own, change) if member else None,
        "cards": list(cards),
        "referral": telling.referral,
        "redemptions": telling.redemptions,
        "codes": telling.codes,
        "surprises": telling.surprises,
        "surprises_revoked": telling.surprises_revoked,
        "problems": [
            *refunded.problems(folded),
            *telling.problems,
            *(granting.problems(plan, member.id) if member else ()),
        ],
        "decision_id": _decision_id(row["decision_id"]),
        **({} if member else {"claim_token": claim_token(plan, row)}),
    }


def granted(
    plan: Plan, decided: Decided, order_id: bytes, member_id: bytes
) -> list[dict[str, Any]]:
    """What stands of the rewards that an order brought its member."""
    program = decided.pinned.program
    if not bringing.concern(program, program.rules_of("order")):
        return []
    return granting.of_source(plan, order_id, member_id)


def claim_token(plan: Plan, row: Mapping[str, Any]) -> str | None:
    """What whoever placed a guest's order proves it by; None once that time is over."""
    expires_at = clock.after(row["placed_at"], CLAIMABLE, plan.live.zone)
    if expires_at <= plan.now:
        return None
    values = [ids.show_id("prg", plan.program_id), ids.show_id("ord", row["id"])]
    return signing.sign(CLAIM, values, expires_at=expires_at)


def _shown_order(
    row: Mapping[str, Any], body: dict[str, Any], member_ref: str | None
) -> dict[str, Any]:
    shown = {name: value for name, value in body.items() if name != VOUCHER_IDS}
    for name in _INSTANTS:
        if shown.get(name) is not None:
            shown[name] = clock.format_instant(shown[name])
    shown |= {
        "placed_at": clock.format_instant(row["placed_at"]),
        "id": ids.show_id("ord", row["id"]),
        "order_ref": row["order_ref"],
        "member_ref": member_ref,
        "revision": row["revision"],
        "is_history": row["is_history"],
        "net_minor": row["net_minor"],
        "refunded_minor": row["refunded_minor"],
        "spend_minor": row["spend_minor"],
        "qualifying_points": row["qualifying_points"],
        "updated_at": clock.format_instant(row["updated_at"]),
    }
    return shown


def misspelt(live: Compiled, kind: str) -> list[dict[str, str]]:
    """That a kind of activity looks misspelt: no rule listens to it and the document declares
    another one much like it."""
    if kind in live.activities or live.hears(ACTIVITY + kind):
        return []
    near = difflib.get_close_matches(kind, live.activities, n=1, cutoff=0.7)
    detail = f"no activity {kind} is declared and no rule listens to it; did you mean {{}}?"
    return [problem("undeclared_kind", "/kind", detail.format(one)) for one in near]


def problem(code: str, pointer: str, detail: str) -> dict[str, str]:
    """Something that could not be honoured."""
    return {"code": code, "pointer": pointer, "detail": detail}


def stored_order(
    connection: sa.Connection, plan: Plan, telling: Any, read: Read, *, is_stale: bool
) -> dict[str, Any]:
    """The answer to an order as it is stored: told again, told stale, or read."""
    stored = read.stored
    assert stored is not None
    row = row_of(telling.order_ref, stored)
    if read.has_refunds:
        told = tellings.read_refunds(connection, plan.program_id, telling.order_ref)
        telling.refunds = [one for one in told if one.is_applied]
    decided = decided_again(connection, plan, stored, telling.refunds)
    named.show_stored(connection, plan, telling, stored)
    told_codes.show_stored(plan, telling, stored)
    shown = stamp_cards.show(connection, plan, telling.member.id) if telling.member else []
    if read.referral is not None and read.referral.order_ref == telling.order_ref:
        telling.referral = answering.stored(connection, plan, telling.member.id)
    elif read.referral is not None:
        telling.referral = answering.waiting(plan, read.referral)
    answer = order(plan, telling, read, row=row, decided=decided, made=[], change=None, cards=shown)
    if is_stale:
        answer["stale"] = True
    return answer


def row_of(order_ref: str, stored: StoredOrder) -> dict[str, Any]:
    """A stored order in the shape of its row."""
    body = jsontext.parse(stored.snapshot)
    return {
        "id": stored.id,
        "order_ref": order_ref,
        "status": body["status"],
        "revision": stored.revision,
        "placed_at": stored.placed_at,
        "snapshot": stored.snapshot,
        "net_minor": stored.net_minor,
        "refunded_minor": stored.refunded_minor,
        "spend_minor": stored.spend_minor,
        "qualifying_points": stored.qualifying_points,
        "stands": stored.stands,
        "is_history": stored.is_history,
        "decision_id": stored.decision_id,
        "updated_at": stored.updated_at,
    }


def decided_again(
    connection: sa.Connection, plan: Plan, stored: StoredOrder, refunds: Sequence[Refund]
) -> Decided | None:
    """The decision that stands for a stored order, made again from what it pinned."""
    if stored.facts is None or stored.version is None:
        return None
    pinned = decisions.pinned_before(connection, plan.program_id, stored)
    body = fold(jsontext.parse(stored.snapshot), refunds).body
    return decide.decide_order(
        pinned,
        body,
        order=decide.figure(pinned.program, body),
        stands=stored.stands,
        is_first=stored.was_first,
        is_history=stored.is_history,
        at=stored.placed_at,
        rooms=limiting.as_decided(
            pinned.program.rules_of("order"), limiting.read_bound(jsontext.parse(stored.facts))
        ),
    )


def member(
    live: Compiled,
    row: Mapping[str, Any],
    consents: Sequence[Any],
    seen: View,
) -> dict[str, Any]:
    """A member with tier and entitlements."""
    return members.show(row, consents) | {
        "tier": tiers.show(live, seen),
        "entitlements": tiers.entitlements(seen.standing),
    }

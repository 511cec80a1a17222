"""Codes in a quote: which of them an order of this cart could use, and what they would take off.

Looks and changes nothing, but that codes are counted as wrong guesses before they are looked at,
in a unit of its own, and those that are right are given back by the caller. Whatever is wrong with
a code of ours, its reason is that of a code that is none. Codes that the program's own rules ask
for are no guesses.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids
from members import members
from members.members import Known
from orders.figures import OrderFigures
from programs import versions
from programs.compiled import Compiled
from programs.rewards import DISCOUNTS
from rewards import codes, discounts, guesses, redemptions, spending, vouchers
from rewards.carried import REDEMPTIONS, Row
from rewards.guesses import Claim
from rules.conditions import Explanation
from rules.facts import Facts
from storefront.plan import begin
from storefront.vouchers import using

_FACT = "order.codes"


@dataclass(slots=True)
class Looked:
    """The codes of a cart, as they were typed, with the vouchers that can be used."""

    texts: Sequence[str] = ()
    usable: Mapping[str, Row] = field(default_factory=dict)
    #: Those that were not looked at, since too many wrong ones were tried.
    unseen: Set[str] = frozenset()

    def cart(self, cart: Mapping[str, Any]) -> Mapping[str, Any]:
        """The cart as the order would be decided: our codes are no facts of it."""
        if not self.usable:
            return cart
        told = [
            ids.show_id(vouchers.PREFIX, self.usable[text].id) if text in self.usable else text
            for text in self.texts
        ]
        return {**cart, "codes": told}

    def shown(self, order: OrderFigures, facts: Facts) -> list[dict[str, Any]]:
        """Each code as the quote answers it; `facts` are the order's and its member's."""
        return [{"code": text, **self._told(text, order, facts)} for text in self.texts]

    def _told(self, text: str, order: OrderFigures, facts: Facts) -> dict[str, Any]:
        if text in self.unseen:
            return {"is_valid": False, "reason": "RATE_LIMITED"}
        voucher = self.usable.get(text)
        if voucher is None:
            return {"is_valid": False, "reason": "NOT_FOUND"}
        return _shown(voucher, order, facts)


def claim(program_id: bytes, body: Mapping[str, Any], *, key_id: bytes | None) -> Claim:
    """Count the codes of a cart as wrong guesses, as many as there is room for, before they are
    looked at; 429 where there is none. Against `key_id` where neither member nor address is
    known."""
    texts = body["cart"].get("codes") or ()
    if not texts:
        return Claim(program_id)

    def unit(connection: sa.Connection) -> Claim:
        live, _ = versions.get_live(connection, program_id)
        declared = _declared(live)
        ref, ip = body.get("member_ref"), (body.get("visitor") or {}).get("ip")
        known = None if ref is None else members.find(connection, program_id, ref)
        member_id = None if known is None else known.id
        whom = guesses.subjects(member_id=member_id, ip=ip, key_id=key_id)
        guessed = [one for one in texts if codes.canonical(one) not in declared]
        return guesses.claim(connection, program_id, whom, guessed)

    return db.in_transaction(unit)


def look(
    connection: sa.Connection,
    live: Compiled,
    now: clock.Instant,
    body: Mapping[str, Any],
    *,
    member: Known | None,
    claimed: Claim,
) -> Looked:
    """Look the codes of a cart up that were claimed, in the same statements whatever they are."""
    texts = body["cart"].get("codes") or ()
    if not texts:
        return Looked()
    member_id = None if member is None or not any(member.id) else member.id
    declared = _declared(live)
    unseen = {
        one for one in texts if one not in claimed.texts and codes.canonical(one) not in declared
    }
    desk = begin(connection, live, now=now, is_quote=True)
    found = vouchers.find_all(desk, [one for one in texts if one not in unseen])
    held = _held(connection, live.program_id, found.values(), now)
    usable = {
        text: row
        for text, row in found.items()
        if using.is_theirs(row, member_id) and _is_usable(row, held, now)
    }
    return Looked(texts, usable, unseen)


def _held(
    connection: sa.Connection, program_id: bytes, rows: Any, now: clock.Instant
) -> set[bytes]:
    """Which of the redemptions behind vouchers are held and no order's."""
    wanted = [row.redemption_id for row in rows if row.redemption_id is not None]
    found = connection.execute(
        sa.select(REDEMPTIONS).where(
            REDEMPTIONS.c.program_id == program_id,
            # Asked all the same where there are none.
            REDEMPTIONS.c.id.in_(wanted or [ids.new_id()]),
        )
    )
    return {
        row.id
        for row in map(redemptions.row_of, found)
        if redemptions.state_of(row, now) == "held" and row.kept_by is None
    }


def _is_usable(row: Row, held: set[bytes], now: clock.Instant) -> bool:
    if row.state == "reserved":
        is_over = row.expires_at is not None and row.expires_at <= now
        return row.redemption_id in held and not is_over
    return spending.is_usable(row, now)


def _shown(voucher: Row, order: OrderFigures, facts: Facts) -> dict[str, Any]:
    terms = voucher.frozen
    missing = terms.min_order_minor - order.net_minor
    if missing > 0:
        return {"is_valid": False, "reason": "BELOW_MIN", "missing_minor": missing}
    is_empty = terms.kind in DISCOUNTS and not discounts.worth(terms, order)
    # What was granted is judged no more by what buying it takes.
    is_met = voucher.grant_id is not None or discounts.is_met(terms, facts)
    if is_empty or not is_met or not discounts.has_line(terms, order):
        return {"is_valid": False, "reason": "CONDITION_NOT_MET"}
    shown: dict[str, Any] = {
        "is_valid": True,
        "discount": discounts.shown(terms, order),
        "expires_at": None
        if voucher.expires_at is None
        else clock.format_instant(voucher.expires_at),
    }
    if vouchers.is_stored_value(voucher):
        shown["remaining_minor"] = voucher.remaining_minor
    return shown


def _declared(live: Compiled) -> set[str]:
    """The codes that the program's rules ask for: the storefront's own."""
    return {
        codes.canonical(text)
        for rule in live.rules_of("order")
        if _FACT in rule.when.facts
        for text in _literals(rule.when.explain({}))
    }


def _literals(explanation: Explanation) -> Iterator[str]:
    if "fact" in explanation:
        value = explanation["value"] if explanation["fact"] == _FACT else None
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield one
    elif "not" in explanation:
        yield from _literals(explanation["not"])
    else:
        for part in explanation.get("all") or explanation.get("any") or ():
            yield from _literals(part)

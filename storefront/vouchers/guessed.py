"""Wrong codes in orders: counted as guesses, which refuses no order.

An order that says which of its codes are none would let somebody try codes without end: what is
wrong in it is counted against its member and the visitor's address, so that quotes and redeeming
are soon closed to them. Codes that look like none of ours are the storefront's own and no guesses.
"""

import functools
import re
from collections.abc import Iterator

import sqlalchemy as sa

from programs.compiled import Compiled
from programs.rewards import DEFAULT_PATTERN
from rewards import codes, guesses
from storefront.plan import Plan
from storefront.telling import Telling

_ANY = f"[{codes.ALPHABET}]"


def count(connection: sa.Connection, plan: Plan, telling: Telling) -> None:
    """Count what an order names and cannot use, within its unit."""
    if telling.named is None or telling.body.get("is_history"):
        return
    wrong = list(dict.fromkeys(_wrong(plan, telling)))
    if not wrong:
        return
    ip = (telling.body.get("visitor") or {}).get("ip")
    member_id = None if telling.member is None else telling.member.id
    whom = guesses.subjects(member_id=member_id, ip=ip)
    guesses.note(connection, plan.program_id, whom, wrong)


def _wrong(plan: Plan, telling: Telling) -> Iterator[str]:
    problems = {one["pointer"] for one in telling.problems if one["code"] == "not_found"}
    for pointer, text, is_known in _named(telling):
        if pointer in problems if is_known else is_like_ours(plan.live, text):
            yield text


def _named(telling: Telling) -> Iterator[tuple[str, str, bool]]:
    """Each code as it was typed, where it stands, and whether it is one of ours."""
    named = telling.named
    for index, text in enumerate(named.sent.get("codes") or ()):
        yield f"/codes/{index}", text, index in named.codes
    for index, payment in enumerate(named.sent.get("payments") or ()):
        if payment.get("code"):
            yield f"/payments/{index}/code", payment["code"], index in named.payments


def is_like_ours(live: Compiled, text: str) -> bool:
    """Whether a code could be one that this program makes."""
    typed = codes.canonical(text)
    patterns = {DEFAULT_PATTERN} | {
        one.voucher.pattern
        for one in live.catalogue.rewards
        if one.voucher is not None and one.voucher.pattern is not None
    }
    return any(_form(pattern).fullmatch(typed) for pattern in patterns)


@functools.lru_cache(maxsize=1024)
def _form(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(codes.canonical(part)) for part in pattern.split("#"))
    return re.compile(_ANY.join(parts))

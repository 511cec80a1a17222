"""Openings: the points, the lifetime figure and the level that a member brings along, once.

Points keep the dates that they had elsewhere, and nobody is told. Refuses what could not count:
a lot or a level that is over already, an unknown kind of points, an unknown level.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, ids, jsontext
from core.errors import FieldError, Problem, invalid
from loyalty.ledger import moves
from loyalty.ledger.entries import Cause
from loyalty.models import Opening
from loyalty.tiers.standing import Assured
from programs.compiled import Compiled
from storefront.plan import Plan
from storefront.telling import FUTURE, ahead
from storefront.tiers import levels
from storefront.tiers.places import Source

OPENINGS: sa.Table = Opening.__table__  # type: ignore[assignment]
PREFIX = "opn"
LOT_MAX = 10**9
LIFETIME_MAX = 10**12


def digest(opening: Mapping[str, Any]) -> bytes:
    """What an opening is recognised by: the same however it is spelled, lots in any order."""
    tier = opening.get("tier")
    value = {
        "lots": sorted(
            [
                lot.get("points_key") or "",
                lot["points"],
                lot["earned_at"],
                lot["expires_at"] is not None,
                lot["expires_at"] or 0,
            ]
            for lot in opening.get("lots") or ()
        ),
        "lifetime_earned": opening.get("lifetime_earned") or 0,
        "tier": None if tier is None else [tier["key"], tier["since"], tier["until"]],
    }
    return hashlib.sha256(jsontext.canonical(value)).digest()


def posted(
    connection: sa.Connection, program_id: bytes, member_ids: Sequence[bytes]
) -> dict[bytes, set[bytes]]:
    """Digests of the openings that members came with, and those merged into them."""
    found: dict[bytes, set[bytes]] = {}
    if member_ids:
        rows = connection.execute(
            sa.select(OPENINGS.c.member_id, OPENINGS.c.digest).where(
                OPENINGS.c.program_id == program_id,
                OPENINGS.c.member_id.in_(member_ids),
                OPENINGS.c.digest.is_not(None),
            )
        )
        for member_id, value in rows:
            found.setdefault(bytes(member_id), set()).add(bytes(value))
    return found


def is_news(
    live: Compiled, opening: Mapping[str, Any], known: Iterable[bytes], *, now: clock.Instant
) -> bool:
    """Whether an opening is to be posted: False when it was; 409 when another one was."""
    known = set(known)
    if digest(opening) in known:
        return False
    if known:
        raise Problem(
            409,
            "state_conflict",
            "The member has another opening already; correct balances with POST /v1/adjustments.",
            state="opened",
        )
    errors = _faults(live, opening, now)
    if errors:
        raise invalid(errors)
    return True


def _faults(live: Compiled, opening: Mapping[str, Any], now: clock.Instant) -> list[FieldError]:
    errors = []
    for index, lot in enumerate(opening.get("lots") or ()):
        at = f"/opening/lots/{index}"
        key = lot.get("points_key")
        if key is not None and live.kind(key) is None:
            errors.append(FieldError(f"{at}/points_key", "unknown", "is no kind of points here"))
        if not 1 <= lot["points"] <= LOT_MAX:
            errors.append(FieldError(f"{at}/points", "invalid", f"must be from 1 to {LOT_MAX}"))
        if lot["earned_at"] > now + FUTURE:
            errors.append(ahead(f"{at}/earned_at", now))
        if lot["expires_at"] is not None and lot["expires_at"] <= now:
            errors.append(
                FieldError(f"{at}/expires_at", "invalid", "is past; leave out what has expired")
            )
    if not 0 <= (opening.get("lifetime_earned") or 0) <= LIFETIME_MAX:
        errors.append(
            FieldError("/opening/lifetime_earned", "invalid", f"must be from 0 to {LIFETIME_MAX}")
        )
    tier = opening.get("tier")
    return errors + ([] if tier is None else _tier_faults(live, tier, now))


def _tier_faults(live: Compiled, tier: Mapping[str, Any], now: clock.Instant) -> list[FieldError]:
    errors = []
    if live.ladder.find(tier["key"]) is None:
        errors.append(FieldError("/opening/tier/key", "unknown", "is no level of the program"))
    if tier["since"] > now + FUTURE:
        errors.append(ahead("/opening/tier/since", now))
    if tier["until"] is not None and tier["until"] <= now:
        errors.append(
            FieldError("/opening/tier/until", "invalid", "is past; leave out what is over")
        )
    return errors


def post(plan: Plan, member_id: bytes, opening: Mapping[str, Any]) -> Assured | None:
    """Add an opening to the plan; answers the level that is to be assured, if it names one."""
    opening_id, first = ids.new_id(), plan.live.points[0].key
    cause = Cause(
        "opening",
        ids.show_id(PREFIX, opening_id),
        None,
        plan.actor,
        plan.now,
        plan.now,
        is_silent=True,
    )
    for lot in opening.get("lots") or ():
        moves.add(
            plan.book,
            plan.book.holding(member_id, lot.get("points_key") or first),
            lot["points"],
            source_id=opening_id,
            cause=cause,
            expires_at=lot["expires_at"],
            earned_at=min(lot["earned_at"], plan.now),
        )
    lifetime = opening.get("lifetime_earned") or 0
    if lifetime:
        holding = plan.book.holding(member_id, first)
        holding.lifetime_earned += lifetime
        holding.is_changed = True
    plan.writes.insert(
        OPENINGS,
        {
            "program_id": plan.program_id,
            "id": opening_id,
            "member_id": member_id,
            "points_key": first,
            "lifetime_earned": lifetime,
            "digest": digest(opening),
            "recorded_at": plan.now,
        },
    )
    tier = opening.get("tier")
    level = None if tier is None else plan.live.ladder.find(tier["key"])
    if tier is None or level is None:
        return None
    promised = Assured(level, min(tier["since"], plan.now), tier["until"])
    source = Source("opening", "opening", ids.show_id(PREFIX, opening_id), is_history=True)
    levels.promise(plan, member_id, promised, source)
    return promised

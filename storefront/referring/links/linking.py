"""Links of members: given to them once for each offer, with everything to share them.

Whoever is known may have one, whether they take part or not. Refuses offers that run no more or
are not for the member's level, and members whom a reviewer has blocked.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import current_app

from config import Settings
from core import clock, ids
from core.errors import Problem, invalid_at, not_found
from members import members
from members.members import Known
from programs import versions
from programs.compiled import Compiled
from programs.referrals import Offer
from referrals import links, sharing
from referrals.links import Held
from referrals.models import ReferralBlock
from rewards import codes as voucher_codes
from rewards.carried import VOUCHERS
from storefront.membership import signup
from storefront.plan import begin

BLOCKS: sa.Table = ReferralBlock.__table__  # type: ignore[assignment]
#: What is shown of the counts of a channel, whether anything was counted or not.
_COUNTED = ("shared", "clicked")

Shown = dict[str, Any]


def issue(
    connection: sa.Connection, program_id: bytes, member_ref: str, body: Mapping[str, Any]
) -> tuple[Shown, int]:
    """The link of a member for an offer; 201 when it is new, else 200. A link that was there is
    the same for ever, with another code to show it by if one is chosen."""
    known = members.find(connection, program_id, member_ref, is_locking=True)
    if known is None or known.is_erased:
        raise not_found("member")
    live, now = versions.get_live(connection, program_id)
    if _is_blocked(connection, program_id, known.id):
        raise _refused("This member cannot refer anybody.", "blocked")
    offer = _offer(connection, live, known, body.get("offer"), now=now)
    held, is_new = links.issue(
        connection, program_id, known.id, offer.key, chosen=body.get("vanity"), now=now
    )
    if body.get("vanity") is not None:
        # Behind what is counted: nobody tries out more words than they may choose.
        _check_ours(connection, live, held.code)
    channel = body.get("channel") or ""
    links.count_share(
        connection,
        program_id,
        held.id,
        channel=channel,
        day=clock.local_date(now, live.zone),
    )
    return show(live, known, held, channel=channel), 201 if is_new else 200


def _is_blocked(connection: sa.Connection, program_id: bytes, member_id: bytes) -> bool:
    found = connection.execute(
        sa.select(BLOCKS.c.member_id).where(
            BLOCKS.c.program_id == program_id, BLOCKS.c.member_id == member_id
        )
    ).first()
    return found is not None


def _check_ours(connection: sa.Connection, live: Compiled, chosen: str) -> None:
    """409 for the code of one of our own vouchers, or one that a reward may come with."""
    digests = voucher_codes.digests(live.program_id, chosen)
    found = connection.execute(
        sa.select(VOUCHERS.c.id).where(
            VOUCHERS.c.program_id == live.program_id, VOUCHERS.c.digest.in_(digests)
        )
    ).first()
    patterns = [one.voucher.pattern for one in live.catalogue.rewards if one.voucher is not None]
    if found is not None or any(
        pattern is not None and voucher_codes.is_like(chosen, pattern) for pattern in patterns
    ):
        raise links.taken()


def _offer(
    connection: sa.Connection, live: Compiled, known: Known, key: str | None, *, now: int
) -> Offer:
    """The offer that is meant: the one that is named, else the first that the member can share."""
    if key is not None:
        named = live.offer(key)
        if named is None:
            raise invalid_at("/offer", f"there is no offer {key} in this program")
        if not named.is_live:
            raise _refused(f"The offer {key} is paused.", "paused")
        if is_over(named, now):
            raise _refused(f"The offer {key} has ended.", "ended")
        if not _is_for(connection, live, known, named, now=now):
            raise _refused(
                f"The offer {key} is for members on {_levels(named)} only.", "tier_required"
            )
        return named
    running = [one for one in live.offers if one.is_live and not is_over(one, now)]
    for one in running:
        if _is_for(connection, live, known, one, now=now):
            return one
    if running:
        raise _refused("No offer of this program is for this member's level.", "tier_required")
    raise _refused("This program has no referral offer at present.", "no_offer")


def is_over(offer: Offer, now: int) -> bool:
    """Whether an offer has ended for good; one that has not begun can be shared already."""
    ends_at = None if offer.schedule is None else offer.schedule.ends_at
    return ends_at is not None and now >= ends_at


def _is_for(
    connection: sa.Connection, live: Compiled, known: Known, offer: Offer, *, now: int
) -> bool:
    if offer.tiers is None:
        return True
    plan = begin(connection, live, now=clock.Instant(now), is_quote=True)
    return signup.seen_now(connection, plan, known.id).standing.key in offer.tiers


def _levels(offer: Offer) -> str:
    return " or ".join(sorted(offer.tiers or ()))


def _refused(detail: str, state: str) -> Problem:
    return Problem(409, "state_conflict", detail, state=state)


def show(live: Compiled, known: Known, held: Held, *, channel: str = "") -> Shown:
    """A link with everything to share it, in the member's locale."""
    offer = live.offer(held.offer_key)
    shared = sharing.Shared(
        code=held.code,
        base_url=_settings().base_url,
        program=live.name,
        texts={} if offer is None else offer.share_text,
        locales=(*([known.locale] if known.locale else []), *live.locales),
    )
    return {
        "id": ids.show_id(links.PREFIX, held.id),
        "code": held.code,
        "url": shared.url(channel),
        "aliases": list(held.aliases),
        "offer": held.offer_key,
        "share": shared.shown(channel),
    }


def url_of(code: str, channel: str) -> str:
    """The link of a code, over a channel."""
    return sharing.url(_settings().base_url, code, channel)


def _settings() -> Settings:
    found: Settings = current_app.extensions["dangol.settings"]
    return found


def list_links(connection: sa.Connection, program_id: bytes, member_ref: str) -> list[Shown]:
    """A member's links with what was counted of them, by channel; the first one first."""
    known = members.get(connection, program_id, member_ref)
    if known.is_erased:
        raise not_found("member")
    live, now = versions.get_live(connection, program_id)
    held = links.of_member(connection, program_id, known.id)
    counts = links.counts(connection, program_id, [one.id for one in held])
    is_blocked = _is_blocked(connection, program_id, known.id)
    return [
        show(live, known, one)
        | {
            "is_open": not is_blocked and _is_open(live, one, now),
            "counts": _counted(counts.get(one.id, {})),
        }
        for one in held
    ]


def _is_open(live: Compiled, held: Held, now: int) -> bool:
    """Whether who follows the link now is attributed to the member."""
    offer = live.offer(held.offer_key)
    if offer is None or not offer.is_live or held.is_closed:
        return False
    return offer.schedule is None or offer.schedule.is_in_force(now, live.zone)


def _counted(by_channel: Mapping[str, Mapping[str, int]]) -> list[Shown]:
    return [
        {
            "channel": channel or None,
            **{kind: kinds.get(kind, 0) for kind in _COUNTED},
        }
        for channel, kinds in by_channel.items()
    ]

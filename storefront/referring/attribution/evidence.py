"""Evidence: what a signup or an order says of who brought the friend, as candidates.

Codes, tokens of clicks, vouchers of earlier friends, the clicks of a device, what a guest with the
same contact or order left. Each candidate is judged by its own offer: as of the click, or the live
one for what was typed (SEMANTICS F41, F48). Refuses to choose and to lock.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from core import clock, ids, signing
from members.members import MEMBERS
from programs import versions
from programs.referrals import Offer
from referrals import attribution, clicks, leads, links, tokens
from referrals.attribution import Candidate
from referrals.carried import REFERRALS, SIDES
from referrals.touches import Touch
from rewards import vouchers
from rewards.carried import GRANTS
from storefront.plan import Plan
from storefront.telling import Telling
from storefront.tiers import places

#: What the reason says of evidence that leads to nobody.
NOBODY = {
    "NOT_FOUND": "no advocate of this program has this code",
    "UNKNOWN_TOKEN": "is no token of a click on this program's links",
    "EXPIRED_TOKEN": "has expired: a token lasts a year at most",
}


@dataclass(frozen=True, slots=True)
class Occasion:
    """When evidence came, and with what. `joined_at` is of a member who was known before: what
    they clicked until then is of their signup, what they clicked since is of now."""

    at: int
    cause: str
    order_ref: str | None = None
    joined_at: int | None = None

    def event_at(self, touched_at: int) -> int:
        """The event that a touch led to, if it did."""
        if self.joined_at is not None and touched_at <= self.joined_at:
            return self.joined_at
        return self.at


@dataclass(slots=True)
class Gathered:
    """Candidates, and what led to nobody: problems, with the reason of the first."""

    candidates: list[Candidate] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)

    @property
    def advocates(self) -> set[bytes]:
        """Whom the candidates lead to."""
        return {one.advocate_id for one in self.candidates}

    def lead_nowhere(self, reason: str, pointer: str) -> None:
        """Note evidence that leads to nobody."""
        self.problems.append({"code": reason, "pointer": pointer, "detail": NOBODY[reason]})


def is_told(body: Mapping[str, Any], telling: Telling | None = None) -> bool:
    """Whether a body holds anything that could be evidence: nothing is read for others."""
    if body.get("referral") or body.get("codes") or body.get("contact"):
        return True
    if (body.get("visitor") or {}).get("device"):
        return True
    if telling is None:
        return False
    if telling.is_careful and telling.owner_id is None:
        # Maybe a guest's order that becomes a member's: the guest may have left something.
        return True
    return telling.named is not None and bool(telling.named.told_ids)


def gather(
    connection: sa.Connection,
    plan: Plan,
    body: Mapping[str, Any],
    occasion: Occasion,
    *,
    telling: Telling | None,
    known_by: list[leads.Known],
    is_bound: bool = False,
) -> Gathered:
    """Everything that says who brought the friend. `known_by` are the friend's contacts; of one
    who is bound, only what is told now is looked at."""
    found = Gathered()
    sought: list[Candidate] = [
        *_codes(connection, plan, body, occasion, telling=telling, found=found),
        *_vouchers(connection, plan, telling, occasion),
        *_tokens(connection, plan, body, occasion, found),
    ]
    if not is_bound:
        sought += _devices(connection, plan, body, occasion)
        sought += _leads(connection, plan, occasion, known_by)
    unique: dict[tuple[Any, ...], Candidate] = {}
    for one in sought:
        # What the token tells of a click, the device tells again.
        unique.setdefault((one.method, one.advocate_id, one.link_id, one.at), one)
    living = _living(connection, plan, {one.advocate_id for one in unique.values()})
    found.candidates = [one for one in unique.values() if one.advocate_id in living]
    return found


def _living(connection: sa.Connection, plan: Plan, member_ids: set[bytes]) -> set[bytes]:
    """Those who were not erased: evidence that leads to somebody who was leads to nobody."""
    if not member_ids:
        return set()
    rows = connection.execute(
        sa.select(MEMBERS.c.id).where(
            MEMBERS.c.program_id == plan.program_id,
            MEMBERS.c.id.in_(sorted(member_ids)),
            MEMBERS.c.erased_at.is_(None),
        )
    ).scalars()
    return set(map(bytes, rows))


def _codes(
    connection: sa.Connection,
    plan: Plan,
    body: Mapping[str, Any],
    occasion: Occasion,
    *,
    telling: Telling | None,
    found: Gathered,
) -> Iterator[Candidate]:
    code = (body.get("referral") or {}).get("code")
    if code is not None:
        link = links.find(connection, plan.program_id, code)
        if link is None or link.is_closed:
            found.lead_nowhere("NOT_FOUND", "/referral/code")
        else:
            yield _typed(connection, plan, link, occasion, "/referral/code")
    of_vouchers: Iterable[int] = ()
    if telling is not None and telling.named is not None:
        of_vouchers = telling.named.codes
    for index, text in enumerate(body.get("codes") or ()):
        # Codes that lead nowhere are the storefront's own, and so is a word that somebody chose:
        # that a friend was told it by them, only `referral` says.
        link = None if index in of_vouchers else links.find_made(connection, plan.program_id, text)
        if link is not None and not link.is_closed:
            yield _typed(connection, plan, link, occasion, f"/codes/{index}")


def _typed(
    connection: sa.Connection, plan: Plan, link: links.Found, occasion: Occasion, pointer: str
) -> Candidate:
    return judged(
        connection,
        plan,
        Candidate(
            "code",
            link.member_id,
            link.offer_key,
            *plan.live.edition,
            at=occasion.at,
            link_id=link.link_id,
            pointer=pointer,
        ),
        occasion,
    )


def _tokens(
    connection: sa.Connection,
    plan: Plan,
    body: Mapping[str, Any],
    occasion: Occasion,
    found: Gathered,
) -> Iterator[Candidate]:
    token = (body.get("referral") or {}).get("token")
    if token is None:
        return
    try:
        touches = tokens.read(token, plan.program_id, now=plan.now)
    except signing.ExpiredTokenError:
        found.lead_nowhere("EXPIRED_TOKEN", "/referral/token")
        return
    except signing.BadTokenError:
        found.lead_nowhere("UNKNOWN_TOKEN", "/referral/token")
        return
    made = list(_touched(connection, plan, touches, occasion, "/referral/token"))
    if not made:
        found.lead_nowhere("NOT_FOUND", "/referral/token")
    yield from made


def _devices(
    connection: sa.Connection, plan: Plan, body: Mapping[str, Any], occasion: Occasion
) -> Iterator[Candidate]:
    """Clicks of the same device. By network and browser nobody is attributed: both are shared."""
    device = (body.get("visitor") or {}).get("device")
    if device:
        known = clicks.visitors(plan.program_id, device=device)
        touches = clicks.earlier(connection, plan.program_id, known, now=plan.now)
        yield from _touched(connection, plan, touches, occasion, None)


def _touched(
    connection: sa.Connection,
    plan: Plan,
    touches: Iterable[Touch],
    occasion: Occasion,
    pointer: str | None,
) -> Iterator[Candidate]:
    for touch in touches:
        link = links.find_by_id(connection, plan.program_id, touch.link_id)
        if link is None or link.is_closed:
            continue
        made = Candidate(
            "token",
            link.member_id,
            link.offer_key,
            touch.version,
            touch.switches,
            at=touch.clicked_at,
            link_id=touch.link_id,
            channel=touch.channel,
            is_click=True,
            pointer=pointer,
        )
        yield judged(connection, plan, made, occasion)


def _vouchers(
    connection: sa.Connection, plan: Plan, telling: Telling | None, occasion: Occasion
) -> Iterator[Candidate]:
    """Vouchers that an order names and that a friend was rewarded with."""
    if telling is None or telling.named is None or not telling.named.told_ids:
        return
    by_id = {one: f"/codes/{index}" for index, one in telling.named.codes.items()}
    rows = vouchers.peek_all(plan, telling.named.told_ids).values()
    granted = {row.grant_id: by_id.get(row.id) for row in rows if row.grant_id is not None}
    if not granted:
        return
    of_program = GRANTS.c.program_id == plan.program_id
    found = connection.execute(
        sa.select(GRANTS.c.id, REFERRALS.c.advocate_id, REFERRALS.c.offer_key, REFERRALS.c.link_id)
        .join(SIDES, sa.and_(SIDES.c.program_id == GRANTS.c.program_id, SIDES.c.side == "friend"))
        .join(
            REFERRALS,
            sa.and_(
                REFERRALS.c.program_id == SIDES.c.program_id,
                REFERRALS.c.id == SIDES.c.referral_id,
            ),
        )
        .where(
            of_program,
            GRANTS.c.id.in_(sorted(granted)),
            GRANTS.c.source_type == "referral",
            SIDES.c.id == GRANTS.c.source_id,
        )
        .order_by(GRANTS.c.id)
    ).all()
    for grant_id, advocate_id, offer_key, link_id in found:
        made = Candidate(
            "voucher",
            bytes(advocate_id),
            offer_key,
            *plan.live.edition,
            at=occasion.at,
            link_id=None if link_id is None else bytes(link_id),
            pointer=granted[bytes(grant_id)],
        )
        yield judged(connection, plan, made, occasion)


def _leads(
    connection: sa.Connection, plan: Plan, occasion: Occasion, known_by: list[leads.Known]
) -> Iterator[Candidate]:
    """What guests left who had the same contact, or placed this very order."""
    known = list(known_by)
    if occasion.order_ref is not None:
        known.append(leads.of_order(plan.program_id, occasion.order_ref))
    for row in leads.find(connection, plan.program_id, known, now=plan.now):
        link = links.find_by_id(connection, plan.program_id, bytes(row["link_id"]))
        if link is None or link.is_closed:
            continue
        is_own = row["kind"] == leads.ORDER
        made = Candidate(
            row["method"] if is_own else "contact",
            link.member_id,
            link.offer_key,
            row["version"],
            row["switches"],
            at=row["touched_at"],
            link_id=link.link_id,
            channel=row["channel"],
            is_click=row["method"] == "token",
        )
        yield judged(connection, plan, made, occasion)


def offer_of(connection: sa.Connection, plan: Plan, one: Candidate) -> Offer | None:
    """The offer as it was pinned for a candidate."""
    program = versions.get_compiled(connection, plan.program_id, one.version, one.switches)
    return program.offer(one.offer_key)


def judged(connection: sa.Connection, plan: Plan, one: Candidate, occasion: Occasion) -> Candidate:
    """The candidate with why it does not count by its own offer, if so."""
    offer = offer_of(connection, plan, one)
    if offer is None or not offer.is_live:
        return replace(one, refusal="OFFER_CLOSED")
    judged = replace(one, touching=offer.attribution)
    if offer.schedule is not None and not offer.schedule.is_in_force(one.at, plan.live.zone):
        return replace(judged, refusal="OFFER_CLOSED")
    if one.method in ("token", "contact") and not attribution.is_within(
        one.at, offer.click_window, occasion.event_at(one.at)
    ):
        return replace(judged, refusal="CLICK_WINDOW")
    if offer.tiers is not None:
        view = places.view_planned(connection, plan, one.advocate_id)
        if view.standing.key not in offer.tiers:
            return replace(judged, refusal="OFFER_CLOSED")
    return judged


def shown(one: Candidate, why: str | None) -> dict[str, Any]:
    """A candidate as a referral keeps it: ids, instants and a channel, nobody's data."""
    return {
        "method": one.method,
        "advocate_id": ids.show_id("mem", one.advocate_id),
        "link_id": None if one.link_id is None else ids.show_id("lnk", one.link_id),
        "offer": one.offer_key,
        "version": one.version,
        "at": clock.format_instant(one.at),
        "is_click": one.is_click,
        "channel": one.channel,
        "why_not": why,
    }

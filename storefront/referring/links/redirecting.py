"""A link is opened: where it leads, and the token of the click that goes along.

Reads the code's target in one statement, outside of a transaction; the live offers come from
memory. Nothing is written here: what happened is noted to be counted, and what is evidence lives
in the token. A browser that clicks again chains its clicks by a cookie with the last token. Where
a link leads is the offer's own landing page and nothing else: nothing of a request gets into it.
Machines are led to the page as well, without a token.
"""

import functools
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from core import clock, db, signing
from programs import versions
from programs.compiled import Compiled
from programs.referrals import Offer
from referrals import clicks, codes, counting, tokens
from referrals import landing as pages
from referrals.clicks import Target
from referrals.touches import Touch

_CHANNEL = re.compile(r"(?:^|&)ch=([a-z0-9_-]{1,32})(?:&|$)")
_DAY_SECONDS = 86_400
#: In every zone days begin at a quarter of an hour.
_QUARTER = 900 * clock.SECOND
_MONTH_DAYS = 31
#: Longer than this is no code, however it is spelled.
_TYPED_MAX = 64


@dataclass(frozen=True, slots=True)
class Opening:
    """Somebody opens a link: what is told of them. `cookies` are all of their browser's, as it
    sends them."""

    code: str
    channel: str | None
    is_machine: bool
    ip: str | None
    agent: str | None
    cookies: str | None


@dataclass(frozen=True, slots=True)
class Led:
    """Where to: None where nothing is known of the code, or it has no page; the token to keep for
    so many seconds, if a person clicked, and the name of the cookie to keep it by."""

    location: str | None
    token: str | None = None
    keep_seconds: int = 0
    cookie: str = ""


def channel_of(query: str) -> str | None:
    """The channel that a query names; None for one that is none."""
    found = _CHANNEL.search(query)
    return found[1] if found else None


def lead(opening: Opening) -> Led:
    """Where a code leads, and what happened noted."""
    canonical = _canonical(opening.code) if len(opening.code) <= _TYPED_MAX else None
    if canonical is None:
        return Led(None)
    target = clicks.find_alone(canonical)
    if target is None:
        return Led(None)
    live = _live(target)
    now = target.now
    offer = clicks.open_offer(target, live, at=now)
    if offer is None:
        known = live.offer(target.offer_key)
        url = None if known is None else known.landing_url
        return Led(None if url is None else landing(url))
    if offer.landing_url is None or pages.parts(offer.landing_url) is None:
        return Led(None)
    day = _day(now // _QUARTER * _QUARTER, live.zone)
    counts = counting.of_process()
    channel = counts.known_channel(target.link_id, day, opening.channel or "")
    if opening.is_machine:
        counts.count(target.program_id, (target.link_id, day, channel, "previewed"))
        return Led(landing(offer.landing_url))
    earlier = _carried(opening.cookies, target.program_id, now=now)
    touch = _touch(opening, target, earlier, now=now)
    if touch.visitor is None:
        counts.count(target.program_id, (target.link_id, day, channel, "clicked"))
    else:
        counts.click(
            target.program_id,
            counting.Clicked(
                link_id=touch.link_id,
                day=day,
                channel=channel,
                visitor=touch.visitor,
                version=touch.version,
                switches=touch.switches,
                clicked_at=now,
                expires_at=clicks.window_ends(now, offer),
            ),
        )
    token = tokens.make(
        target.program_id, tokens.chained(earlier, touch), expires_at=now + tokens.LIFETIME
    )
    return Led(
        landing(offer.landing_url, token), token, _keep_seconds(live), cookie_of(target.program_id)
    )


#: Links are opened often: what is worked out of the same again is remembered.
_canonical = functools.lru_cache(maxsize=4096)(codes.canonical)


@functools.lru_cache(maxsize=1024)
def _day(at: int, zone: ZoneInfo) -> str:
    return clock.local_date(at, zone).isoformat()


def _live(target: Target) -> Compiled:
    """The edition that was live when the code was read; editions never change."""
    program_id, edition = target.program_id, target.edition
    return versions.find_remembered(program_id, edition) or db.reading(
        lambda connection: versions.get_compiled(connection, program_id, *edition)
    )


@functools.lru_cache(maxsize=1024)
def cookie_of(program_id: bytes) -> str:
    """The name of a program's cookie: what is clicked of another one leaves it alone."""
    return f"dangol_rt_{program_id.hex()[-10:]}"


@functools.lru_cache(maxsize=1024)
def _kept(program_id: bytes) -> re.Pattern[str]:
    """Nothing that a browser would quote or we would decode can be a token."""
    return re.compile(rf"(?:^|;) *{cookie_of(program_id)}=([\w.-]+) *(?:;|$)", re.ASCII)


def _carried(cookies: str | None, program_id: bytes, *, now: int) -> list[Touch]:
    """The touches of a browser's cookie; none of one that is forged, over or another program's."""
    found = _kept(program_id).search(cookies) if cookies else None
    if found is None:
        return []
    try:
        return tokens.read(found[1], program_id, now=now)
    except (signing.BadTokenError, signing.ExpiredTokenError):
        return []


def _touch(opening: Opening, target: Target, earlier: list[Touch], *, now: int) -> Touch:
    version, switches = target.edition
    visitor = earlier[-1].visitor if earlier else None
    if visitor is None:
        found = clicks.visitors(target.program_id, ip=opening.ip, agent=opening.agent)
        visitor = found[0] if found else None
    return Touch(target.link_id, version, switches, opening.channel, now, visitor)


def _keep_seconds(live: Compiled) -> int:
    """How long a browser keeps its token: as long as any of its clicks may count."""
    return max(map(_window_seconds, live.offers))


def _window_seconds(offer: Offer) -> int:
    window = offer.click_window
    return (window.months * _MONTH_DAYS + window.days) * _DAY_SECONDS + window.seconds


def landing(url: str, token: str | None = None) -> str | None:
    """The address of a landing page, with a token in its query; None where it leads nowhere."""
    parts = pages.parts(url)
    if parts is None:
        return None
    before, after = parts
    return before + after if token is None else f"{before}{_joint(before)}rt={token}{after}"


def _joint(before: str) -> str:
    if "?" not in before:
        return "?"
    return "" if before.endswith(("?", "&")) else "&"

"""Clicks: where a code leads, by what a visitor is known again, which clicks they made before.

Owns the one look-up of a redirect, the digests of visitors and the rows that keep them. A visitor
is known by a device id, or by their network and browser together; of neither is anything kept but
a digest under a key of the instance, for as long as the offer's window lasts. Refuses to judge:
whether a click brings anybody a referral is decided with the signup or the order that shows it.
"""

import functools
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock, db, sealing
from programs import versions
from programs.compiled import Compiled
from programs.models import Program
from programs.referrals import Offer
from referrals.models import Click, Lead, Link, LinkCode, ReferralBlock, Trace
from referrals.tokens import TOUCHES_MAX
from referrals.touches import Touch

CLICKS: sa.Table = Click.__table__  # type: ignore[assignment]
_PROGRAMS: sa.Table = Program.__table__  # type: ignore[assignment]
#: Evidence that is over is deleted in portions of so many rows of a table and program.
_FORGOTTEN_AT_ONCE = 1000
_FORGOTTEN: tuple[sa.Table, ...] = (CLICKS, Lead.__table__, Trace.__table__)  # type: ignore[assignment]
_PURPOSE = "visitors"
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Target:
    """What a code leads to, as of now: a link, its offer's key, and the live edition of its
    program. `is_closed` where the code or its advocate is; there was no such code before
    `created_at`."""

    program_id: bytes
    link_id: bytes
    offer_key: str
    is_closed: bool
    edition: tuple[int, int]
    clock_at: int | None
    created_at: int

    @property
    def now(self) -> clock.Instant:
        """The program's clock."""
        return versions.program_now(self.clock_at)


_target = db.Statement(
    sa.select(
        LinkCode.program_id,
        LinkCode.link_id,
        Link.offer_key,
        LinkCode.is_closed,
        sa.exists()
        .where(
            ReferralBlock.program_id == Link.program_id,
            ReferralBlock.member_id == Link.member_id,
        )
        .label("is_blocked"),
        Program.live_version,
        Program.switches,
        Program.clock_at,
        LinkCode.created_at,
    )
    .join(Link, (Link.program_id == LinkCode.program_id) & (Link.id == LinkCode.link_id))
    .join(Program, Program.program_id == LinkCode.program_id)
    .where(LinkCode.canonical == sa.bindparam("canonical"))
)


def find(connection: sa.Connection, canonical: str) -> Target | None:
    """What a code in its canonical form leads to, in one statement; None when it is unknown."""
    row = _target.first(connection, {"canonical": canonical})
    return None if row is None else _target_of(row)


def find_alone(canonical: str) -> Target | None:
    """The same outside of a transaction, for whoever needs nothing else of the database."""
    row = _target.first_alone({"canonical": canonical})
    return None if row is None else _target_of(row)


def _target_of(row: db.Row) -> Target:
    program_id, link_id, offer_key, is_closed, is_blocked, version, switches, clock_at, at = row
    return Target(
        program_id=bytes(program_id),
        link_id=bytes(link_id),
        offer_key=offer_key,
        is_closed=bool(is_closed or is_blocked),
        edition=(version, switches),
        clock_at=clock_at,
        created_at=at,
    )


def open_offer(target: Target, live: Compiled, *, at: int) -> Offer | None:
    """The offer that a click at an instant is for; None where the code was closed then."""
    offer = live.offer(target.offer_key)
    if target.is_closed or offer is None or not offer.is_live:
        return None
    if offer.schedule is not None and not offer.schedule.is_in_force(at, live.zone):
        return None
    return offer


def window_ends(clicked_at: int, offer: Offer) -> clock.Instant:
    """When a click is over: windows are elapsed time, whatever the clocks of a zone do."""
    window = offer.click_window
    if window.months:
        return clock.after(clicked_at, window, _UTC)
    return clock.Instant(clicked_at + (window.days * 86_400 + window.seconds) * clock.SECOND)


def visitors(
    program_id: bytes, *, device: str | None = None, ip: str | None = None, agent: str | None = None
) -> list[bytes]:
    """The digests by which a visitor is known, under every accepted key, the current first: of
    their device, else of network and browser. None where neither is told: an address alone is a
    whole household's, a browser alone is everybody's."""
    if device:
        parts = [b"device", device.encode()]
    else:
        prefix = network(ip) if ip else None
        if prefix is None or not agent:
            return []
        parts = [b"browser", prefix, agent.encode(errors="replace")]
    message = b"\x00".join([program_id.hex().encode(), *parts])
    found = [keyed.copy() for keyed in _keyed(sealing.keys())]
    for digest in found:
        digest.update(message)
    return [digest.digest() for digest in found]


@functools.lru_cache(maxsize=64)
def _keyed(keys: tuple[str, ...]) -> list[hmac.HMAC]:
    """What digests visitors under each key: to copy it costs less than to key it each time."""
    return [hmac.new(sealing.derived(key, _PURPOSE), digestmod=hashlib.sha256) for key in keys]


@functools.lru_cache(maxsize=4096)
def network(ip: str) -> bytes | None:
    """The network of an address: its /24, or /48 of version 6; None when it is no address."""
    try:
        found = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    bits = 24 if found.version == 4 else 48
    return str(ipaddress.ip_network((found, bits), strict=False)).encode()


def earlier(
    connection: sa.Connection, program_id: bytes, visitor: Sequence[bytes], *, now: int
) -> list[Touch]:
    """The last clicks of a visitor that are not over, the oldest first, as many as a token
    carries."""
    if not visitor:
        return []
    columns = CLICKS.c
    found = connection.execute(
        sa.select(
            columns.link_id,
            columns.version,
            columns.switches,
            columns.channel,
            columns.clicked_at,
            columns.visitor,
        )
        .where(
            columns.program_id == program_id,
            columns.visitor.in_(visitor),
            columns.expires_at > now,
        )
        .order_by(columns.clicked_at.desc(), columns.id.desc())
        .limit(TOUCHES_MAX)
    ).all()
    return [
        Touch(
            link_id=bytes(link_id),
            version=version,
            switches=switches,
            channel=channel or None,
            clicked_at=clicked_at,
            visitor=bytes(digest),
        )
        for link_id, version, switches, channel, clicked_at, digest in reversed(found)
    ]


def forget_expired(now: clock.Instant) -> int:
    """A duty of the worker: delete clicks, leads and traces whose time is over by their program's
    clock, some of each program at once; how many."""
    count = 0
    for table in _FORGOTTEN:
        is_over = table.c.expires_at <= sa.func.coalesce(_PROGRAMS.c.clock_at, now)
        old = sa.exists().where(table.c.program_id == _PROGRAMS.c.program_id, is_over)
        statement = sa.select(_PROGRAMS.c.program_id, _PROGRAMS.c.clock_at).where(old)
        for program_id, clock_at in db.reading(
            lambda connection, statement=statement: connection.execute(statement).all()  # type: ignore[misc]
        ):
            before = now if clock_at is None else clock_at
            unit = functools.partial(
                _forget, table=table, program_id=bytes(program_id), before=before
            )
            count += db.in_transaction(unit)
    return count


def _forget(connection: sa.Connection, *, table: sa.Table, program_id: bytes, before: int) -> int:
    keys = list(table.primary_key.columns)
    old = connection.execute(
        sa.select(*keys)
        .where(table.c.program_id == program_id, table.c.expires_at <= before)
        .order_by(table.c.expires_at)
        .limit(_FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    if old:
        connection.execute(
            sa.delete(table).where(sa.tuple_(*keys).in_([tuple(row) for row in old]))
        )
    return len(old)

"""Traces: what was seen with a member, kept as keyed digests that rotate and expire.

Two people who turn out to share a device or a means of payment may be one. Nothing is kept in
clear: of each trace only an HMAC under a key that belongs to an epoch of 90 days, for 180 days.
Under another epoch's key the same trace looks different, so what lies in the table cannot be
followed for long; only where somebody else's is already there under an earlier key that still
lives is it kept under that one as well, so that the two can be compared. Keys come from
SECRET_KEY; those of SECRET_KEY_FALLBACKS are still compared with.
"""

import functools
import ipaddress
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core import clock, db, sealing
from programs.models import Program
from referrals.models import Trace

TRACES: sa.Table = Trace.__table__  # type: ignore[assignment]
_DAY = 86_400 * clock.SECOND
EPOCH = 90 * _DAY
KEPT = 180 * _DAY
_FORGOTTEN_AT_ONCE = 1000
#: What of a visitor leaves a trace, and the kind of trace it is.
KINDS: Mapping[str, str] = {
    "ip": "ip_prefix",
    "user_agent": "user_agent",
    "device": "device",
    "payment_fingerprint": "payment",
    "address": "address",
}

#: Networks from which nobody comes: an address of one of them is that of a proxy.
_INNER = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_BROWSERS = (
    ("kakaotalk", "kakaotalk"),
    ("naver", "naver"),
    ("line/", "line"),
    ("instagram", "instagram"),
    ("fban", "facebook"),
    ("fbav", "facebook"),
    ("samsungbrowser", "samsung"),
    ("whale", "whale"),
    ("edg", "edge"),
    ("opr/", "opera"),
    ("opera", "opera"),
    ("yabrowser", "yandex"),
    ("ucbrowser", "uc"),
    ("firefox", "firefox"),
    ("fxios", "firefox"),
    ("crios", "chrome"),
    ("chrome", "chrome"),
    ("safari", "safari"),
)
_SYSTEMS = (
    ("iphone", "ios"),
    ("ipad", "ios"),
    ("android", "android"),
    ("windows", "windows"),
    ("mac os x", "macos"),
    ("macintosh", "macos"),
    ("cros", "chromeos"),
    ("linux", "linux"),
)
#: Spellings of one thing in postal addresses.
_SHORT = {
    "street": "st",
    "road": "rd",
    "avenue": "ave",
    "boulevard": "blvd",
    "apartment": "apt",
    "서울특별시": "서울",
    "서울시": "서울",
    "부산광역시": "부산",
    "부산시": "부산",
}


def canonical(visitor: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Kind and canonical value of each trace that a visitor leaves."""
    makers = {
        "ip": _network,
        "user_agent": _family,
        "device": _as_written,
        "payment_fingerprint": _as_written,
        "address": _address,
    }
    found = []
    for name, kind in KINDS.items():
        text = visitor.get(name)
        value = makers[name](text) if text else None
        if value:
            found.append((kind, value))
    return found


def _network(text: str) -> str | None:
    """The /24 or /48 of an address; None for one that says nothing of where somebody is."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast:
        return None
    if any(found in network for network in _INNER if network.version == found.version):
        return None
    length = 24 if found.version == 4 else 48
    return str(ipaddress.ip_network(f"{found}/{length}", strict=False))


def _family(text: str) -> str | None:
    """Browser and system without versions; what is no browser by its first word."""
    lowered = text.lower()
    browser = next((name for mark, name in _BROWSERS if mark in lowered), None)
    system = next((name for mark, name in _SYSTEMS if mark in lowered), "")
    if browser is None:
        words = re.findall(r"[a-z]+", lowered)
        browser = words[0] if words else None
    return None if browser is None else f"{browser}/{system}"


def _as_written(text: str) -> str | None:
    return unicodedata.normalize("NFKC", text).strip() or None


def _address(text: str) -> str | None:
    """Letters and digits alone, usual abbreviations made."""
    lowered = unicodedata.normalize("NFKC", text).casefold()
    words = re.findall(r"\w+", lowered)
    return "".join(_SHORT.get(word, word) for word in words) or None


def epoch_of(at: int) -> int:
    """The epoch of an instant."""
    return at // EPOCH


def note(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    visitor: Mapping[str, Any],
    *,
    at: int,
    now: int,
) -> None:
    """Keep the traces of a visitor who was a member at an instant, as far as it is not too long
    ago."""
    seen = canonical(visitor)
    if not seen or at + KEPT <= now:
        return
    own: list[tuple[str, bytes, int]] = []
    elsewhere: list[tuple[str, bytes, int]] = []
    for epoch in dict.fromkeys([epoch_of(at), *range(epoch_of(now - KEPT), epoch_of(now) + 1)]):
        for kind, digests in _digests(program_id, seen, epoch):
            for number, digest in enumerate(digests):
                is_own = epoch == epoch_of(at) and number == 0
                (own if is_own else elsewhere).append((kind, digest, epoch))
    found = own + _known(connection, program_id, member_id, elsewhere)
    _write(
        connection,
        [
            {
                "program_id": program_id,
                "kind": kind,
                "digest": digest,
                "member_id": member_id,
                "epoch": epoch,
                "seen_at": at,
                "expires_at": at + KEPT,
            }
            for kind, digest, epoch in found
        ],
    )


def _digests(
    program_id: bytes, seen: Sequence[tuple[str, str]], epoch: int
) -> Iterator[tuple[str, list[bytes]]]:
    """Each trace's digests under an epoch's keys, that of the current secret first."""
    for kind, value in seen:
        message = b"\x00".join([b"trace.v1", program_id, kind.encode(), value.encode()])
        purpose = f"referral traces of epoch {epoch}"
        yield kind, sealing.digests(message, purpose=purpose, keys=sealing.keys())


def _known(
    connection: sa.Connection,
    program_id: bytes,
    member_id: bytes,
    candidates: Sequence[tuple[str, bytes, int]],
) -> list[tuple[str, bytes, int]]:
    """Those under which somebody else has left the same trace."""
    if not candidates:
        return []
    asked = [
        sa.exists()
        .where(
            TRACES.c.program_id == program_id,
            TRACES.c.kind == kind,
            TRACES.c.digest == digest,
            TRACES.c.member_id != member_id,
        )
        .label(f"is_known_{number}")
        for number, (kind, digest, _) in enumerate(candidates)
    ]
    row = connection.execute(sa.select(*asked)).one()
    return [one for one, is_known in zip(candidates, row, strict=True) if is_known]


def _write(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows at once, since what is judged next asks for them; one that is there already only
    moves on in time."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(TRACES)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(TRACES.primary_key.columns),
            set_={"seen_at": new.seen_at, "expires_at": new.expires_at},
            where=TRACES.c.seen_at < new.seen_at,
        ),
        # In one order, so that two units never wait for each other.
        sorted(rows, key=lambda row: (row["kind"], row["digest"])),
    )


def forget_old(now: clock.Instant) -> int:
    """A duty of the worker: delete traces that have expired by their program's clock, some of each
    program; how many."""
    is_over = TRACES.c.expires_at <= sa.func.coalesce(Program.clock_at, now)
    programs = db.reading(
        lambda connection: connection.execute(
            sa.select(Program.program_id, Program.clock_at).where(
                sa.exists().where(TRACES.c.program_id == Program.program_id, is_over)
            )
        ).all()
    )
    return sum(
        db.in_transaction(
            functools.partial(
                _forget_old, program_id=bytes(one), before=now if clock_at is None else clock_at
            )
        )
        for one, clock_at in programs
    )


def _forget_old(connection: sa.Connection, *, program_id: bytes, before: int) -> int:
    keys = list(TRACES.primary_key.columns)
    old = connection.execute(
        sa.select(*keys)
        .where(TRACES.c.program_id == program_id, TRACES.c.expires_at <= before)
        .limit(_FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    if old:
        connection.execute(
            sa.delete(TRACES).where(sa.tuple_(*keys).in_([tuple(row) for row in old]))
        )
    return len(old)

"""The funnel of referrals: how many links were shared and clicked, and how far friends got.

Of a cohort: the friends who were identified in a period, as they stand now. Writes nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from core import clock
from programs.compiled import Compiled
from referrals.carried import REFERRALS, SIDES
from referrals.models import Link, LinkCount

LINKS: sa.Table = Link.__table__  # type: ignore[assignment]
COUNTS: sa.Table = LinkCount.__table__  # type: ignore[assignment]

_STEPS = (
    ("shared", "clicked"),
    ("clicked", "by_click"),
    ("identified", "qualified"),
    ("qualified", "approved"),
    ("approved", "rewarded"),
)


@dataclass(slots=True)
class Funnel:
    """How far it went: links shared, clicked by people, clicked again by the same ones within a
    day, looked at by machines; then friends. Each friend counts in every step they have passed."""

    shared: int = 0
    clicked: int = 0
    repeated: int = 0
    previewed: int = 0
    identified: int = 0
    by_click: int = 0
    qualified: int = 0
    on_hold: int = 0
    in_review: int = 0
    approved: int = 0
    rewarded: int = 0
    capped: int = 0
    clawed_back: int = 0
    rejected: int = 0
    expired: int = 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Add to some of the steps."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)

    def shown(self) -> dict[str, Any]:
        """With the share of each step that reached the next, in basis points."""
        found: dict[str, Any] = asdict(self)
        found["rates_bp"] = {
            f"{first}_to_{second}": ratio_bp(found[second], found[first])
            for first, second in _STEPS
        }
        return found


def ratio_bp(part: int, whole: int) -> int | None:
    """A share in basis points, rounded down; null of nothing."""
    return part * 10_000 // whole if whole else None


@dataclass(frozen=True, slots=True)
class Period:
    """From one instant on until before another."""

    start: int
    end: int

    def has(self, column: Any) -> sa.ColumnElement[bool]:
        """Whether an instant is within it."""
        return sa.and_(column >= self.start, column < self.end)


Key = tuple[str, str]


def by_offer(live: Compiled, found: Mapping[Key, Funnel]) -> list[dict[str, Any]]:
    """The offers of the document in its order, then those it no longer has; each with its
    channels, '' being links without one."""
    keys = [offer.key for offer in live.offers]
    keys += sorted({offer for offer, _ in found} - set(keys))
    shown = []
    for key in keys:
        whole, channels = Funnel(), []
        for (offer, channel), one in sorted(found.items()):
            if offer == key:
                whole.add(asdict(one))
                channels.append({"channel": channel or None, **one.shown()})
        shown.append({"offer": key, **whole.shown(), "channels": channels})
    return shown


def count_links(
    connection: sa.Connection, live: Compiled, found: dict[Key, Funnel], period: Period
) -> None:
    """Counts are kept by local day: those of the days that begin in the period."""
    first = clock.local_date(clock.Instant(period.start), live.zone).isoformat()
    last = clock.local_date(clock.Instant(period.end - 1), live.zone).isoformat()
    rows = connection.execute(
        sa.select(LINKS.c.offer_key, COUNTS.c.channel, COUNTS.c.kind, sa.func.sum(COUNTS.c.count))
        .select_from(COUNTS)
        .join(
            LINKS,
            sa.and_(LINKS.c.program_id == COUNTS.c.program_id, LINKS.c.id == COUNTS.c.link_id),
        )
        .where(COUNTS.c.program_id == live.program_id, COUNTS.c.day >= first, COUNTS.c.day <= last)
        .group_by(LINKS.c.offer_key, COUNTS.c.channel, COUNTS.c.kind)
    )
    for offer, channel, kind, count in rows:
        found.setdefault((offer, channel), Funnel()).add({kind: int(count)})


def _side(name: str) -> Any:
    return SIDES.alias(name)


def _of(side: Any, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        side.c.program_id == REFERRALS.c.program_id,
        side.c.referral_id == REFERRALS.c.id,
        side.c.side == name,
    )


def count_friends(
    connection: sa.Connection, program_id: bytes, found: dict[Key, Funnel], period: Period
) -> dict[str, int]:
    """What became of the friends of the cohort; returns how many were rejected for which reason.
    Who was never bound was rejected, and not identified."""
    advocate, friend = _side("advocate_side"), _side("friend_side")
    columns = REFERRALS.c
    channel = sa.func.coalesce(columns.channel, "")

    def count(*conditions: Any) -> sa.ColumnElement[Any]:
        return sa.func.sum(sa.case((sa.and_(*conditions), 1), else_=0))

    def either(state: str) -> sa.ColumnElement[bool]:
        return sa.or_(
            sa.func.coalesce(advocate.c.state, "") == state,
            sa.func.coalesce(friend.c.state, "") == state,
        )

    paid = sa.or_(
        advocate.c.first_rewarded_at.is_not(None), friend.c.first_rewarded_at.is_not(None)
    )
    rows = connection.execute(
        sa.select(
            columns.offer_key,
            channel,
            columns.reason,
            count(columns.is_bound),
            count(columns.is_bound, columns.clicked_at.is_not(None)),
            count(columns.qualified_at.is_not(None)),
            count(columns.state == "on_hold"),
            count(columns.state == "in_review"),
            count(columns.approved_at.is_not(None)),
            count(columns.approved_at.is_not(None), paid),
            count(sa.func.coalesce(advocate.c.state, "") == "capped"),
            count(columns.approved_at.is_not(None), either("clawed_back")),
            count(columns.state == "rejected"),
            count(columns.state == "expired"),
        )
        .select_from(
            REFERRALS.outerjoin(advocate, _of(advocate, "advocate")).outerjoin(
                friend, _of(friend, "friend")
            )
        )
        .where(columns.program_id == program_id, period.has(columns.bound_at))
        .group_by(columns.offer_key, channel, columns.reason)
    )
    reasons: dict[str, int] = {}
    names = (
        "identified",
        "by_click",
        "qualified",
        "on_hold",
        "in_review",
        "approved",
        "rewarded",
        "capped",
    )
    for offer, of_channel, reason, *counted in rows:
        counts = dict(
            zip((*names, "clawed_back", "rejected", "expired"), map(int, counted), strict=True)
        )
        found.setdefault((offer, of_channel), Funnel()).add(counts)
        if counts["rejected"] and reason is not None:
            reasons[reason] = reasons.get(reason, 0) + counts["rejected"]
    return reasons

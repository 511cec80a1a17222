"""Clicks told by a storefront that leads people itself: written at once, answered with the token.

Reads the program's edition as it was when the click happened, so that a click told late counts for
the offer that it was made for. Refuses codes that are unknown here and those that were closed then.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core import clock
from core.errors import Problem, invalid, not_found
from programs import versions
from programs.compiled import Compiled
from programs.models import ProgramSwitch, ProgramVersion
from referrals import clicks, codes, counting, machines, tokens
from referrals.clicks import Target
from referrals.touches import Touch
from storefront.telling import FUTURE, ahead


def click(
    connection: sa.Connection, program_id: bytes, body: Mapping[str, Any]
) -> tuple[dict[str, Any], int]:
    """Write a click and answer its token; 404 for an unknown code, 409 for a closed one."""
    target = _find(connection, program_id, body["code"])
    now = target.now
    told_at = body.get("occurred_at", now)
    if told_at > now + FUTURE:
        raise invalid([ahead("/occurred_at", now)])
    at = min(told_at, now)
    edition = target.edition if at == now else _edition_at(connection, target, at)
    offered = versions.get_compiled(connection, program_id, *edition)
    offer = clicks.open_offer(target, offered, at=at)
    if offer is None:
        raise Problem(
            409,
            "state_conflict",
            "The code is closed: its offer is paused, over, not begun or gone, or its advocate is.",
            state="closed",
        )
    visitor = body.get("visitor") or {}
    day = clock.local_date(at, offered.zone).isoformat()
    channel = body.get("channel")
    counted = counting.of_process().known_channel(target.link_id, day, channel or "")
    if "user_agent" in visitor and machines.is_named(visitor["user_agent"]):
        previewed: Counter[counting.Count] = Counter(
            {(target.link_id, day, counted, "previewed"): 1}
        )
        counting.write(connection, program_id, (), previewed)
        return {"token": None, "is_preview": True}, 201
    digests = clicks.visitors(
        program_id,
        device=visitor.get("device"),
        ip=visitor.get("ip"),
        agent=visitor.get("user_agent"),
    )
    earlier = clicks.earlier(connection, program_id, digests, now=at)
    version, switches = edition
    touch = Touch(target.link_id, version, switches, channel, at, digests[0] if digests else None)
    _write(connection, target, touch, day=day, channel=counted, live=offered)
    token = tokens.make(program_id, tokens.chained(earlier, touch), expires_at=at + tokens.LIFETIME)
    return {"token": token, "is_preview": False}, 201


def _find(connection: sa.Connection, program_id: bytes, code: str) -> Target:
    canonical = codes.canonical(code)
    target = None if canonical is None else clicks.find(connection, canonical)
    if target is None or target.program_id != program_id:
        raise not_found("link")
    return target


def _edition_at(connection: sa.Connection, target: Target, at: int) -> tuple[int, int]:
    """The version that was live at an instant and how many switches had been thrown by then; those
    with which the code was made, for an instant before."""
    at = max(at, target.created_at)
    version = connection.execute(
        sa.select(sa.func.max(ProgramVersion.version)).where(
            ProgramVersion.program_id == target.program_id, ProgramVersion.published_at <= at
        )
    ).scalar()
    switches = connection.execute(
        sa.select(sa.func.max(ProgramSwitch.number)).where(
            ProgramSwitch.program_id == target.program_id, ProgramSwitch.switched_at <= at
        )
    ).scalar()
    return version or 1, switches or 0


def _write(
    connection: sa.Connection,
    target: Target,
    touch: Touch,
    *,
    day: str,
    channel: str,
    live: Compiled,
) -> None:
    offer = live.offer(target.offer_key)
    assert offer is not None
    if touch.visitor is None:
        # Known again by nothing: each click is somebody's first.
        counts: Counter[counting.Count] = Counter({(touch.link_id, day, channel, "clicked"): 1})
        counting.write(connection, target.program_id, (), counts)
        return
    one = counting.Clicked(
        link_id=touch.link_id,
        day=day,
        channel=channel,
        visitor=touch.visitor,
        version=touch.version,
        switches=touch.switches,
        clicked_at=touch.clicked_at,
        expires_at=clicks.window_ends(touch.clicked_at, offer),
    )
    counting.write(connection, target.program_id, [one])

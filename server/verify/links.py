"""Proof of links: the codes of the directory and the links that they lead to.

Counts of clicks and shares were told by visitors and are proved by nothing.
"""

import re
from typing import Any

import sqlalchemy as sa

from members.members import MEMBERS
from referrals import codes
from referrals.links import CODES, ERASED, LINKS
from server.verify.rows import Place, Report, stream

_DIGEST = re.compile(rf"{ERASED}[0-9a-f]{{64}}")


def check(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """Every code leads to a link in its canonical form, every link is shown by one of its codes,
    and those of whoever was erased are closed."""
    joined = sa.and_(CODES.c.program_id == LINKS.c.program_id, CODES.c.link_id == LINKS.c.id)
    owner = sa.and_(MEMBERS.c.program_id == LINKS.c.program_id, MEMBERS.c.id == LINKS.c.member_id)
    first = (
        sa.select(sa.func.min(CODES.c.created_at))
        .where(CODES.c.program_id == LINKS.c.program_id, CODES.c.link_id == LINKS.c.id)
        .correlate(LINKS)
        .scalar_subquery()
    )
    statement = sa.select(CODES, LINKS.c.id.label("link_")).select_from(
        CODES.outerjoin(LINKS, joined)
    )
    for row in stream(connection, statement, CODES, program_id):
        code: Any = row
        place: Place = ("lnk", code.link_id, f" {code.code}")
        if code.link_ is None:
            report.note("link_codes", place, "link_id", code.link_id, "a link that exists")
            continue
        if code.code == "":
            if not code.is_vanity or not code.is_closed:
                report.note("link_codes", place, "code", "", "of somebody erased, and closed")
            if not _DIGEST.fullmatch(code.canonical):
                report.note("link_codes", place, "canonical", code.canonical, "a keyed digest")
            continue
        computed = codes.canonical(code.code)
        report.compare("link_codes", place, "canonical", code.canonical, computed)
    shown = sa.and_(joined, CODES.c.code == LINKS.c.code)
    statement = sa.select(
        LINKS,
        first.label("first_"),
        CODES.c.canonical.label("shown_"),
        CODES.c.is_closed.label("closed_"),
        CODES.c.is_vanity.label("vanity_"),
        MEMBERS.c.id.label("member_"),
        MEMBERS.c.erased_at.label("erased_at_"),
    ).select_from(LINKS.outerjoin(CODES, shown).outerjoin(MEMBERS, owner))
    for row in stream(connection, statement, LINKS, program_id):
        link: Any = row
        place = ("lnk", link.id, "")
        if link.member_ is None:
            report.note("links", place, "member_id", link.member_id, "a member that exists")
        if link.shown_ is None:
            report.note("links", place, "code", link.code, "one of its codes")
        elif link.first_ != link.created_at:
            report.note("links", place, "created_at", link.created_at, link.first_)
        elif link.erased_at_ is not None and not link.closed_:
            report.note("link_codes", place, "is_closed", False, "True: its member was erased")
        elif link.erased_at_ is not None and link.vanity_:
            report.note("links", place, "code", link.code, "one that we made")

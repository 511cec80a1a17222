"""Proof of limits: each claim belongs to a source that stands and is what its decision took, and
each counter is the sum of the claims that are counted in it.

Claims of orders are computed again with the order, those of redemptions from the limits of their
reward; those of other sources are compared with what their decision stored.
"""

import types
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from loyalty.earning import Taken
from loyalty.limits.claims import Claim, ClaimKey, CounterKey
from loyalty.limits.storing import LIMIT_CLAIMS, LIMIT_COUNTERS, read_counters, write_counters
from members.members import MEMBERS
from programs.compiled import Compiled
from rewards.carried import REDEMPTIONS
from server.verify import places
from server.verify.programs import Programs
from server.verify.rows import Groups, Place, Report, stream
from storefront import limiting
from storefront.decide import Decided
from storefront.decisions import DECISIONS

_COLUMNS = ("member_id", "rule", "at", "times", "points", "wanted", "counters")


def by_source(connection: sa.Connection, program_id: bytes | None) -> Groups:
    """Every claim, in the order of what claims."""
    lead = [LIMIT_CLAIMS.c.program_id, LIMIT_CLAIMS.c.source_id]
    columns = (LIMIT_CLAIMS.c[name] for name in _COLUMNS)
    statement = sa.select(*lead, *columns).order_by(*lead, LIMIT_CLAIMS.c.rule)
    return Groups(stream(connection, statement, LIMIT_CLAIMS, program_id))


def check_order(report: Report, row: Any, claims: Sequence[Any], decided: Decided | None) -> None:
    """The claims of an order are what it takes, decided again."""
    if decided is None and row.member_id is not None:
        # Its decision is not there; that is told already.
        return
    wanted: Mapping[str, Claim] = {}
    if decided is not None:
        program = decided.pinned.program
        wanted = limiting.claims_of(
            program,
            program.rules_of("order"),
            source_id=row.id,
            member_id=row.member_id,
            at=row.placed_at,
            taken=decided.earning.taken,
        )
    _compare(report, ("ord", row.id, ""), claims, wanted)


def check_decided(
    report: Report,
    program: Compiled,
    row: Any,
    claims: Sequence[Any],
    *,
    prefix: str,
    besides: Mapping[str, Claim] = types.MappingProxyType({}),
) -> None:
    """The claims of a source that is no order are what its decision took: a row with the source's
    `id`, and the decision's `member_id`, `effective_at`, `facts` and `outcomes`; and what it takes
    `besides`, which no decision tells."""
    taken = jsontext.parse(row.outcomes).get("taken") or {}
    wanted = limiting.claims_of(
        program,
        program.rules_of(jsontext.parse(row.facts)["trigger"]),
        source_id=bytes(row.id),
        member_id=bytes(row.member_id),
        at=row.effective_at,
        taken={rule: Taken(*one) for rule, one in taken.items()},
    )
    _compare(report, (prefix, row.id, ""), claims, {**wanted, **besides})


def check_none(report: Report, row: Any, claims: Sequence[Any], *, prefix: str) -> None:
    """A source that brought nothing takes nothing."""
    _compare(report, (prefix, row.id, ""), claims, {})


def redemptions(connection: sa.Connection, program_id: bytes | None) -> Groups:
    """Every redemption that takes of its reward's limits while it stands, in the order of ids."""
    columns = REDEMPTIONS.c
    lead = [columns.program_id, columns.id]
    statement = (
        sa.select(
            *lead,
            columns.member_id,
            columns.reward_key,
            columns.version,
            columns.switches,
            columns.held_at,
            columns.state,
        )
        .where(columns.reward_key.is_not(None), columns.grant_id.is_(None))
        .order_by(*lead)
    )
    return Groups(stream(connection, statement, REDEMPTIONS, program_id))


def check_redemption(programs: Programs, report: Report, row: Any, claims: Sequence[Any]) -> None:
    """A redemption takes once of each limit of its reward, as it was when it was held, while it is
    held or captured."""
    program = programs.version(row.program_id, row.version, row.switches)
    reward = None if program is None else program.catalogue.find(row.reward_key)
    if program is None or reward is None:
        # That its version has no such reward is told with the redemption.
        return
    stands = row.state in ("held", "captured")
    wanted = limiting.claims_of(
        program,
        (reward.rule,),
        source_id=bytes(row.id),
        member_id=bytes(row.member_id),
        at=row.held_at,
        taken={reward.rule.key: Taken(points=0, wanted=1)} if stands else {},
    )
    _compare(report, ("rdm", row.id, ""), claims, wanted)


def check_signup(programs: Programs, report: Report, claims: Sequence[Any]) -> None:
    """Claims of neither an order nor anything else that is proved with them: places of a day, or a
    signup's."""
    claims = places.check(report, claims)
    if not claims:
        return
    source_id = bytes(claims[0].source_id)
    row = programs.connection.execute(
        sa.select(
            MEMBERS.c.id,
            DECISIONS.c.member_id,
            DECISIONS.c.version,
            DECISIONS.c.switches,
            DECISIONS.c.effective_at,
            DECISIONS.c.facts,
            DECISIONS.c.outcomes,
        )
        .join(DECISIONS, DECISIONS.c.program_id == MEMBERS.c.program_id)
        .where(
            MEMBERS.c.program_id == claims[0].program_id,
            MEMBERS.c.id == source_id,
            DECISIONS.c.member_id == claims[0].member_id,
            DECISIONS.c.source_type == "signup",
            DECISIONS.c.source_ref == ids.show_id("mem", source_id),
        )
    ).first()
    program = None
    if row is not None:
        program = programs.version(claims[0].program_id, row.version, row.switches)
    if row is None or program is None:
        for one in claims:
            report.note("limit_claims", _place(one), "source_id", source_id, "what exists")
        return
    check_decided(report, program, row, claims, prefix="mem")


def _place(one: Any) -> Place:
    return ("mem", bytes(one.member_id), f" {one.rule} of {bytes(one.source_id).hex()}")


def _compare(
    report: Report, place: Place, rows: Sequence[Any], wanted: Mapping[str, Claim]
) -> None:
    found = {_claim(row) for row in rows}
    for claim in sorted(found.symmetric_difference(wanted.values()), key=lambda one: one.key):
        is_stored = claim in found
        member = ids.show_id("mem", claim.key.member_id)
        there = (place[0], place[1], f" of {member} {claim.key.rule}")
        text = (
            f"at {claim.key.at}: {claim.times} times, {claim.points} of {claim.wanted} points,"
            f" counted in {write_counters(claim.counters)}"
        )
        report.note(
            "limit_claims",
            there,
            "claim",
            text if is_stored else "none",
            "none like it" if is_stored else text,
        )


def _claim(row: Any) -> Claim:
    key = ClaimKey(bytes(row.member_id), row.rule, row.at, bytes(row.source_id))
    try:
        counters = read_counters(row.counters)
    except (ValueError, TypeError):
        # None that anything is counted in.
        counters = (CounterKey(row.counters, "", 0, ""),)
    return Claim(key, row.times, row.points, row.wanted, counters)


def check_counters(connection: sa.Connection, program_id: bytes | None, report: Report) -> None:
    """Every counter is the sum of its claims, and every claim's counter is there."""
    lead = [LIMIT_CLAIMS.c.program_id, LIMIT_CLAIMS.c.counters]
    statement = (
        sa.select(*lead, sa.func.sum(LIMIT_CLAIMS.c.times), sa.func.sum(LIMIT_CLAIMS.c.points))
        .where(LIMIT_CLAIMS.c.counters.is_not(None))
        .group_by(*lead)
    )
    sums: dict[tuple[Any, ...], int] = {}
    for owner, counters, times, points in stream(connection, statement, LIMIT_CLAIMS, program_id):
        try:
            keys = read_counters(counters)
        except (ValueError, TypeError):
            # Told with the claim itself.
            continue
        for key in keys:
            of = (bytes(owner), *key)
            sums[of] = sums.get(of, 0) + int(times if key.unit == "times" else points)
    for row in stream(connection, sa.select(LIMIT_COUNTERS), LIMIT_COUNTERS, program_id):
        owner, *of_rule, used = row
        computed = sums.pop((bytes(owner), *of_rule), 0)
        report.compare("limit_counters", _named(owner, of_rule), "used", used, computed)
    for (owner, *of_rule), computed in sorted(sums.items()):
        if computed:
            report.note("limit_counters", _named(owner, of_rule), "used", "none", computed)


def _named(owner: bytes, key: Sequence[Any]) -> Place:
    return ("prg", bytes(owner), " " + " ".join(map(str, key)))

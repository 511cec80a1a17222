"""Proof of what hangs on orders: figures, awards, the first-purchase claim, tiers.

Every order is decided again from its stored snapshot with the version and the facts that its
decision pinned. Levels are replayed under the live ladder; who has an order from before that
ladder was published keeps a level of that time, of which only the key can be checked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import ids, jsontext
from loyalty.deserved import by_terms
from loyalty.tiers.contributions import Contribution, contributions
from loyalty.tiers.models import TIERS
from members import aliases
from members.activities import ACTIVITIES
from orders.refunds import fold
from referrals.carried import REFERRALS
from server.verify import cards, draws, levels, limits, sources
from server.verify.fired import Fired
from server.verify.hands import ADJUSTMENTS
from server.verify.programs import Programs
from server.verify.rows import Groups, Place, Report, side_by_side, stream
from storefront import decide, limiting
from storefront.decide import Decided, Pinned
from storefront.decisions import DECISIONS
from storefront.orders import ORDERS
from storefront.telling import ORDER_REFUNDS, read_refunds


def check_sources(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Every order decided again; what stands of the lots of each cause is what it deserves."""
    joined = sa.and_(
        DECISIONS.c.program_id == ORDERS.c.program_id, DECISIONS.c.id == ORDERS.c.decision_id
    )
    refunded = sa.exists().where(
        ORDER_REFUNDS.c.program_id == ORDERS.c.program_id,
        ORDER_REFUNDS.c.order_ref == ORDERS.c.order_ref,
    )
    statement = (
        sa.select(
            *ORDERS.columns,
            DECISIONS.c.source_type.label("decided_type"),
            DECISIONS.c.source_ref.label("decided_ref"),
            DECISIONS.c.member_id.label("decided_member_id"),
            DECISIONS.c.version,
            DECISIONS.c.switches,
            DECISIONS.c.facts,
            refunded.label("has_refunds"),
        )
        .select_from(ORDERS.outerjoin(DECISIONS, joined))
        .order_by(ORDERS.c.program_id, ORDERS.c.id)
    )
    orders = Groups(stream(connection, statement, ORDERS, program_id))
    lots = sources.of_lots(connection, program_id)
    causes = sources.Causes(connection, program_id)
    fired = Fired(connection, program_id, programs)
    stamps = cards.by_source(connection, program_id)
    claims = limits.by_source(connection, program_id)
    redeemed = limits.redemptions(connection, program_id)
    streams = (orders, lots, stamps, claims, redeemed, *causes.streams, *fired.streams)
    for key in side_by_side(*streams):
        own, stamped = list(lots.take(key)), list(stamps.take(key))
        claimed = list(claims.take(key))
        row = next(orders.take(key), None)
        sources.check_moved(report, own)
        if row is not None:
            report.orders += 1
            decided = _check_order(report, programs, row, own, body=_told(connection, row))
            cards.check_order(report, programs, row, stamped, decided)
            limits.check_order(report, row, claimed, decided)
        elif not fired.check(report, key, own, claimed):
            causes.check(report, key, own)
            redemption = next(redeemed.take(key), None)
            if redemption is not None:
                limits.check_redemption(programs, report, redemption, claimed)
            else:
                limits.check_signup(programs, report, draws.check_places(report, claimed))
    limits.check_counters(connection, program_id, report)


def _told(connection: sa.Connection, row: Any) -> Mapping[str, Any]:
    """The order as told, with what was told of its refunds."""
    body: dict[str, Any] = jsontext.parse(row.snapshot)
    if not row.has_refunds:
        return body
    refunds = read_refunds(connection, row.program_id, row.order_ref)
    return fold(body, [refund for refund in refunds if refund.is_applied]).body


def _check_order(
    report: Report,
    programs: Programs,
    row: Any,
    lots: Sequence[Any],
    *,
    body: Mapping[str, Any],
) -> Decided | None:
    place = ("ord", row.id, "")
    report.compare("orders", place, "status", row.status, body["status"])
    if body.get("revision") is not None:
        report.compare("orders", place, "revision", row.revision, body["revision"])
    _check_times(report, place, row, body)
    decided = None
    if row.member_id is None:
        report.compare("orders", place, "decision_id", row.decision_id, None)
    elif row.version is None:
        stored = ids.show_id("dec", row.decision_id) if row.decision_id else None
        report.note("orders", place, "decision_id", stored, "a decision that exists")
        return None
    else:
        decided = _decided_again(report, programs, row, body)
        if decided is None:
            return None
    _check_columns(report, programs, row, body, decided)
    _check_award(report, row, lots, decided)
    return decided


def _check_times(report: Report, place: Place, row: Any, body: Mapping[str, Any]) -> None:
    """An order is placed when the storefront said, or was told, if it said a later time."""
    placed_at = row.placed_at
    was_ahead = placed_at < body["placed_at"] and row.created_at <= placed_at <= row.updated_at
    if not was_ahead:
        report.compare("orders", place, "placed_at", placed_at, body["placed_at"])
    if row.created_at > row.updated_at:
        report.note("orders", place, "created_at", row.created_at, f"at most {row.updated_at}")


def _decided_again(
    report: Report, programs: Programs, row: Any, body: Mapping[str, Any]
) -> Decided | None:
    """The decision made again from what it pinned; None when it is not this order's."""
    place = ("ord", row.id, "")
    told = (row.decided_type, row.decided_ref, row.decided_member_id)
    if told != ("order", row.order_ref, row.member_id):
        member = ids.show_id("mem", told[2]) if told[2] else None
        report.note(
            "orders",
            place,
            "decision_id",
            f"{ids.show_id('dec', row.decision_id)} of {told[0]} {told[1]} for {member}",
            f"one of order {row.order_ref} for {ids.show_id('mem', row.member_id)}",
        )
        return None
    program = programs.version(row.program_id, row.version, row.switches)
    if program is None:
        decision = ("dec", row.decision_id, "")
        report.note("decisions", decision, "version", row.version, "a published version")
        return None
    facts = jsontext.parse(row.facts)
    was_first = bool(facts["order"]["order.is_first"])
    # Of two first purchases only one holds the claim once their members are merged.
    if bool(row.is_first) != was_first and not (was_first and _is_merged(programs, row)):
        report.compare("orders", place, "is_first", bool(row.is_first), was_first)
    figures = decide.figure(program, body)
    return decide.decide_order(
        Pinned.of_facts(program, facts),
        body,
        order=figures,
        stands=decide.is_standing(body["status"], figures),
        is_first=was_first,
        is_history=bool(row.is_history),
        at=row.placed_at,
        rooms=limiting.as_decided(program.rules_of("order"), limiting.read_bound(facts)),
    )


def _is_merged(programs: Programs, row: Any) -> bool:
    """Whether another member was merged into the order's."""
    return bool(aliases.merged_ids(programs.connection, row.program_id, row.member_id))


def _check_columns(
    report: Report,
    programs: Programs,
    row: Any,
    body: Mapping[str, Any],
    decided: Decided | None,
) -> None:
    place = ("ord", row.id, "")
    figures = decided.figures if decided else decide.figure(programs.live(row.program_id), body)
    stands = decide.is_standing(body["status"], figures)
    expected = {
        "net_minor": 0 if body["status"] == "cancelled" else figures.net_minor,
        "refunded_minor": figures.refunded_minor,
        "spend_minor": decided.spend_minor if decided else 0,
        "qualifying_points": decided.qualifying_points if decided else 0,
        "stands": stands,
    }
    for name, value in expected.items():
        report.compare("orders", place, name, getattr(row, name), value)
    if row.is_first and not (stands and decided):
        report.note("orders", place, "is_first", True, False)


def _check_award(report: Report, row: Any, lots: Sequence[Any], decided: Decided | None) -> None:
    """What stands of the order's lots, for its member and for whoever had it before."""
    deserved: dict[tuple[bytes, str, str], int] = {}
    if decided is not None:
        program = decided.pinned.program
        for one in by_terms(program, program.rules_of("order"), decided.earning.earned):
            deserved[row.member_id, one.points_key, one.terms.text] = one.points
    sources.check_award(report, lots, deserved, row.id)


def check_members(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Levels against a replay of the orders that stand, and one first-purchase claim each."""
    columns = ORDERS.c
    statement = (
        sa.select(
            columns.program_id,
            columns.member_id,
            columns.id,
            columns.placed_at,
            columns.spend_minor,
            columns.qualifying_points,
            columns.is_first,
            columns.created_at,
        )
        .where(columns.member_id.is_not(None), columns.stands)
        .order_by(
            columns.program_id,
            columns.member_id,
            columns.placed_at,
            columns.created_at,
            columns.id,
        )
    )
    kept = sa.select(TIERS).order_by(TIERS.c.program_id, TIERS.c.member_id)
    orders = Groups(stream(connection, statement, ORDERS, program_id))
    counted = Groups(stream(connection, _counted(), ADJUSTMENTS, program_id))
    tiers = Groups(stream(connection, kept, TIERS, program_id))
    ladders: dict[bytes, levels.Ladders] = {}
    told = Groups(stream(connection, _activities(), ACTIVITIES, program_id))
    friends = Groups(stream(connection, _referrals(), REFERRALS, program_id))
    for key in side_by_side(orders, tiers, counted, told, friends):
        live = ladders.get(key[0])
        if live is None:
            if programs.find_live(key[0]) is None:
                # Rows of no program; what they lack is told where they are missed.
                continue
            live = ladders[key[0]] = levels.read(connection, key[0])
        rows = list(orders.take(key))
        _check_claim(report, rows)
        others = [
            Contribution(row.effective_at, 0, row.points, count=0)
            for row in (*counted.take(key), *told.take(key))
        ]
        if live.program.ladder.counts_referrals:
            others += [
                Contribution(row.qualified_at, 0, 0, count=0, referrals=1)
                for row in friends.take(key)
            ]
        levels.check(
            report,
            live,
            ("mem", key[1], ""),
            orders=contributions(
                (row.placed_at, row.spend_minor, row.qualifying_points) for row in rows
            ),
            others=others,
            is_older=any(row.created_at <= live.since for row in rows)
            or any(one.at <= live.since for one in others),
            kept=next(tiers.take(key), None),
        )


def _check_claim(report: Report, rows: Sequence[Any]) -> None:
    holders = [row.id for row in rows if row.is_first]
    for order_id in holders[1:]:
        first = ids.show_id("ord", holders[0])
        report.note("orders", ("ord", order_id, ""), "is_first", True, f"held by {first}")


def _counted() -> sa.Select[Any]:
    """Adjustments that count for tiers, by member."""
    lead = [ADJUSTMENTS.c.program_id, ADJUSTMENTS.c.tier_member_id]
    return (
        sa.select(*lead, ADJUSTMENTS.c.points, ADJUSTMENTS.c.effective_at)
        .where(ADJUSTMENTS.c.tier_member_id.is_not(None))
        .order_by(*lead, ADJUSTMENTS.c.effective_at, ADJUSTMENTS.c.id)
    )


def _referrals() -> sa.Select[Any]:
    """Referrals that stand, by advocate."""
    columns = REFERRALS.c
    lead = [columns.program_id, columns.advocate_id]
    return (
        sa.select(*lead, columns.qualified_at)
        .where(columns.stands, columns.qualified_at.is_not(None))
        .order_by(*lead, columns.qualified_at, columns.id)
    )


def _activities() -> sa.Select[Any]:
    """Activities that count for tiers, by member."""
    columns = ACTIVITIES.c
    return (
        sa.select(
            columns.program_id,
            columns.member_id,
            columns.qualifying_points.label("points"),
            columns.occurred_at.label("effective_at"),
        )
        .where(columns.status == "done", columns.qualifying_points > 0)
        .order_by(columns.program_id, columns.member_id, columns.occurred_at, columns.id)
    )

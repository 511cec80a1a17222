"""Proof of rewards: redemptions, vouchers, grants, fulfilments and stock against each other and
against the ledger.

Owns what a redemption must be by the hold behind it, by the program that was live when it was
held, and by what it came with; the rest has modules of its own. Its limits are proved with those
of other sources (`verify_limits`). What only a person told (carts, orders it is kept by, reasons,
what it cost) is proved by nothing.
"""

from typing import Any

import sqlalchemy as sa

from core import ids
from loyalty.ledger.rows import HOLDS
from members.members import MEMBERS
from programs.compiled import Compiled
from rewards import terms
from rewards.carried import GRANTS, REDEMPTIONS, VOUCHERS
from rewards.terms import PAY_WITH_POINTS, Terms
from server.verify import fulfilments, grants, merged, stock, vouchers
from server.verify.programs import Programs
from server.verify.rows import Place, Report, stream

#: Which states of the ledger's hold a redemption's agree with. A hold that ran out may be written
#: before its redemption is.
_HOLDS = {
    "held": ("held", "expired"),
    "captured": ("captured",),
    "released": ("released",),
    "expired": ("expired",),
    "reversed": ("reversed",),
}
#: Which states a redemption's code agrees with; None is to have none.
_CODES: dict[str, tuple[str | None, ...]] = {
    "held": ("reserved",),
    "captured": ("active", "redeemed", "expired"),
    "released": (None, "void"),
    "expired": (None, "void"),
    "reversed": (None, "void"),
}
_HOLD_NAMES = ("member_id", "points_key", "points", "state", "held_at", "expires_at", "ended_at")
_VOUCHER_NAMES = ("id", "redemption_id", "state", "void_reason")
_GRANT_NAMES = ("id", "member_id", "reward_key", "state", "redemption_id", "terms")


def check(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Everything that rewards keep."""
    for row in stream(connection, _redemptions(), REDEMPTIONS, program_id):
        _check(connection, report, programs, row)
    vouchers.check(connection, program_id, report, programs)
    grants.check(connection, program_id, report, programs)
    fulfilments.check(connection, program_id, report)
    stock.check(connection, program_id, report, programs)


def _redemptions() -> sa.Select[Any]:
    """Redemptions with what they must agree with."""
    columns = REDEMPTIONS.c

    def same(table: sa.Table, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.program_id == columns.program_id, table.c.id == column)

    joined = (
        REDEMPTIONS.outerjoin(HOLDS, same(HOLDS, columns.id))
        .outerjoin(VOUCHERS, same(VOUCHERS, columns.voucher_id))
        .outerjoin(GRANTS, same(GRANTS, columns.grant_id))
        .outerjoin(MEMBERS, same(MEMBERS, columns.member_id))
    )
    return sa.select(
        *columns,
        *(HOLDS.c[name].label(f"hold_{name}") for name in _HOLD_NAMES),
        *(VOUCHERS.c[name].label(f"voucher_{name}_") for name in _VOUCHER_NAMES),
        *(GRANTS.c[name].label(f"grant_{name}_") for name in _GRANT_NAMES),
        MEMBERS.c.id.label("member"),
        MEMBERS.c.erased_at.label("erased_at"),
    ).select_from(joined)


def _check(connection: sa.Connection, report: Report, programs: Programs, row: Any) -> None:
    place = ("rdm", row.id, "")
    if row.state not in _HOLDS:
        report.note("redemptions", place, "state", row.state, f"one of {', '.join(_HOLDS)}")
        return
    if row.member is None:
        report.note("redemptions", place, "member_id", row.member_id, "a member that exists")
    try:
        promised = terms.parse(row.terms)
    except (ValueError, TypeError):
        report.note("redemptions", place, "terms", row.terms, "terms that can be read")
        return
    for name in ("kind", "reward_key", "points_key", "points"):
        report.compare("redemptions", place, name, getattr(row, name), getattr(promised, name))
    program = programs.version(row.program_id, row.version, row.switches)
    if program is None:
        stored = f"{row.version} with {row.switches} switches"
        report.note("redemptions", place, "version", stored, "a published version")
    elif row.grant_id is None:
        _check_terms(report, place, row, program)
    _check_times(report, place, row)
    if row.points:
        _check_hold(connection, report, place, row)
    elif row.hold_state is not None:
        report.note("redemptions", place, "points", 0, f"the {row.hold_points} held under its id")
    if row.has_stock and (row.state not in ("held", "captured") or row.grant_id is not None):
        report.note("redemptions", place, "has_stock", True, False)
    if row.is_undone and (row.state not in ("released", "reversed") or row.kept_by is None):
        report.note("redemptions", place, "is_undone", True, False)
    _check_code(report, place, row, promised)
    if row.grant_id is not None:
        _check_grant(report, place, row)


def _check_terms(report: Report, place: Place, row: Any, program: Compiled) -> None:
    """They are those of the reward in its version, for one of its costs; or of points that paid."""
    if row.kind == PAY_WITH_POINTS:
        pay = program.catalogue.pay_with_points
        expected = [] if pay is None else [terms.of_points(pay, row.points).text]
    else:
        reward = program.catalogue.find(row.reward_key)
        costs = set() if reward is None else {reward.cost_points, *reward.cost_by_tier.values()}
        is_cost = reward is not None and row.points in {cost or 0 for cost in costs}
        expected = [terms.of_reward(reward, row.points).text] if reward and is_cost else []
    if row.terms not in expected:
        computed = " or ".join(expected) or "those of a reward of its version"
        report.note("redemptions", place, "terms", row.terms, computed)


def _check_times(report: Report, place: Place, row: Any) -> None:
    """It has the instants that its state has, in their order."""
    was_captured = row.state in ("captured", "reversed")
    if (row.captured_at is not None) is not was_captured:
        computed = "when it was captured" if was_captured else None
        report.note("redemptions", place, "captured_at", row.captured_at, computed)
    has_ended = row.state in ("released", "expired", "reversed")
    if (row.ended_at is not None) is not has_ended:
        computed = "when it ended" if has_ended else None
        report.note("redemptions", place, "ended_at", row.ended_at, computed)
    for name in ("expires_at", "captured_at", "ended_at"):
        at = getattr(row, name)
        if at is not None and at < row.held_at:
            report.note("redemptions", place, name, at, f"at least {row.held_at}")
    captured_at, ended_at = row.captured_at, row.ended_at
    if None not in (captured_at, ended_at) and ended_at < captured_at:
        report.note("redemptions", place, "ended_at", ended_at, f"from {captured_at} on")
    if row.state == "expired" and row.ended_at != row.expires_at:
        report.note("redemptions", place, "ended_at", row.ended_at, row.expires_at)


def _check_hold(connection: sa.Connection, report: Report, place: Place, row: Any) -> None:
    """The ledger's hold says the same; what it says is proved by its entries."""
    if row.hold_state is None:
        report.note("redemptions", place, "points", row.points, "none held under its id")
        return
    if row.hold_state not in _HOLDS[row.state]:
        report.note("redemptions", place, "state", row.state, f"that of a hold {row.hold_state}")
    report.compare("redemptions", place, "points", row.points, row.hold_points)
    report.compare("redemptions", place, "points_key", row.points_key, row.hold_points_key)
    report.compare("redemptions", place, "expires_at", row.expires_at, row.hold_expires_at)
    if row.hold_held_at < row.held_at:
        report.note("redemptions", place, "held_at", row.held_at, f"at most {row.hold_held_at}")
    if row.state in ("captured", "reversed"):
        report.compare("redemptions", place, "captured_at", row.captured_at, row.hold_ended_at)
    elif row.state != "held":
        report.compare("redemptions", place, "ended_at", row.ended_at, row.hold_ended_at)
    if row.member_id != row.hold_member_id:
        # Holds stay in the books of whoever made them; redemptions go to whom that is by now.
        owner = merged.owner(connection, row.program_id, row.hold_member_id)
        if owner != row.member_id:
            stored = ids.show_id("mem", row.member_id)
            report.note("redemptions", place, "member_id", stored, ids.show_id("mem", owner))


def _check_code(report: Report, place: Place, row: Any, promised: Terms) -> None:
    """It has the code that its terms promise, which belongs to it and is in its state."""
    allowed = _CODES[row.state]
    if row.erased_at is not None:
        # What was unused is void with its member.
        allowed = (*allowed, "void")
    if row.voucher_void_reason_ is not None and row.state == "captured":
        # Staff made it void; what it came with stays.
        allowed = ("void",)
    if promised.voucher is None:
        report.compare("redemptions", place, "voucher_id", row.voucher_id, None)
        return
    if row.voucher_id is None:
        if None not in allowed:
            report.note("redemptions", place, "voucher_id", None, "the code that it comes with")
        return
    if row.voucher_id_ is None or row.voucher_redemption_id_ != row.id:
        shown = ids.show_id("vou", row.voucher_id)
        report.note("redemptions", place, "voucher_id", shown, "a voucher of this redemption")
    elif row.voucher_state_ not in allowed:
        shown = ids.show_id("vou", row.voucher_id)
        computed = " or ".join(str(one) for one in allowed)
        report.note("redemptions", place, f"state of {shown}", row.voucher_state_, computed)


def _check_grant(report: Report, place: Place, row: Any) -> None:
    """What is had by a grant is on its terms, and uses it while it is held or captured."""
    if row.grant_id_ is None:
        report.note("redemptions", place, "grant_id", row.grant_id, "a grant that exists")
        return
    report.compare("redemptions", place, "terms", row.terms, row.grant_terms_)
    report.compare("redemptions", place, "reward_key", row.reward_key, row.grant_reward_key_)
    report.compare("redemptions", place, "member_id", row.member_id, row.grant_member_id_)
    if row.state in ("held", "captured") and row.grant_redemption_id_ != row.id:
        shown = ids.show_id("grt", row.grant_id)
        report.note("redemptions", place, "grant_id", shown, "a grant that it uses")

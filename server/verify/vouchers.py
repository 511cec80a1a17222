"""Proof of vouchers: each code, its state, its uses and what is left of its money.

A voucher belongs to a redemption, to a grant, to its pool, or was sold. Codes are opened with
SECRET_KEY and must be what they are found by. Refuses to know what orders say that they used.
"""

from typing import Any

import sqlalchemy as sa

from core import ids
from members.members import MEMBERS
from programs.rewards import STORED_VALUE
from rewards import codes, terms
from rewards.carried import GRANTS, REDEMPTIONS, USES, VOUCHERS
from rewards.models import VoucherPool
from rewards.terms import Terms
from rewards.vouchers import ends_at, unbound
from server.verify.programs import Programs
from server.verify.rows import Place, Report, stream
from storefront.membership.erased_rewards import FORGOTTEN

POOLS: sa.Table = VoucherPool.__table__  # type: ignore[assignment]

#: By state: whether an end is known of it.
STATES = {
    "pooled": False,
    "reserved": False,
    "active": False,
    "frozen": False,
    "redeemed": True,
    "expired": True,
    "void": True,
}
_REDEMPTION_NAMES = ("id", "member_id", "voucher_id", "terms", "state")
_GRANT_NAMES = ("id", "member_id", "voucher_id", "terms", "state", "granted_at", "expires_at")


def check(
    connection: sa.Connection, program_id: bytes | None, report: Report, programs: Programs
) -> None:
    """Every voucher, and every use of one."""
    for row in stream(connection, _vouchers(), VOUCHERS, program_id):
        _check(report, programs, row)
    for row in stream(connection, _uses(), USES, program_id):
        _check_use(report, row)


def _vouchers() -> sa.Select[Any]:
    columns = VOUCHERS.c
    used = (
        sa.select(
            USES.c.program_id,
            USES.c.voucher_id,
            sa.func.sum(sa.case((USES.c.is_released, 0), else_=1)).label("times"),
            sa.func.sum(USES.c.amount_minor - USES.c.returned_minor).label("minor"),
        )
        .group_by(USES.c.program_id, USES.c.voucher_id)
        .subquery()
    )

    def same(table: Any, name: str, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.program_id == columns.program_id, table.c[name] == column)

    joined = (
        VOUCHERS.outerjoin(used, same(used, "voucher_id", columns.id))
        .outerjoin(REDEMPTIONS, same(REDEMPTIONS, "id", columns.redemption_id))
        .outerjoin(GRANTS, same(GRANTS, "id", columns.grant_id))
        .outerjoin(MEMBERS, same(MEMBERS, "id", columns.member_id))
        .outerjoin(POOLS, same(POOLS, "key", columns.pool_key))
    )
    return sa.select(
        *columns,
        sa.func.coalesce(used.c.times, 0).label("times"),
        sa.func.coalesce(used.c.minor, 0).label("minor"),
        *(REDEMPTIONS.c[name].label(f"redemption_{name}_") for name in _REDEMPTION_NAMES),
        *(GRANTS.c[name].label(f"grant_{name}_") for name in _GRANT_NAMES),
        MEMBERS.c.id.label("member"),
        MEMBERS.c.erased_at.label("erased_at"),
        POOLS.c.key.label("pool"),
    ).select_from(joined)


def _check(report: Report, programs: Programs, row: Any) -> None:
    place = ("vou", row.id, "")
    if row.state not in STATES:
        report.note("vouchers", place, "state", row.state, f"one of {', '.join(STATES)}")
        return
    _check_code(report, place, row)
    if row.pool_key is not None and row.pool is None:
        report.note("vouchers", place, "pool_key", row.pool_key, "a pool that exists")
    if row.member_id is not None and row.member is None:
        report.note("vouchers", place, "member_id", row.member_id, "a member that exists")
    if row.state == "pooled":
        for name, value in unbound().items():
            report.compare("vouchers", place, name, getattr(row, name), value)
        if row.pool_key is None:
            report.note("vouchers", place, "pool_key", None, "the pool that it waits in")
        return
    _check_figures(report, place, row)
    try:
        promised = terms.parse(row.terms)
        is_right = promised.text == row.terms
    except (ValueError, TypeError):
        is_right = False
    if not is_right:
        report.note("vouchers", place, "terms", row.terms, "terms as they are written")
        return
    _check_terms(report, programs, place, row, promised)
    _check_owner(report, place, row)


def _check_code(report: Report, place: Place, row: Any) -> None:
    """The sealed code is the one that it is found by; of whom was erased it is gone."""
    if row.sealed == FORGOTTEN and (row.erased_at is not None or row.member_id is None):
        return
    try:
        code = codes.reveal(row.program_id, row.id, row.sealed)
    except ValueError:
        code = None
    if code is None:
        report.note("vouchers", place, "sealed", "what no SECRET_KEY here opens", "a code")
    elif row.digest not in codes.digests(row.program_id, code):
        report.note("vouchers", place, "digest", row.digest, "that of its code")


def _check_figures(report: Report, place: Place, row: Any) -> None:
    """Uses, what they left, and the state that follows."""
    report.compare("vouchers", place, "uses", row.uses, int(row.times))
    is_stored = row.kind in STORED_VALUE
    if is_stored and row.value_minor is not None:
        left = row.value_minor - int(row.minor)
        report.compare("vouchers", place, "remaining_minor", row.remaining_minor, left)
        is_over = row.remaining_minor == 0
    else:
        report.compare("vouchers", place, "remaining_minor", row.remaining_minor, None)
        is_over = row.uses >= row.uses_max
    if row.state in ("active", "redeemed") and is_over is not (row.state == "redeemed"):
        computed = "redeemed" if is_over else "active"
        report.note("vouchers", place, "state", row.state, computed)
    if row.state == "reserved" and row.uses and (not is_stored or int(row.minor)):
        report.note("vouchers", place, "state", row.state, f"one of a code with {row.uses} uses")
    for name in ("void_reason", "void_actor"):
        if getattr(row, name) is not None and row.state != "void":
            report.note("vouchers", place, name, getattr(row, name), "none of a code that lives")
    if row.state == "expired" and row.expires_at is None:
        report.note("vouchers", place, "state", row.state, "one of a code without a date")
    if (row.ended_at is not None) is not STATES[row.state]:
        shown = "when it ended" if STATES[row.state] else None
        report.note("vouchers", place, "ended_at", row.ended_at, shown)


def _check_terms(
    report: Report, programs: Programs, place: Place, row: Any, promised: Terms
) -> None:
    expected: dict[str, Any] = {
        "kind": promised.kind,
        "reward_key": promised.reward_key,
        "value_minor": promised.minor if promised.kind in STORED_VALUE else None,
        "uses_max": 1 if promised.voucher is None else promised.voucher.uses,
        "origin": "sold" if row.redemption_id is None and row.grant_id is None else "granted",
    }
    for name, value in expected.items():
        report.compare("vouchers", place, name, getattr(row, name), value)
    pool_key = None if promised.voucher is None else promised.voucher.pool
    report.compare("vouchers", place, "pool_key", row.pool_key, pool_key)
    if row.grant_id is not None:
        # It ends with its grant.
        report.compare("vouchers", place, "expires_at", row.expires_at, row.grant_expires_at_)
    elif promised.voucher is not None:
        zones = programs.calendar(row.program_id).zones
        dates = {ends_at(promised.voucher.valid_for, row.issued_at, zone) for zone in zones}
        if row.expires_at not in dates:
            computed = " or ".join(sorted(map(str, dates)))
            report.note("vouchers", place, "expires_at", row.expires_at, computed)


def _check_owner(report: Report, place: Place, row: Any) -> None:
    """What it came with is there, on the same terms, of the same member, and names it."""
    for name, table in (("redemption", "redemptions"), ("grant", "grants")):
        own_id = getattr(row, f"{name}_id")
        if own_id is None:
            continue
        if getattr(row, f"{name}_id_") is None:
            report.note("vouchers", place, f"{name}_id", own_id, f"one of {table}")
            continue
        for column in ("member_id", "terms"):
            theirs = getattr(row, f"{name}_{column}_")
            report.compare("vouchers", place, column, getattr(row, column), theirs)
        # A code that is void may have been replaced by another.
        if getattr(row, f"{name}_voucher_id_") != row.id and row.state != "void":
            report.note("vouchers", place, f"{name}_id", own_id, "what names this voucher")
    if row.grant_id_ is not None:
        report.compare("vouchers", place, "issued_at", row.issued_at, row.grant_granted_at_)
        if (row.state == "frozen") is not (row.grant_state_ == "frozen"):
            report.note("vouchers", place, "state", row.state, f"that of {row.grant_state_}")
        is_usable = row.grant_state_ in ("open", "used")
        if row.state in ("active", "redeemed") and not is_usable:
            report.note("vouchers", place, "state", row.state, f"that of {row.grant_state_}")
    elif row.state == "frozen":
        report.note("vouchers", place, "state", row.state, "one of a code that nobody freezes")
    if row.redemption_id_ is not None and row.state in ("active", "redeemed", "expired"):
        report.compare("vouchers", place, "redemption", row.redemption_state_, "captured")


def _uses() -> sa.Select[Any]:
    columns = USES.c
    joined = USES.outerjoin(
        VOUCHERS,
        sa.and_(VOUCHERS.c.program_id == columns.program_id, VOUCHERS.c.id == columns.voucher_id),
    ).outerjoin(
        MEMBERS,
        sa.and_(MEMBERS.c.program_id == columns.program_id, MEMBERS.c.id == columns.member_id),
    )
    return sa.select(
        *columns,
        VOUCHERS.c.id.label("voucher"),
        VOUCHERS.c.kind,
        VOUCHERS.c.issued_at,
        MEMBERS.c.id.label("member"),
    ).select_from(joined)


def _check_use(report: Report, row: Any) -> None:
    place = ("vou", row.voucher_id, f" {row.order_ref}")
    if row.voucher is None:
        shown = ids.show_id("vou", row.voucher_id)
        report.note("voucher_uses", place, "voucher_id", shown, "a voucher that exists")
        return
    if row.member_id is not None and row.member is None:
        report.note("voucher_uses", place, "member_id", row.member_id, "a member that exists")
    if bool(row.is_released) is not (row.released_at is not None):
        computed = "when it was released" if row.is_released else None
        report.note("voucher_uses", place, "released_at", row.released_at, computed)
    if row.is_undone and not (row.is_released and row.is_by_hand):
        report.note("voucher_uses", place, "is_undone", row.is_undone, "what a hand used and fell")
    if row.used_at < row.issued_at:
        report.note("voucher_uses", place, "used_at", row.used_at, f"at least {row.issued_at}")
    if row.released_at is not None and row.released_at < row.used_at:
        report.note("voucher_uses", place, "released_at", row.released_at, f"from {row.used_at}")
    back = row.returned_minor
    if row.kind not in STORED_VALUE:
        report.compare("voucher_uses", place, "returned_minor", back, 0)
    elif row.is_released:
        report.compare("voucher_uses", place, "returned_minor", back, row.amount_minor)

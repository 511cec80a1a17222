"""Grants: rewards given without points, by what a member did or by hand; used once.

Owns the row: open, used, lapsed by its date, revoked with its cause, frozen while a term keeps a
level that is not deserved. A grant keeps what it took of stock while it is open, frozen or used;
a redemption that uses it takes none. Refuses to decide who deserves one.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import db, ids
from core.errors import Problem
from rewards import vouchers
from rewards.carried import GRANTS, Row
from rewards.desk import Desk, connection_of

PREFIX = "grt"
#: What is unused, and can be used now or later.
UNUSED = ("open", "frozen")

_COLUMNS = tuple(GRANTS.columns.keys())
_BYTES = (
    "program_id",
    "id",
    "member_id",
    "source_id",
    "voucher_id",
    "redemption_id",
    "decision_id",
)
_of_program = GRANTS.c.program_id == sa.bindparam("program_id")
_by_id = db.Statement(sa.select(GRANTS).where(_of_program, GRANTS.c.id == sa.bindparam("id")))
_of_source = db.Statement(
    sa.select(GRANTS)
    .where(_of_program, GRANTS.c.source_id == sa.bindparam("source_id"))
    .order_by(GRANTS.c.rule, GRANTS.c.number)
)
_is_fallen = sa.and_(
    _of_program,
    GRANTS.c.rule == sa.bindparam("rule"),
    GRANTS.c.state == sa.literal_column("'used'"),
    GRANTS.c.cause == sa.literal_column("'fell'"),
)
_fallen = {
    is_of_all: db.Statement(
        sa.select(GRANTS).where(
            _is_fallen, sa.true() if is_of_all else GRANTS.c.member_id == sa.bindparam("member_id")
        )
    )
    for is_of_all in (False, True)
}
_open_of = db.Statement(
    sa.select(GRANTS).where(
        _of_program,
        GRANTS.c.member_id == sa.bindparam("member_id"),
        GRANTS.c.reward_key == sa.bindparam("reward_key"),
        GRANTS.c.state == sa.literal_column("'open'"),
    )
)


def row_of(row: Sequence[Any]) -> Row:
    """A row of the table, as units hold it."""
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _BYTES:
        if values[name] is not None:
            values[name] = bytes(values[name])
    values["has_stock"] = bool(values["has_stock"])
    return Row(values)


def find(desk: Desk, grant_ref: str) -> Row | None:
    """A grant by its shown id, as this unit leaves it; its member is locked by the caller."""
    grant_id = ids.read_id(PREFIX, grant_ref)
    return None if grant_id is None else find_by_id(desk, grant_id)


def find_by_id(desk: Desk, grant_id: bytes) -> Row | None:
    """The same by its id."""
    found = desk.rewards.grants.get(grant_id)
    if found is None:
        row = _by_id.first(connection_of(desk), {"program_id": desk.program_id, "id": grant_id})
        if row is None:
            return None
        found = desk.rewards.grants[grant_id] = row_of(row)
    return found


def take_up(desk: Desk, row: Sequence[Any]) -> Row:
    """A row that was read, as this unit leaves it."""
    read = row_of(row)
    return desk.rewards.grants.setdefault(read.id, read)


def read_of(desk: Desk, source_id: bytes) -> list[Row]:
    """Every grant of a source, as this unit leaves them, by rule and number."""
    if source_id in desk.rewards.read_sources:
        return known_of(desk, source_id)
    desk.rewards.read_sources.add(source_id)
    values = {"program_id": desk.program_id, "source_id": source_id}
    for row in _of_source.rows(connection_of(desk), values):
        take_up(desk, row)
    return known_of(desk, source_id)


def known_of(desk: Desk, source_id: bytes) -> list[Row]:
    """Those of a source that this unit knows of: all, once they were read or are new."""
    found = [one for one in desk.rewards.grants.values() if one.source_id == source_id]
    return sorted(found, key=lambda one: (one.rule, one.number))


def fallen(desk: Desk, rule: str, member_id: bytes, *, is_of_all: bool) -> list[Row]:
    """What a rule gave a member, or anybody, that was used although its cause fell; as this unit
    leaves it."""
    values = {"program_id": desk.program_id, "rule": rule}
    if not is_of_all:
        values["member_id"] = member_id
    for row in _fallen[is_of_all].rows(connection_of(desk), values):
        take_up(desk, row)
    return [
        one
        for one in desk.rewards.grants.values()
        if (one.rule, one.state, one.cause) == (rule, "used", "fell")
        and (is_of_all or one.member_id == member_id)
    ]


def settle(desk: Desk, row: Row) -> None:
    """Let what time has ended be over, at its own instant."""
    state = state_of(row, desk.now)
    if state != row.state:
        end(desk, row, state, at=row.due_at)


def end(desk: Desk, row: Row, state: str, *, at: int) -> None:
    """An unused grant is over: lapsed or revoked. Its code, if any, is void with what revoked it;
    the date that lets a grant lapse is the code's as well."""
    row.state, row.due_at, row.ended_at = state, None, at
    give_stock_back(desk, row)
    if state == "revoked" and row.voucher_id is not None:
        vouchers.void(desk, vouchers.get(desk, row.voucher_id))


def is_spent(desk: Desk, row: Row) -> bool:
    """Whether anything stands of what a used grant was used for: of a card from which all went
    back, or of access that is simply had, nothing does."""
    if row.state != "used":
        return False
    if row.voucher_id is None:
        return row.redemption_id is not None or row.frozen.kind != "access"
    voucher = vouchers.get(desk, row.voucher_id)
    return not vouchers.is_stored_value(voucher) or voucher.remaining_minor < voucher.value_minor


def take_rest(desk: Desk, row: Row) -> None:
    """The cause of a used grant fell: what is left to be used of its code goes with it."""
    if row.voucher_id is not None:
        voucher = vouchers.get(desk, row.voucher_id)
        if _is_used_in_parts(voucher):
            vouchers.void(desk, voucher)


def give_rest(desk: Desk, row: Row) -> None:
    """The cause of a used grant stands again: what is left of its code comes back."""
    if row.voucher_id is None:
        return
    voucher = vouchers.get(desk, row.voucher_id)
    if not (_is_used_in_parts(voucher) and vouchers.revive(desk, voucher, "active")):
        return
    if vouchers.is_stored_value(voucher):
        is_over = voucher.remaining_minor == 0
    else:
        is_over = voucher.uses >= voucher.uses_max
    if is_over:
        voucher.state, voucher.ended_at = "redeemed", desk.now


def _is_used_in_parts(voucher: Row) -> bool:
    return vouchers.is_stored_value(voucher) or voucher.uses_max > 1


def lock(desk: Desk, rows: Sequence[Row]) -> None:
    """Lock the codes of grants that are to be changed, and read those grants behind the locks:
    whoever knows a code may use it, without its member's lock."""
    codes = [one.voucher_id for one in rows if one.voucher_id is not None and not one.is_changed]
    missing = [one for one in codes if one not in desk.rewards.vouchers]
    if not missing:
        return
    vouchers.lock(desk, missing)
    for one in rows:
        if one.voucher_id in missing:
            values = {"program_id": desk.program_id, "id": one.id}
            read = _by_id.first(connection_of(desk), values)
            assert read is not None
            one.values.update(row_of(read).values)


def state_of(row: Row, now: int) -> str:
    """The state as of an instant: what time has ended is over, written or not."""
    if row.state in UNUSED and row.due_at is not None and row.due_at <= now:
        is_lapsed = row.expires_at is not None and row.expires_at <= row.due_at
        return "lapsed" if is_lapsed else "revoked"
    state: str = row.state
    return state


def conflict(row: Row, wanted: str, now: int) -> Problem:
    """409 `state_conflict`: the grant is in no state for it."""
    state = state_of(row, now)
    return Problem(
        409, "state_conflict", f"The grant cannot be {wanted}: it is {state}.", state=state
    )


def oldest_open(
    desk: Desk, member_id: bytes, reward_key: str, grant_ref: str | None = None
) -> Row | None:
    """The open grant of a reward that ends first, or the one of this shown id. One that came with
    a voucher is used by its code alone, so never found here."""
    if grant_ref is not None:
        one = find(desk, grant_ref)
        known = [] if one is None else [one]
    else:
        values = {
            "program_id": desk.program_id,
            "member_id": member_id,
            "reward_key": reward_key,
        }
        for row in _open_of.rows(connection_of(desk), values):
            take_up(desk, row)
        known = list(desk.rewards.grants.values())
    found = [
        one
        for one in known
        if one.member_id == member_id
        and one.reward_key == reward_key
        and one.voucher_id is None
        and state_of(one, desk.now) == "open"
    ]
    return min(found, key=_by_end, default=None)


def _by_end(one: Row) -> tuple[bool, int, bytes]:
    return (one.due_at is None, one.due_at or 0, one.id)


def use(desk: Desk, grant: Row, redemption_id: bytes | None = None) -> None:
    """A redemption uses a grant; what both would take of stock, the grant keeps. Again changes
    nothing; 409 `state_conflict` when it is not open."""
    if grant.state == "used" and grant.redemption_id == redemption_id:
        return
    if state_of(grant, desk.now) != "open":
        raise conflict(grant, "used", desk.now)
    redemption = None if redemption_id is None else desk.rewards.redemptions.get(redemption_id)
    if redemption is not None and redemption.has_stock and grant.has_stock:
        redemption.has_stock = False
        desk.rewards.take(grant.reward_key, -1)
    grant.state, grant.redemption_id = "used", redemption_id
    grant.due_at, grant.ended_at = None, desk.now


def give_up(desk: Desk, grant: Row) -> None:
    """What used a grant is released or reversed: it is open again, or gone where its cause fell
    meanwhile."""
    if grant.state != "used":
        return
    grant.redemption_id = grant.ended_at = None
    if grant.cause == "stands":
        grant.state, grant.due_at = "open", grant.expires_at
        return
    end(desk, grant, "revoked", at=desk.now)


def used_by_voucher(desk: Desk, grant_id: bytes) -> None:
    """The code that came with a grant was used, in whole or for a part."""
    grant = find_by_id(desk, grant_id)
    if grant is not None and grant.state == "open":
        use(desk, grant)


def unused_by_voucher(desk: Desk, grant_id: bytes) -> None:
    """Nothing that used the code stands any more. Where the cause of its grant fell meanwhile the
    code, which this unit holds, is void."""
    grant = find_by_id(desk, grant_id)
    if grant is None or grant.state != "used":
        return
    give_up(desk, grant)


def give_stock_back(desk: Desk, grant: Row) -> None:
    """What a grant took of stock is free again."""
    if grant.has_stock:
        grant.has_stock = False
        desk.rewards.take(grant.reward_key, -1)

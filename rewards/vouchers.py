"""Vouchers: codes that a storefront accepts. Found, locked, changed, shown.

Owns the rows and their states. Whoever changes a voucher holds its row's lock, taken after those
of members and in the order of ids. How codes come about is in `rewards.issuing`, what orders use
of vouchers in `rewards.spending`, the pools that imported codes come from in `rewards.pools`.
Refuses to say who may use one.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock, db
from core.errors import not_found
from programs.rewards import STORED_VALUE
from rewards import codes
from rewards.carried import VOUCHERS, Row
from rewards.desk import Desk, connection_of

PREFIX = "vou"
#: States in which a code is nobody's: it is not shown to whom it was once given.
UNBOUND = ("pooled", "void")

Start = Literal["reserved", "active"]

_COLUMNS = tuple(VOUCHERS.columns.keys())
_BYTES = ("program_id", "id", "digest", "member_id", "redemption_id", "grant_id")

_by_id = db.Statement(
    sa.select(VOUCHERS).where(
        VOUCHERS.c.program_id == sa.bindparam("program_id"), VOUCHERS.c.id == sa.bindparam("id")
    )
)


def ends_at(valid_for: str | None, at: int, zone: ZoneInfo) -> int | None:
    """When a code of a term ends: with its last valid local day, as points do (SEMANTICS C17);
    to the second where its term has no days. None is never."""
    if valid_for is None:
        return None
    term = clock.parse_duration(valid_for)
    if not (term.months or term.days):
        return clock.after(at, term, zone)
    last = clock.step(clock.local_date(at, zone), term)
    if term.seconds:
        last = clock.local_date(clock.after(at, term, zone), zone)
    return clock.end_of_day(last, zone)


def row_of(row: Any) -> Row:
    """A row of the table, as units hold it."""
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _BYTES:
        if values[name] is not None:
            values[name] = bytes(values[name])
    return Row(values)


def state_of(row: Row, now: int) -> str:
    """The state as of an instant: what its date ends is expired, written or not. One that was
    written as expired was not before."""
    state: str = row.state
    if state in ("active", "frozen", "expired") and row.expires_at is not None:
        if row.expires_at <= now:
            return "expired"
        return "active" if state == "expired" else state
    return state


def is_stored_value(row: Row) -> bool:
    """Whether it holds money that is spent in parts."""
    return row.kind in STORED_VALUE


def find_by_code(desk: Desk, code: str) -> Row | None:
    """The voucher of a code in any spelling, as this unit leaves it; not locked."""
    return find_all(desk, [code]).get(code)


def find_all(desk: Desk, texts: Iterable[str]) -> dict[str, Row]:
    """The vouchers of codes, by the text that was asked for; not locked, in one statement."""
    wanted = {text: codes.digests(desk.program_id, text) for text in texts}
    accepted = [digest for many in wanted.values() for digest in many]
    if not accepted:
        return {}
    rows = connection_of(desk).execute(
        sa.select(VOUCHERS).where(
            VOUCHERS.c.program_id == desk.program_id, VOUCHERS.c.digest.in_(accepted)
        )
    )
    by_digest = {row.digest: row for row in map(row_of, rows)}
    known = desk.rewards.vouchers
    by_digest |= {row.digest: row for row in known.values()}
    return {
        text: known.get(row.id, row)
        for text, many in wanted.items()
        if (row := next((by_digest[one] for one in many if one in by_digest), None)) is not None
    }


def peek(desk: Desk, voucher_id: bytes) -> Row | None:
    """A voucher as this unit leaves it, to be looked at: not locked."""
    known = desk.rewards.vouchers.get(voucher_id)
    if known is not None:
        return known
    values = {"program_id": desk.program_id, "id": voucher_id}
    row = _by_id.first(connection_of(desk), values)
    return None if row is None else row_of(row)


def peek_all(desk: Desk, voucher_ids: Iterable[bytes]) -> dict[bytes, Row]:
    """The same of several, in one statement."""
    known = desk.rewards.vouchers
    wanted = set(voucher_ids)
    found = {one: known[one] for one in wanted if one in known}
    missing = sorted(wanted - set(found))
    if missing:
        rows = connection_of(desk).execute(
            sa.select(VOUCHERS).where(
                VOUCHERS.c.program_id == desk.program_id, VOUCHERS.c.id.in_(missing)
            )
        )
        found |= {row.id: row for row in map(row_of, rows)}
    return found


def lock(desk: Desk, voucher_ids: Iterable[bytes]) -> dict[bytes, Row]:
    """Vouchers to be changed: locked in the order of their ids, and read behind the lock."""
    known = desk.rewards.vouchers
    wanted = sorted(set(voucher_ids))
    missing = [one for one in wanted if one not in known]
    if missing:
        rows = connection_of(desk).execute(
            sa.select(VOUCHERS)
            .where(VOUCHERS.c.program_id == desk.program_id, VOUCHERS.c.id.in_(missing))
            .order_by(VOUCHERS.c.id)
            .with_for_update(key_share=True)
        )
        for row in map(row_of, rows):
            known[row.id] = row
    return {one: known[one] for one in wanted if one in known}


def get(desk: Desk, voucher_id: bytes) -> Row:
    """One voucher to be changed, locked."""
    found = lock(desk, [voucher_id]).get(voucher_id)
    if found is None:
        raise not_found("voucher")
    return found


def activate(_desk: Desk, voucher: Row) -> None:
    """From now on the code can be used."""
    if voucher.state == "reserved":
        voucher.state = "active"


def void(desk: Desk, voucher: Row) -> None:
    """The code is worth nothing any more; a pool does not get it back."""
    if voucher.state not in UNBOUND:
        voucher.state, voucher.ended_at = "void", desk.now


def revive(desk: Desk, voucher: Row, state: Start) -> bool:
    """Give a void code back its life, with its old date; False where that is over, or where the
    code is another's by now, or was made void by hand."""
    is_over = voucher.expires_at is not None and voucher.expires_at <= desk.now
    if voucher.state != "void" or is_over or voucher.void_reason is not None:
        return False
    voucher.state, voucher.ended_at = state, None
    return True


def freeze(_desk: Desk, voucher: Row) -> None:
    """The code cannot be used for now."""
    if voucher.state == "active":
        voucher.state = "frozen"


def thaw(_desk: Desk, voucher: Row) -> None:
    """A frozen code can be used again, as far as its date lets it."""
    if voucher.state == "frozen":
        voucher.state = "active"


def return_to_pool(desk: Desk, voucher: Row) -> None:
    """What was never used can be another's: a pool's code goes back, a generated one is void."""
    if voucher.pool_key is None:
        void(desk, voucher)
        return
    for name, value in unbound().items():
        setattr(voucher, name, value)


def unbound() -> dict[str, Any]:
    """The columns of a code that waits in its pool."""
    return {
        "kind": None,
        "reward_key": None,
        "terms": "{}",
        "origin": "granted",
        "member_id": None,
        "redemption_id": None,
        "grant_id": None,
        "order_ref": None,
        "state": "pooled",
        "uses_max": 1,
        "uses": 0,
        "value_minor": None,
        "remaining_minor": None,
        "expires_at": None,
        "ended_at": None,
        "void_reason": None,
        "void_actor": None,
    }


def shown_for(desk: Desk, row: Row) -> dict[str, Any] | None:
    """The code of a redemption or a grant, for its owner; None where it has none, or has it no
    longer. The code is null where SECRET_KEY was changed without a fallback."""
    if row.voucher_id is None:
        return None
    voucher = peek(desk, row.voucher_id)
    if voucher is None or voucher.state in UNBOUND:
        return None
    return shown(voucher)


def shown_all(
    connection: sa.Connection, program_id: bytes, voucher_ids: Sequence[bytes]
) -> dict[bytes, dict[str, Any]]:
    """The same of many, by id, in one statement: for lists."""
    if not voucher_ids:
        return {}
    rows = connection.execute(
        sa.select(VOUCHERS).where(
            VOUCHERS.c.program_id == program_id, VOUCHERS.c.id.in_(set(voucher_ids))
        )
    )
    return {row.id: shown(row) for row in map(row_of, rows) if row.state not in UNBOUND}


def shown(voucher: Row) -> dict[str, Any]:
    """A voucher as it is shown with what it came by."""
    return {
        "code": codes.reveal(voucher.program_id, voucher.id, voucher.sealed),
        "expires_at": None
        if voucher.expires_at is None
        else clock.format_instant(voucher.expires_at),
    }

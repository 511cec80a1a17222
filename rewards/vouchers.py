"""Vouchers: codes that a storefront accepts. Issued, shown, found, changed.

Owns the rows and their states. Whoever changes a voucher holds its row's lock, taken after those
of members and in the order of ids. What orders use of vouchers is in `rewards.spending`, the pools
that imported codes come from in `rewards.pools`. Refuses to say who may use one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock, db, ids
from core.errors import Problem, not_found
from programs.rewards import DEFAULT_PATTERN, STORED_VALUE
from rewards import codes
from rewards.carried import VOUCHERS, Row
from rewards.desk import Desk, connection_of
from rewards.terms import Terms

PREFIX = "vou"
#: States in which a code is nobody's: it is not shown to whom it was once given.
UNBOUND = ("pooled", "void")
#: Codes of a short pattern that are tried before it is taken for used up.
_TRIES = 16
#: So many random bits never meet twice.
_ENOUGH_BITS = 60

Start = Literal["reserved", "active"]

_COLUMNS = tuple(VOUCHERS.columns.keys())
_BYTES = ("program_id", "id", "digest", "member_id", "redemption_id", "grant_id")
_POOLED: sa.ColumnElement[str] = sa.literal_column("'pooled'")

_by_id = db.Statement(
    sa.select(VOUCHERS).where(
        VOUCHERS.c.program_id == sa.bindparam("program_id"), VOUCHERS.c.id == sa.bindparam("id")
    )
)


def issue(
    desk: Desk,
    terms: Terms,
    *,
    member_id: bytes,
    redemption_id: bytes | None = None,
    grant_id: bytes | None = None,
    state: Start,
    at: int,
) -> Row:
    """A code for a redemption or a grant: generated, or one of its pool; 409 `out_of_stock` where
    none is left. Its date runs from `at`."""
    assert terms.voucher is not None
    bound = {
        "kind": terms.kind,
        "reward_key": terms.reward_key,
        "terms": terms.text,
        "origin": "granted",
        "member_id": member_id,
        "redemption_id": redemption_id,
        "grant_id": grant_id,
        "state": state,
        "issued_at": at,
        "expires_at": ends_at(terms.voucher.valid_for, at, desk.live.zone),
    }
    if terms.voucher.pool is not None:
        voucher = _of_pool(desk, terms.voucher.pool)
        return _bind(desk, voucher, _values(terms) | bound)
    pattern = terms.voucher.pattern or DEFAULT_PATTERN
    return _made(desk, pattern, _values(terms) | bound)


def _bind(desk: Desk, voucher: Row, values: Mapping[str, Any]) -> Row:
    # A new row: terms that were read of the old one are not those of now.
    bound = Row({**voucher.values, **values}, is_new=True)
    desk.rewards.vouchers[voucher.id] = bound
    return bound


def sell(
    desk: Desk,
    kind: str,
    minor: int,
    *,
    member_id: bytes | None,
    order_ref: str | None,
    expires_at: int | None,
) -> Row:
    """A gift card or store credit that somebody paid for, or was given by hand."""
    terms = Terms(kind=kind, reward_key=None, points_key=None, points=0, minor=minor)
    values = _values(terms) | {
        "kind": kind,
        "reward_key": None,
        "terms": terms.text,
        "origin": "sold",
        "member_id": member_id,
        "redemption_id": None,
        "grant_id": None,
        "order_ref": order_ref,
        "state": "active",
        "issued_at": desk.now,
        "expires_at": expires_at,
    }
    return _made(desk, DEFAULT_PATTERN, values)


def _values(terms: Terms) -> dict[str, Any]:
    """What it is worth, and how often it can be used."""
    minor = terms.minor if terms.kind in STORED_VALUE else None
    return {
        "order_ref": None,
        "uses_max": 1 if terms.voucher is None else terms.voucher.uses,
        "uses": 0,
        "value_minor": minor,
        "remaining_minor": minor,
        "ended_at": None,
    }


def _made(desk: Desk, pattern: str, values: Mapping[str, Any]) -> Row:
    code = _free_code(desk, pattern)
    voucher_id = ids.new_id()
    row = Row(
        {
            "program_id": desk.program_id,
            "id": voucher_id,
            "digest": codes.digests(desk.program_id, code)[0],
            "sealed": codes.seal(desk.program_id, voucher_id, code),
            "pool_key": None,
            **values,
        },
        is_new=True,
    )
    desk.rewards.vouchers[voucher_id] = row
    return row


def _free_code(desk: Desk, pattern: str) -> str:
    if codes.random_bits(pattern) >= _ENOUGH_BITS:
        return codes.make(pattern)
    for _ in range(_TRIES):
        code = codes.make(pattern)
        if find_by_code(desk, code) is None:
            return code
    raise Problem(
        409,
        "out_of_stock",
        f"Nearly all codes of the pattern {pattern} are given out: give it more #, or another"
        " pattern. Nothing changed.",
    )


def _of_pool(desk: Desk, pool_key: str) -> Row:
    known = desk.rewards.vouchers
    for row in known.values():
        if row.pool_key == pool_key and row.state == "pooled":
            return row
    # What another unit is binding at this moment is passed over; where nothing else is left, it is
    # waited for, since that unit may give it up.
    for is_waiting in (False, True):
        statement = (
            sa.select(VOUCHERS)
            .where(
                VOUCHERS.c.program_id == desk.program_id,
                VOUCHERS.c.pool_key == pool_key,
                VOUCHERS.c.state == _POOLED,
                VOUCHERS.c.id.not_in([row.id for row in known.values() if row.pool_key]),
            )
            # What was imported first; what came back is last, since somebody has seen it.
            .order_by(VOUCHERS.c.issued_at, VOUCHERS.c.id)
            .limit(1)
            .with_for_update(key_share=True, skip_locked=not is_waiting)
        )
        found = connection_of(desk).execute(statement).first()
        if found is not None:
            row = row_of(found)
            known[row.id] = row
            return row
    raise Problem(
        409,
        "out_of_stock",
        f"No code is left in the pool {pool_key}: import more. Nothing changed.",
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
    code is another's by now."""
    is_over = voucher.expires_at is not None and voucher.expires_at <= desk.now
    if voucher.state != "void" or is_over:
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

"""Referrals as units of work hold them: found, moved from state to state, every move logged."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext, outbox, rawsql
from referrals.carried import REFERRALS, SIDES, TRANSITIONS, Carried
from referrals.desk import Desk, connection_of
from rewards.carried import Row

PREFIX = "ref"
#: The type that entries, decisions and grants name a referral by.
SOURCE_TYPE = "referral"
#: What follows on having qualified, at once or after a hold and a review.
_QUALIFIED = ("qualified", "on_hold", "in_review", "approved")
#: Why evidence or a person was refused: no order of the friend can mend it.
FINAL = frozenset(
    {"EXISTING_CUSTOMER", "SELF_REFERRAL", "MUTUAL_REFERRAL", "BLOCKED", "MANUAL", "CLICK_WINDOW"}
    | {"OFFER_CLOSED", "ALREADY_REFERRED"}
)

_NAMES = [column.name for column in REFERRALS.c]
_SIDE_NAMES = [column.name for column in SIDES.c]


@functools.cache
def _sql(name: str, dialect: str) -> str:
    """Referrals by a column, with their sides, the number of the last line of the log, and whether
    the advocate ever reached a milestone."""
    mark = rawsql.mark(dialect)
    is_its = f"program_id = {mark}1 AND"
    own = ", ".join(f"r.{column}" for column in _NAMES)
    sides = ", ".join(f"s.{column}" for column in _SIDE_NAMES)
    joined = rawsql.left_join(dialect, "referral_sides", "s", on=f"s.{is_its} s.referral_id = r.id")
    return (
        f"SELECT {own}, {sides},"
        " (SELECT MAX(t.number) FROM referral_transitions t"
        f" WHERE t.{is_its} t.referral_id = r.id),"
        " (SELECT 1 FROM referral_milestones m"
        f" WHERE m.{is_its} m.member_id = r.advocate_id LIMIT 1)"
        f" FROM referrals r {joined} WHERE r.{is_its} r.{name} = {mark}2"
    )


_last_line = db.Statement(
    sa.select(sa.func.max(TRANSITIONS.c.number)).where(
        TRANSITIONS.c.program_id == sa.bindparam("program_id"),
        TRANSITIONS.c.referral_id == sa.bindparam("referral_id"),
    )
)


def of_friend(desk: Desk, friend_id: bytes) -> Row | None:
    """The referral of a friend, rejected ones too; with its sides."""
    known = desk.referrals.of_friend
    if friend_id not in known:
        found = _read(desk, "friend_id", friend_id)
        known[friend_id] = found[0].id if found else None
    referral_id = known[friend_id]
    return None if referral_id is None else desk.referrals.referrals[referral_id]


def find(desk: Desk, referral_id: bytes) -> Row | None:
    """A referral by id, with its sides."""
    if referral_id not in desk.referrals.referrals:
        _read(desk, "id", referral_id)
    return desk.referrals.referrals.get(referral_id)


def of_advocate(desk: Desk, advocate_id: bytes) -> list[Row]:
    """Every referral of an advocate as this unit leaves it, the first one first."""
    _read(desk, "advocate_id", advocate_id)
    rows = [row for row in desk.referrals.referrals.values() if row.advocate_id == advocate_id]
    return sorted(rows, key=lambda row: bytes(row.id))


def _read(desk: Desk, name: str, value: bytes) -> list[Row]:
    """Take up referrals with their sides; what the unit holds already is not replaced."""
    connection, carried = connection_of(desk), desk.referrals
    sql = _sql(name, connection.dialect.name)
    found: dict[bytes, Row] = {}
    news: set[bytes] = set()
    size = len(_NAMES)
    for values in rawsql.run(connection, sql, [desk.program_id, value]):
        *told, last_number, has_reached = values
        row = _row(_NAMES, told[:size])
        if row.id not in found:
            if row.id not in carried.referrals:
                news.add(row.id)
                _take_up(carried, row, last_number=last_number, has_reached=bool(has_reached))
            found[row.id] = carried.referrals[row.id]
        if row.id in news and told[size] is not None:
            side = _row(_SIDE_NAMES, told[size:])
            carried.sides.setdefault((side.referral_id, side.side), side)
    return list(found.values())


def _take_up(carried: Carried, row: Row, *, last_number: int | None, has_reached: bool) -> None:
    for column in ("is_bound", "stands"):
        row.values[column] = bool(row.values[column])
    carried.referrals[row.id] = row
    carried.of_friend[row.friend_id] = row.id
    if last_number is not None:
        carried.numbers.setdefault(row.id, last_number)
    if not has_reached:
        carried.without_milestones.add(row.advocate_id)


def _row(names: Sequence[str], values: Sequence[Any]) -> Row:
    return Row(
        {
            name: bytes(value) if isinstance(value, memoryview) else value
            for name, value in zip(names, values, strict=True)
        }
    )


def add(desk: Desk, values: Mapping[str, Any]) -> Row:
    """A new referral; its first line of the log is written by `move`."""
    row = Row(dict(values), is_new=True)
    desk.referrals.referrals[row.id] = row
    desk.referrals.of_friend[row.friend_id] = row.id
    desk.referrals.numbers[row.id] = 0
    return row


def side(desk: Desk, referral: Row, name: str, member_id: bytes) -> Row:
    """A side of a referral, which waits from now on if there was none."""
    found = desk.referrals.sides.get((referral.id, name))
    if found is None:
        found = Row(
            {
                "program_id": desk.program_id,
                "id": ids.new_id(),
                "referral_id": referral.id,
                "side": name,
                "member_id": member_id,
                "state": "waiting",
                "reason": None,
                "decision_id": None,
                "number": 0,
                "cost_minor": 0,
                "first_rewarded_at": None,
                "updated_at": desk.now,
            },
            is_new=True,
        )
        desk.referrals.sides[referral.id, name] = found
    return found


def move(
    desk: Desk,
    referral: Row,
    state: str,
    *,
    cause: str,
    reason: str | None = None,
    at: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Bring a referral to a state and log it; nothing where it is there for this reason already.
    `cause` is what made it so: signup, order, refund, time, review, merge, erasure."""
    is_new = desk.referrals.numbers.get(referral.id) == 0
    if not is_new and (referral.state, referral.reason) == (state, reason):
        return
    before = None if is_new else referral.state
    referral.state, referral.reason, referral.updated_at = state, reason, desk.now
    log(desk, referral, before, state, cause=cause, reason=reason, at=at, detail=detail)
    if before not in _QUALIFIED and state in _QUALIFIED and referral.qualified_at is not None:
        tell(desk, referral, "qualified", at=at)
    if state != before and state in ("identified", "in_review", "approved", "rejected"):
        tell(desk, referral, state, at=at)


def move_side(
    desk: Desk,
    referral: Row,
    one: Row,
    state: str,
    *,
    cause: str,
    reason: str | None = None,
    at: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """The same for one side of it."""
    if (one.state, one.reason) == (state, reason):
        return
    before = one.state
    one.state, one.reason, one.updated_at = state, reason, desk.now
    log(
        desk,
        referral,
        before,
        state,
        side=one.side,
        cause=cause,
        reason=reason,
        at=at,
        detail=detail,
    )
    if state != before and state in ("rewarded", "capped", "clawed_back"):
        tell(desk, referral, state, at=at, side=one)


def tell(desk: Desk, referral: Row, word: str, *, at: int | None, side: Row | None = None) -> None:
    """Tell the world what became of a referral, or of one side of it: by our ids alone, which
    name nobody once they are erased."""
    row = referral if side is None else side
    payload = {
        "referral_id": ids.show_id(PREFIX, referral.id),
        "offer": referral.offer_key,
        "advocate": ids.show_id("mem", referral.advocate_id),
        "friend": ids.show_id("mem", referral.friend_id),
        "state": row.state,
        "reason": row.reason,
        "effective_at": clock.format_instant(min(desk.now if at is None else at, desk.now)),
    }
    outbox.add(
        desk.writes,
        desk.program_id,
        type=f"referral.{word}",
        payload=payload if side is None else payload | {"side": side.side},
        now=desk.now,
        member_id=None if side is None else side.member_id,
    )


def log(
    desk: Desk,
    referral: Row,
    before: str | None,
    after: str,
    *,
    cause: str,
    side: str | None = None,
    reason: str | None = None,
    at: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """A line of the log of a referral."""
    numbers = desk.referrals.numbers
    if referral.id not in numbers:
        numbers[referral.id] = _last_number(desk, referral.id)
    numbers[referral.id] += 1
    desk.referrals.transitions.append(
        {
            "program_id": desk.program_id,
            "id": ids.new_id(),
            "referral_id": referral.id,
            "number": numbers[referral.id],
            "side": side,
            "from_state": before,
            "to_state": after,
            "cause": cause,
            "reason": reason,
            "detail": jsontext.text(dict(detail or {})),
            "actor": desk.actor,
            "effective_at": min(desk.now if at is None else at, desk.now),
            "recorded_at": desk.now,
        }
    )


def _last_number(desk: Desk, referral_id: bytes) -> int:
    values = {"program_id": desk.program_id, "referral_id": referral_id}
    row = _last_line.first(connection_of(desk), values)
    return (row[0] if row is not None else None) or 0


def list_transitions(
    connection: sa.Connection, program_id: bytes, referral_id: bytes
) -> Sequence[sa.RowMapping]:
    """The log of a referral, the first line first."""
    return (
        connection.execute(
            sa.select(TRANSITIONS)
            .where(TRANSITIONS.c.program_id == program_id, TRANSITIONS.c.referral_id == referral_id)
            .order_by(TRANSITIONS.c.number)
        )
        .mappings()
        .all()
    )

"""Who was exposed to an experiment, in which arm, and what they bought afterwards.

Read from the receipts of draws: both arms have them alike, since a receipt is written before the
holdout is asked. A member belongs to the arm of their first receipt and is counted from then on,
whatever became of them (intention to treat). Summed by the database, one statement for all
surprises and one for the program. Writes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from analytics.experiments.comparison import NOBODY, Arm
from analytics.experiments.means import Sums
from analytics.funnel import Period
from orders.models import Order
from programs import versions
from programs.compiled import Compiled
from rewards.surprises.carried import DRAWS

ORDERS: sa.Table = Order.__table__  # type: ignore[assignment]

#: The experiment of the whole program, beside those of surprises by key.
PROGRAM = ""


@dataclass(slots=True)
class Exposed:
    """Both arms of an experiment, and who is in neither: those whom it first met under another
    share, and those whose two references were in different arms before they were merged."""

    treated: Arm = NOBODY
    held: Arm = NOBODY
    first_at: int | None = None
    other_share: int = 0
    both_arms: int = 0


@dataclass(slots=True)
class Shares:
    """By experiment the share that is held out, and in which versions it was that."""

    holdout_bp: dict[str, int] = field(default_factory=dict)
    versions: dict[str, list[int]] = field(default_factory=dict)
    #: Those whose share is in force now.
    running: set[str] = field(default_factory=set)


def read_shares(
    connection: sa.Connection,
    live: Compiled,
    seen: Iterable[tuple[str, int]],
    *,
    is_until_now: bool,
    only: str | None = None,
) -> Shares:
    """The share of each experiment that there is or was. `seen` are surprises and the versions that
    receipts of the period were judged by: what the newest of them held out, or if that is nothing
    the last share that was; of a period until now, what is in force.

    Members whom another share put into their arms are no part of the experiment: the arms of two
    shares put together would differ by time, too.
    """
    by_version: dict[str, set[int]] = {PROGRAM: set()}
    for key, version in seen:
        by_version.setdefault(key, set()).add(version)
        by_version[PROGRAM].add(version)
    for surprise in live.surprises.all:
        by_version.setdefault(surprise.key, set())
    found = Shares()
    for key, numbers in by_version.items():
        if only is not None and key != only:
            continue
        now = _share(live, key)
        was = {
            version: _share(versions.get_compiled(connection, live.program_id, version), key)
            for version in numbers
        }
        last = max((version for version, share in was.items() if share), default=None)
        share = 0 if last is None else was[last]
        if is_until_now and now:
            share = now
        if share:
            found.holdout_bp[key] = share
            found.versions[key] = sorted(one for one, its in was.items() if its == share)
            if share == now:
                found.running.add(key)
    return found


def _share(program: Compiled, key: str) -> int:
    if key == PROGRAM:
        return program.holdout_bp
    surprise = program.surprises.find(key)
    return 0 if surprise is None else surprise.holdout_bp


def read(
    connection: sa.Connection, program_id: bytes, period: Period, shares: Shares
) -> dict[str, Exposed]:
    """The arms of every experiment: members whose first receipt falls into the period, and their
    orders from then until its end."""
    found = {key: Exposed() for key in shares.holdout_bp}
    of_surprises = {key: shares.versions[key] for key in found if key != PROGRAM}
    if of_surprises:
        members = _of_surprises(program_id, period, of_surprises)
        _add(connection, found, _sums(program_id, period, members))
    if PROGRAM in found:
        members = _of_program(program_id, period, shares.versions[PROGRAM])
        _add(connection, found, _sums(program_id, period, members))
    return found


def _of_surprises(program_id: bytes, period: Period, allowed: Mapping[str, list[int]]) -> sa.CTE:
    """Whom the program holds out of everything is in no arm of a single surprise: they miss more
    than it."""
    of_share = sa.or_(
        *(
            sa.and_(DRAWS.c.surprise_key == key, DRAWS.c.live_version.in_(numbers))
            for key, numbers in allowed.items()
        )
    )
    scope = sa.func.coalesce(DRAWS.c.holdout_scope, "")
    return _members(
        DRAWS.c.surprise_key,
        of_share,
        sa.case((scope == "rule", 1), else_=0),
        program_id=program_id,
        period=period,
        among=(DRAWS.c.surprise_key.in_(list(allowed)), scope != "program"),
    )


def _of_program(program_id: bytes, period: Period, allowed: list[int]) -> sa.CTE:
    """Whom only a surprise holds out is treated: by all the others."""
    scope = sa.func.coalesce(DRAWS.c.holdout_scope, "")
    return _members(
        sa.literal(PROGRAM),
        DRAWS.c.live_version.in_(allowed),
        sa.case((scope == "program", 1), else_=0),
        program_id=program_id,
        period=period,
    )


def _members(
    key: sa.ColumnElement[Any],
    of_share: sa.ColumnElement[bool],
    is_held: sa.ColumnElement[Any],
    *,
    program_id: bytes,
    period: Period,
    among: Iterable[sa.ColumnElement[bool]] = (),
) -> sa.CTE:
    """By experiment and member: the first receipt of all, the first one under the share, and the
    least and most of the arms that it put the member into. A shadow rule treats nobody, so its
    receipts expose nobody."""
    rows = (
        sa.select(
            key.label("key"),
            DRAWS.c.member_id,
            DRAWS.c.drawn_at,
            sa.case((of_share, DRAWS.c.drawn_at)).label("under_share_at"),
            sa.case((of_share, is_held)).label("is_held"),
        )
        .where(
            DRAWS.c.program_id == program_id,
            DRAWS.c.is_shadow.is_(False),
            DRAWS.c.drawn_at < period.end,
            *among,
        )
        .subquery()
    )
    return (
        sa.select(
            rows.c.key,
            rows.c.member_id,
            sa.func.min(rows.c.drawn_at).label("first_at"),
            sa.func.min(rows.c.under_share_at).label("under_share_at"),
            sa.func.min(rows.c.is_held).label("least"),
            sa.func.max(rows.c.is_held).label("most"),
        )
        .group_by(rows.c.key, rows.c.member_id)
        .having(sa.func.min(rows.c.drawn_at) >= period.start)
        .cte("exposed")
    )


def _sums(program_id: bytes, period: Period, exposed: sa.CTE) -> sa.Select[Any]:
    """Orders of each member after their first receipt, then sums over members by what arm they
    are in. The order that brought the receipt is before it, in both arms alike."""
    is_same = exposed.c.under_share_at == exposed.c.first_at
    arm = sa.case(
        (sa.not_(sa.func.coalesce(is_same, sa.false())), "other_share"),
        (exposed.c.least != exposed.c.most, "both_arms"),
        (exposed.c.most == 1, "held"),
        else_="treated",
    )
    bought = (
        sa.select(
            exposed.c.key,
            arm.label("arm"),
            exposed.c.first_at,
            sa.func.count(ORDERS.c.id).label("orders"),
            sa.func.coalesce(sa.func.sum(ORDERS.c.net_minor), 0).label("net"),
        )
        .select_from(
            exposed.outerjoin(
                ORDERS,
                sa.and_(
                    ORDERS.c.program_id == program_id,
                    ORDERS.c.member_id == exposed.c.member_id,
                    ORDERS.c.stands,
                    ORDERS.c.placed_at > exposed.c.first_at,
                    ORDERS.c.placed_at < period.end,
                ),
            )
        )
        .group_by(exposed.c.key, arm, exposed.c.first_at, exposed.c.member_id)
        .subquery()
    )
    return sa.select(
        bought.c.key,
        bought.c.arm,
        sa.func.min(bought.c.first_at),
        sa.func.count(),
        sa.func.sum(sa.case((bought.c.orders > 0, 1), else_=0)),
        *_powers(bought.c.orders),
        *_powers(bought.c.net),
    ).group_by(bought.c.key, bought.c.arm)


def _powers(column: sa.ColumnElement[Any]) -> Iterable[sa.ColumnElement[Any]]:
    """Sums of what each has, of its square and of its cube: these two are estimates' matter and
    would not fit into whole numbers."""
    number = sa.cast(column, sa.Double)
    return (
        sa.func.sum(column),
        sa.func.sum(number * number),
        sa.func.sum(number * number * number),
    )


def _add(
    connection: sa.Connection, found: Mapping[str, Exposed], statement: sa.Select[Any]
) -> None:
    for key, arm, first_at, members, repeated, *powers in connection.execute(statement):
        one = found[key]
        if arm in ("other_share", "both_arms"):
            setattr(one, arm, int(members))
            continue
        orders, net = powers[:3], powers[3:]
        read = Arm(int(repeated), _read(members, orders), _read(members, net))
        setattr(one, arm, read)
        if one.first_at is None or first_at < one.first_at:
            one.first_at = int(first_at)


def _read(members: int, powers: list[Any]) -> Sums:
    total, squares, cubes = powers
    return Sums(int(members), int(total), float(squares), float(cubes))

"""Referrals of two members who turn out to be one person: what they have becomes one's.

Links keep working, referrals, sides and milestones change hands, friends are counted together.
Nobody keeps what they brought themselves: of a friend and their own advocate, and of two
advocates of one friend, what one of them was paid is taken back; so is the second level of a
referral of one's own, and the younger of two referrals by which two have brought each other.
Everybody whose referrals change is locked. Refuses to decide what a referral deserves: `following`
does.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core import ids
from members import members
from members.members import MEMBERS, Known
from referrals import milestones as counted
from referrals import referrals
from referrals.carried import MILESTONES, REFERRALS, SIDES
from referrals.models import HouseholdTrust, Link, ReferralBlock, Trace
from rewards.carried import Row
from storefront.plan import Plan
from storefront.referring.rewarding import following, milestones, second_level
from storefront.tiers import advocates

LINKS: sa.Table = Link.__table__  # type: ignore[assignment]
TRACES: sa.Table = Trace.__table__  # type: ignore[assignment]
TRUSTS: sa.Table = HouseholdTrust.__table__  # type: ignore[assignment]
BLOCKS: sa.Table = ReferralBlock.__table__  # type: ignore[assignment]


def parties(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> set[bytes]:
    """The members whose locks a merge needs besides: friends and advocates of every referral that
    changes. Read without locks, so that all can be locked at once."""
    both = [old_id, into_id]
    of_side = sa.select(SIDES.c.referral_id).where(
        SIDES.c.program_id == program_id, SIDES.c.member_id == old_id
    )
    # Who brought one of them may have been brought by the other.
    above = sa.select(REFERRALS.c.advocate_id).where(
        REFERRALS.c.program_id == program_id, REFERRALS.c.friend_id.in_(both)
    )
    concerned = sa.or_(
        REFERRALS.c.friend_id.in_(both),
        REFERRALS.c.friend_id.in_(above),
        REFERRALS.c.advocate_id == old_id,
        REFERRALS.c.id.in_(of_side),
    )
    rows = connection.execute(
        sa.select(REFERRALS.c.id, REFERRALS.c.friend_id, REFERRALS.c.advocate_id).where(
            REFERRALS.c.program_id == program_id, concerned
        )
    ).all()
    found = {bytes(one) for row in rows for one in (row.friend_id, row.advocate_id)}
    # Whoever brought the advocate of one of the two may get a second level.
    brought = sa.select(REFERRALS.c.advocate_id).where(
        REFERRALS.c.program_id == program_id, REFERRALS.c.friend_id.in_(sorted(found))
    )
    sides = sa.select(SIDES.c.member_id).where(
        SIDES.c.program_id == program_id, SIDES.c.referral_id.in_([bytes(one.id) for one in rows])
    )
    for statement in (brought, sides) if rows else ():
        found |= {bytes(one) for one in connection.execute(statement).scalars()}
    return found - {old_id, into_id}


def unite(connection: sa.Connection, plan: Plan, old: Known, into: Known) -> None:
    """Let the one who stays have all that both had, after their points and orders have moved. The
    plan is a fresh one, which this writes to and its caller ends."""
    plan.referrals.locked |= {old.id, into.id}
    plan.referrals.locked |= parties(connection, plan.program_id, old.id, into.id)
    _hand_over(connection, plan.program_id, REFERRALS.c.advocate_id, old.id, into.id)
    loser_id, winner_id = _one_friend(connection, plan.program_id, old.id, into.id)
    _hand_over(connection, plan.program_id, SIDES.c.member_id, old.id, into.id)
    _move_milestones(connection, plan.program_id, old.id, into.id)
    _move_links(connection, plan.program_id, old.id, into.id)
    _move_blocks(connection, plan.program_id, old.id, into.id)
    _move_traces(connection, plan.program_id, old.id, into.id)
    _move_trusts(connection, plan.program_id, old.id, into.id)
    loser = None if loser_id is None else referrals.find(plan, loser_id)
    if loser is not None:
        is_own = loser.advocate_id == into.id
        _end(connection, plan, loser, "SELF_REFERRAL" if is_own else "ALREADY_REFERRED")
    kept = None if winner_id is None else referrals.find(plan, winner_id)
    if kept is not None and kept.advocate_id == into.id:
        _end(connection, plan, kept, "SELF_REFERRAL")
    elif kept is not None and kept.is_bound:
        _end_mutual(connection, plan, kept)
        following.follow(connection, plan, kept, cause="merge")
    _end_own_second(connection, plan, into.id)
    milestones.follow(connection, plan, into.id, cause="merge", at=plan.now)
    advocates.reassess(connection, plan, into.id, cause="merge")


def _hand_over(
    connection: sa.Connection,
    program_id: bytes,
    column: sa.Column[Any],
    old_id: bytes,
    into_id: bytes,
) -> None:
    connection.execute(
        sa.update(column.table)
        .where(column.table.c.program_id == program_id, column == old_id)
        .values({column: into_id})
    )


def _one_friend(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> tuple[bytes | None, bytes | None]:
    """Of the referrals by which both came, the one that ends, which stays the alias's, and the one
    that is the one's who stays."""
    statement = sa.select(
        REFERRALS.c.id,
        REFERRALS.c.friend_id,
        REFERRALS.c.advocate_id,
        REFERRALS.c.is_bound,
        REFERRALS.c.state,
        REFERRALS.c.bound_at,
    ).where(REFERRALS.c.program_id == program_id, REFERRALS.c.friend_id.in_([old_id, into_id]))
    rows = sorted(
        connection.execute(statement).all(),
        key=lambda row: (
            not row.is_bound or bytes(row.advocate_id) == into_id,
            not row.is_bound,
            row.state == "rejected",
            row.bound_at,
            bytes(row.id),
        ),
    )
    if not rows:
        return None, None
    winner = rows[0]
    if bytes(winner.friend_id) == old_id:
        of_friend = REFERRALS.c.friend_id
        if len(rows) == 2:
            _swap(connection, program_id, old_id, into_id)
        else:
            _hand_over(connection, program_id, of_friend, old_id, into_id)
    return (bytes(rows[1].id) if len(rows) == 2 else None), bytes(winner.id)


def _swap(connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes) -> None:
    """Exchange the referrals of two friends. A friend has one at every moment, so one of them
    stands at a seat meanwhile: a row of nobody that is gone afterwards."""
    seat = ids.new_id()
    blank = members.get_row(connection, program_id, old_id)
    row = blank | {"id": seat, "member_ref": f"seat:{seat.hex()}", "merged_into_id": into_id}
    connection.execute(sa.insert(MEMBERS).values(row))
    for source, target in ((into_id, seat), (old_id, into_id), (seat, old_id)):
        _hand_over(connection, program_id, REFERRALS.c.friend_id, source, target)
    connection.execute(
        sa.delete(MEMBERS).where(MEMBERS.c.program_id == program_id, MEMBERS.c.id == seat)
    )


def _end(connection: sa.Connection, plan: Plan, row: Row, reason: str) -> None:
    """End a referral that merging leaves without a friend, and take back what it brought."""
    if not row.is_bound and row.state == "rejected":
        return
    row.is_bound = False
    referrals.move(plan, row, "rejected", cause="merge", reason=reason, at=plan.now)
    following.follow(connection, plan, row, cause="merge")


def _end_mutual(connection: sa.Connection, plan: Plan, kept: Row) -> None:
    """Two who have brought each other by now: the one who was brought first is brought still."""
    back = referrals.of_friend(plan, kept.advocate_id)
    if back is None or back.advocate_id != kept.friend_id:
        return
    if all(one.is_bound and _may_stand(one) for one in (kept, back)):
        younger = max(kept, back, key=lambda one: (one.bound_at, one.id))
        _end(connection, plan, younger, "MUTUAL_REFERRAL")


def _may_stand(row: Row) -> bool:
    """Whether a referral brings something, or may yet."""
    return row.state != "rejected" or row.reason not in referrals.FINAL


def _end_own_second(connection: sa.Connection, plan: Plan, into_id: bytes) -> None:
    """Let referrals follow whose second level went to their own friend or advocate."""
    rows = connection.execute(
        sa.select(REFERRALS.c.id)
        .join(
            SIDES,
            sa.and_(
                SIDES.c.program_id == REFERRALS.c.program_id,
                SIDES.c.referral_id == REFERRALS.c.id,
            ),
        )
        .where(
            SIDES.c.program_id == plan.program_id,
            SIDES.c.member_id == into_id,
            SIDES.c.side == second_level.SIDE,
            sa.or_(REFERRALS.c.friend_id == into_id, REFERRALS.c.advocate_id == into_id),
        )
        .order_by(REFERRALS.c.id)
    )
    for referral_id in rows.scalars().all():
        referral = referrals.find(plan, bytes(referral_id))
        if referral is not None and referral.state == "approved":
            following.follow(connection, plan, referral, cause="merge")


def _move_milestones(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> None:
    """What both reached is numbered on: together they have as many friends as that takes."""
    rows = connection.execute(
        sa.select(MILESTONES).where(
            MILESTONES.c.program_id == program_id, MILESTONES.c.member_id.in_([old_id, into_id])
        )
    ).all()
    for offer_key in {row.offer_key for row in rows if bytes(row.member_id) == old_id}:
        own = [row for row in rows if row.offer_key == offer_key]
        moving = [row for row in own if bytes(row.member_id) == old_id]
        places = counted.renumbered(
            [_place(row) for row in own if bytes(row.member_id) == into_id],
            [_place(row) for row in moving],
        )
        for row in moving:
            _, number = places[row.at_count, row.number]
            connection.execute(
                sa.update(MILESTONES)
                .where(MILESTONES.c.program_id == program_id, MILESTONES.c.id == row.id)
                .values(member_id=into_id, number=number)
            )


def _place(row: Any) -> tuple[counted.Reached, bool]:
    return (row.at_count, row.number), bool(row.stands)


def _move_links(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> None:
    """Every link of both leads to the one who stays. Of two for one offer theirs is shown; the
    other one stays with the alias, which leads to them: its codes and clicks count as before."""
    kept = sa.select(LINKS.c.offer_key).where(
        LINKS.c.program_id == program_id, LINKS.c.member_id == into_id
    )
    shown = list(connection.execute(kept).scalars())
    connection.execute(
        sa.update(LINKS)
        .where(
            LINKS.c.program_id == program_id,
            LINKS.c.member_id == old_id,
            LINKS.c.offer_key.not_in(shown),
        )
        .values(member_id=into_id)
    )


def _move_blocks(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> None:
    """Whoever was blocked is blocked still."""
    _drop_known(connection, BLOCKS, program_id, old_id, into_id, names=())
    _hand_over(connection, program_id, BLOCKS.c.member_id, old_id, into_id)


def _move_traces(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> None:
    """What was seen with either was seen with the one who stays."""
    _drop_known(connection, TRACES, program_id, old_id, into_id, names=("kind", "digest"))
    _hand_over(connection, program_id, TRACES.c.member_id, old_id, into_id)


def _drop_known(
    connection: sa.Connection,
    table: sa.Table,
    program_id: bytes,
    old_id: bytes,
    into_id: bytes,
    *,
    names: Sequence[str],
) -> None:
    """Delete rows of the one who goes that the one who stays has too, by these columns."""
    other = table.alias("other")
    same = [other.c[name] == table.c[name] for name in names]
    there = (
        sa.exists()
        .where(other.c.program_id == program_id, other.c.member_id == into_id, *same)
        .correlate(table)
    )
    connection.execute(
        sa.delete(table).where(table.c.program_id == program_id, table.c.member_id == old_id, there)
    )


def _move_trusts(
    connection: sa.Connection, program_id: bytes, old_id: bytes, into_id: bytes
) -> None:
    """Whoever shares a household with either shares it with the one who stays."""
    both = [old_id, into_id]
    where = sa.and_(
        TRUSTS.c.program_id == program_id,
        sa.or_(TRUSTS.c.first_id.in_(both), TRUSTS.c.second_id.in_(both)),
    )
    rows = [dict(one) for one in connection.execute(sa.select(TRUSTS).where(where)).mappings()]
    if not any(old_id in (bytes(row["first_id"]), bytes(row["second_id"])) for row in rows):
        return
    connection.execute(sa.delete(TRUSTS).where(where))
    found: dict[tuple[bytes, bytes], dict[str, Any]] = {}
    for row in rows:
        pair = {into_id if bytes(row[name]) == old_id else bytes(row[name]) for name in _PAIR}
        if len(pair) == 2:
            first, second = sorted(pair)
            found.setdefault((first, second), row | {"first_id": first, "second_id": second})
    if found:
        connection.execute(sa.insert(TRUSTS), list(found.values()))


_PAIR = ("first_id", "second_id")

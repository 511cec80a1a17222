"""Tables of the ledger and of tiers."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class Account(db.Base):
    """One member's holding of one kind of points: a cache of its entries.

    `version` is the number of the last entry, `head` its hash. No index may touch the columns
    that change, so that an update stays within its page.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    points_key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    available: Mapped[int] = mapped_column(sa.BigInteger)
    pending: Mapped[int] = mapped_column(sa.BigInteger)
    held: Mapped[int] = mapped_column(sa.BigInteger)
    lifetime_earned: Mapped[int] = mapped_column(sa.BigInteger)
    version: Mapped[int] = mapped_column(sa.BigInteger)
    head: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


class Entry(db.Base):
    """One immutable movement of points between two buckets of one account.

    Append-only: database triggers refuse UPDATE and DELETE. Holds no personal data.
    """

    __tablename__ = "entries"
    __table_args__ = (
        sa.UniqueConstraint("program_id", "member_id", "points_key", "seq"),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id", "points_key"],
            ["accounts.program_id", "accounts.member_id", "accounts.points_key"],
        ),
        sa.CheckConstraint("points > 0", name="points_positive"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    points_key: Mapped[str] = mapped_column(sa.Text)
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    kind: Mapped[str] = mapped_column(sa.Text)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    from_bucket: Mapped[str] = mapped_column(sa.Text)
    to_bucket: Mapped[str] = mapped_column(sa.Text)
    available_after: Mapped[int] = mapped_column(sa.BigInteger)
    pending_after: Mapped[int] = mapped_column(sa.BigInteger)
    held_after: Mapped[int] = mapped_column(sa.BigInteger)
    lot_id: Mapped[bytes] = mapped_column(db.Id)
    source_type: Mapped[str] = mapped_column(sa.Text)
    source_ref: Mapped[str] = mapped_column(sa.Text)
    decision_id: Mapped[bytes | None] = mapped_column(db.Id)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    effective_at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


class Lot(db.Base):
    """Points earned together by one cause: awarded, what of it was reversed, what remains.

    Standing = points - reversed - written_off. The source of an order is the order's own id, so a
    lot stays with its order when the order moves to another member.
    """

    __tablename__ = "lots"
    __table_args__ = (
        sa.Index("ix_lots_source", "program_id", "source_id"),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id", "points_key"],
            ["accounts.program_id", "accounts.member_id", "accounts.points_key"],
        ),
        sa.CheckConstraint(
            "remaining >= 0 AND reversed >= 0 AND written_off >= 0", name="not_negative"
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    points_key: Mapped[str] = mapped_column(sa.Text)
    source_id: Mapped[bytes] = mapped_column(db.Id)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    remaining: Mapped[int] = mapped_column(sa.BigInteger)
    reversed: Mapped[int] = mapped_column(sa.BigInteger)
    written_off: Mapped[int] = mapped_column(sa.BigInteger)
    earned_at: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class MemberTier(db.Base):
    """The level a member stands on, with no row for members of none.

    Derived from the orders that stand; kept so that an order need not replay them all.
    """

    __tablename__ = "member_tiers"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    level_key: Mapped[str | None] = mapped_column(sa.Text)
    since: Mapped[int] = mapped_column(sa.BigInteger)

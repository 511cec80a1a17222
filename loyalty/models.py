"""Tables of the ledger."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class Account(db.Base):
    """One member's holding of one kind of points: a cache of its entries.

    `version` is the number of the last entry, `head` its hash. Nothing of the account falls due
    before `due_at`; without it nothing ever does and no lot of it is dated. `has_inactivity` says
    that a lot here may be dated by what the member does, `has_counted` that adjustments of it count
    for tiers. No index may touch the columns that
    change, so that an update stays within its page.
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
    due_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    has_inactivity: Mapped[bool] = mapped_column(sa.Boolean)
    has_counted: Mapped[bool] = mapped_column(sa.Boolean)


class Entry(db.Base):
    """One immutable movement of points between two buckets of one account.

    `lot_id` is the lot it concerns. When it changed other lots, several, or one by less than its
    points (`is_split`), its allocations say which. Append-only: database triggers refuse UPDATE
    and DELETE. Holds no personal data.
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
    lot_id: Mapped[bytes | None] = mapped_column(db.Id)
    is_split: Mapped[bool] = mapped_column(sa.Boolean)
    source_type: Mapped[str] = mapped_column(sa.Text)
    source_ref: Mapped[str] = mapped_column(sa.Text)
    decision_id: Mapped[bytes | None] = mapped_column(db.Id)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    effective_at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


class Allocation(db.Base):
    """What a split entry changed of one lot: points that remain in it, and those held of them.

    `for_lot_id` names the lot whose award was taken back out of this one, by `for_points`; below
    zero they were given back, even where a deficit left none of them here. Append-only.
    """

    __tablename__ = "allocations"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "entry_id"], ["entries.program_id", "entries.id"]),
        sa.ForeignKeyConstraint(["program_id", "lot_id"], ["lots.program_id", "lots.id"]),
        sa.Index(
            "ix_allocations_for_lot",
            "program_id",
            "for_lot_id",
            postgresql_where=sa.text("for_lot_id IS NOT NULL"),
            sqlite_where=sa.text("for_lot_id IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    entry_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    lot_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    remaining: Mapped[int] = mapped_column(sa.BigInteger)
    held: Mapped[int] = mapped_column(sa.BigInteger)
    for_lot_id: Mapped[bytes | None] = mapped_column(db.Id)
    for_points: Mapped[int | None] = mapped_column(sa.BigInteger)


class Lot(db.Base):
    """Points that came together by one cause, with the terms frozen that they came under.

    `remaining` is what is not gone yet, pending and `held` points included. Of the award of
    `points`, `reversed` was taken back: from this lot, from others (`borrowed`) or out of nothing
    (`overdrawn`); `written_off` could not be, or had `expired` and needed not be.
    Standing = points - reversed - written_off, and 0 once the lot `is_moved` to another account,
    where `origin_lot_id` names it. The source of an order is the order's own id, so an award
    stays with its order when that changes hands. `due_at` is the next instant at which something
    of it falls due.
    """

    __tablename__ = "lots"
    __table_args__ = (
        sa.Index("ix_lots_source", "program_id", "source_id"),
        sa.Index("ix_lots_account", "program_id", "member_id", "points_key"),
        sa.Index(
            "ix_lots_due",
            "program_id",
            "due_at",
            postgresql_where=sa.text("due_at IS NOT NULL"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
        ),
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
    terms: Mapped[str] = mapped_column(sa.Text)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    remaining: Mapped[int] = mapped_column(sa.BigInteger)
    held: Mapped[int] = mapped_column(sa.BigInteger)
    reversed: Mapped[int] = mapped_column(sa.BigInteger)
    borrowed: Mapped[int] = mapped_column(sa.BigInteger)
    overdrawn: Mapped[int] = mapped_column(sa.BigInteger)
    written_off: Mapped[int] = mapped_column(sa.BigInteger)
    expired: Mapped[int] = mapped_column(sa.BigInteger)
    earned_at: Mapped[int] = mapped_column(sa.BigInteger)
    available_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    is_pending: Mapped[bool] = mapped_column(sa.Boolean)
    expires_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    notice_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    due_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    origin_lot_id: Mapped[bytes | None] = mapped_column(db.Id)
    is_moved: Mapped[bool] = mapped_column(sa.Boolean)


class Hold(db.Base):
    """Points reserved for an open checkout: held, then captured, released or expired, once.

    `entry_id` is the entry that held them and knows the lots; a captured hold of which
    `returned` points went back to those lots is `reversed` when all of them did. `digest` is over
    the row's other values, since no entry tells when a hold would have run out.
    """

    __tablename__ = "holds"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "member_id", "points_key"],
            ["accounts.program_id", "accounts.member_id", "accounts.points_key"],
        ),
        sa.Index("ix_holds_member", "program_id", "member_id"),
        sa.Index(
            "ix_holds_due",
            "program_id",
            "expires_at",
            postgresql_where=sa.text("state = 'held'"),
            sqlite_where=sa.text("state = 'held'"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    points_key: Mapped[str] = mapped_column(sa.Text)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    returned: Mapped[int] = mapped_column(sa.BigInteger)
    state: Mapped[str] = mapped_column(sa.Text)
    entry_id: Mapped[bytes] = mapped_column(db.Id)
    held_at: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    ended_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


class Adjustment(db.Base):
    """Points given or taken by hand, with the reason; `points` may be negative.

    `member_id` is whose account it moved points of, for ever; one that counts for tiers counts for
    `tier_member_id`, who is somebody else once members were merged.
    """

    __tablename__ = "adjustments"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_adjustments_member", "program_id", "member_id"),
        sa.Index(
            "ix_adjustments_tier",
            "program_id",
            "tier_member_id",
            postgresql_where=sa.text("tier_member_id IS NOT NULL"),
            sqlite_where=sa.text("tier_member_id IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    points_key: Mapped[str] = mapped_column(sa.Text)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    reason: Mapped[str] = mapped_column(sa.Text)
    note: Mapped[str | None] = mapped_column(sa.Text)
    counts_for_tier: Mapped[bool] = mapped_column(sa.Boolean)
    tier_member_id: Mapped[bytes | None] = mapped_column(db.Id)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    effective_at: Mapped[int] = mapped_column(sa.BigInteger)


class Transfer(db.Base):
    """Points given by one member to another."""

    __tablename__ = "transfers"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "from_member_id"], ["members.program_id", "members.id"]
        ),
        sa.ForeignKeyConstraint(
            ["program_id", "to_member_id"], ["members.program_id", "members.id"]
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    from_member_id: Mapped[bytes] = mapped_column(db.Id)
    to_member_id: Mapped[bytes] = mapped_column(db.Id)
    points_key: Mapped[str] = mapped_column(sa.Text)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    effective_at: Mapped[int] = mapped_column(sa.BigInteger)


class Opening(db.Base):
    """What an account brought along that none of its entries says: points earned elsewhere.

    An account's `lifetime_earned` is what its entries add (`ledger.entries.lifetime`) plus the sum
    of `lifetime_earned` here, by member and kind of points; a merge moves such sums, so a row may
    be negative. Where a member moved in, `digest` is of the opening as told: the same again posts
    nothing. The lots that it brought have this row's id as their source.
    """

    __tablename__ = "openings"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_openings_member", "program_id", "member_id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    points_key: Mapped[str] = mapped_column(sa.Text)
    lifetime_earned: Mapped[int] = mapped_column(sa.BigInteger)
    digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)

"""Tables of tiers: where members stand, the log of their changes, claims of entry effects."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class MemberTier(db.Base):
    """The level a member stands on, with no row for members of none.

    `level_key` with `since`, `until` and `grace_until` is a promise where the program has terms:
    what is derived from the orders that stand may lead higher, but no lower before it is over.
    Without terms it is derived, kept so that an order need not replay them all. `assured_key` is
    at least this level from `assured_since` until `assured_until` (null: for good), brought along
    by whoever moved in; `manual_key` is exactly this level from `manual_since` until
    `manual_until`, given by hand. Nothing changes by time before `due_at`, which may be early and
    never late.
    """

    __tablename__ = "member_tiers"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index(
            "ix_member_tiers_due",
            "program_id",
            "due_at",
            postgresql_where=sa.text("due_at IS NOT NULL"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    level_key: Mapped[str | None] = mapped_column(sa.Text)
    since: Mapped[int] = mapped_column(sa.BigInteger)
    until: Mapped[int | None] = mapped_column(sa.BigInteger)
    grace_until: Mapped[int | None] = mapped_column(sa.BigInteger)
    is_at_risk: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    due_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    manual_key: Mapped[str | None] = mapped_column(sa.Text)
    manual_since: Mapped[int | None] = mapped_column(sa.BigInteger)
    manual_until: Mapped[int | None] = mapped_column(sa.BigInteger)
    assured_key: Mapped[str | None] = mapped_column(sa.Text)
    assured_since: Mapped[int | None] = mapped_column(sa.BigInteger)
    assured_until: Mapped[int | None] = mapped_column(sa.BigInteger)


class TierChange(db.Base):
    """One change of a member's level, or its renewal: what led to it and who did it.

    `kind` is upgrade, downgrade or renewal; `cause` is order, refund, time, manual, ladder,
    opening or merge. Append-only.
    """

    __tablename__ = "tier_changes"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_tier_changes_member", "program_id", "member_id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    from_key: Mapped[str | None] = mapped_column(sa.Text)
    to_key: Mapped[str | None] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    cause: Mapped[str] = mapped_column(sa.Text)
    source_type: Mapped[str | None] = mapped_column(sa.Text)
    source_ref: Mapped[str | None] = mapped_column(sa.Text)
    note: Mapped[str | None] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    effective_at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)


class TierEntry(db.Base):
    """The claim of a level's entry effects: held from entering it until its term is over.

    `stands` is false while a refund has taken the level back; within the term it stands again
    when the level is deserved again.
    """

    __tablename__ = "tier_entries"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_tier_entries_member", "program_id", "member_id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    level_key: Mapped[str] = mapped_column(sa.Text)
    since: Mapped[int] = mapped_column(sa.BigInteger)
    until: Mapped[int | None] = mapped_column(sa.BigInteger)
    stands: Mapped[bool] = mapped_column(sa.Boolean)
    decision_id: Mapped[bytes | None] = mapped_column(db.Id)


TIERS: sa.Table = MemberTier.__table__  # type: ignore[assignment]
CHANGES: sa.Table = TierChange.__table__  # type: ignore[assignment]
ENTRIES: sa.Table = TierEntry.__table__  # type: ignore[assignment]

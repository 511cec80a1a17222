"""Tables of segments: who is in which, when the program was looked at, ranks by spend."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class SegmentLook(db.Base):
    """When the segments of a program were last looked at, and are to be again.

    `at` is the instant that the look is of; `cursor` the member up to whom it has come, null
    while none is under way. `version` and `switches` are of the document that it looks by: a look
    by another one begins anew. `ranked_at` is when members were last ranked by what they spend.
    """

    __tablename__ = "segment_looks"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    version: Mapped[int] = mapped_column(sa.Integer)
    switches: Mapped[int] = mapped_column(sa.Integer)
    at: Mapped[int] = mapped_column(sa.BigInteger)
    cursor: Mapped[bytes | None] = mapped_column(sa.LargeBinary(16))
    due_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    ranked_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class SegmentState(db.Base):
    """A segment as it was last looked at.

    `digest` is what says who belongs to it: once that has changed, the next look fills it without
    telling anybody (`is_silent`). The count is null until a look has come to its end.
    """

    __tablename__ = "segment_states"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    segment: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    digest: Mapped[str] = mapped_column(sa.Text)
    is_silent: Mapped[bool] = mapped_column(sa.Boolean)
    members_count: Mapped[int | None] = mapped_column(sa.BigInteger)
    counted_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class SegmentMember(db.Base):
    """A member who belongs to a segment, since the look that found them there."""

    __tablename__ = "segment_members"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_segment_members_member", "program_id", "member_id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    segment: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    since: Mapped[int] = mapped_column(sa.BigInteger)


class SpendRank(db.Base):
    """How many of the members who take part spent more in 12 months, in basis points of all."""

    __tablename__ = "spend_ranks"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    rank_bp: Mapped[int] = mapped_column(sa.BigInteger)


LOOKS: sa.Table = SegmentLook.__table__  # type: ignore[assignment]
STATES: sa.Table = SegmentState.__table__  # type: ignore[assignment]
BELONGING: sa.Table = SegmentMember.__table__  # type: ignore[assignment]
RANKS: sa.Table = SpendRank.__table__  # type: ignore[assignment]

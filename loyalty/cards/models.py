"""Tables of stamp cards."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class Stamp(db.Base):
    """What stands of the stamps that one source gave a member on a card; 0 when all went back.

    `at` is when the source happened. Stamps of one instant count in the order in which they were
    first recorded.
    """

    __tablename__ = "stamps"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.CheckConstraint("stamps >= 0", name="stamps_not_negative"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    card_key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    source_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    stamps: Mapped[int] = mapped_column(sa.BigInteger)
    source_type: Mapped[str] = mapped_column(sa.Text)
    source_ref: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)


class CardCompletion(db.Base):
    """The claim on a member's `number`th completion of a card. Those that stand are the first
    ones. `terms` are frozen: how many stamps it took, and how they could expire."""

    __tablename__ = "card_completions"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.ForeignKeyConstraint(
            ["program_id", "decision_id"], ["decisions.program_id", "decisions.id"]
        ),
        sa.UniqueConstraint("program_id", "member_id", "card_key", "number"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    card_key: Mapped[str] = mapped_column(sa.Text)
    number: Mapped[int] = mapped_column(sa.BigInteger)
    terms: Mapped[str] = mapped_column(sa.Text)
    stands: Mapped[bool] = mapped_column(sa.Boolean)
    completed_at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)
    decision_id: Mapped[bytes] = mapped_column(db.Id)

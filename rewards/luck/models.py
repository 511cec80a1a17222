"""Tables of chains of seeds, of epochs, and of what an epoch came to when it was closed.

Receipts themselves are rows of `rewards.surprises.models`, which units of work write as they go;
what closing adds to them stands here, so that the two never write one row.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class DrawChain(db.Base):
    """A chain of `length` seeds, of which only the last is stored, `sealed`.

    `anchor` is the hash of its first seed, shown to anybody from `published_at` on.
    """

    __tablename__ = "draw_chains"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    anchor: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    length: Mapped[int] = mapped_column(sa.Integer)
    sealed: Mapped[str] = mapped_column(sa.Text)
    published_at: Mapped[int] = mapped_column(sa.BigInteger)


class DrawEpoch(db.Base):
    """The draws of a day, by one seed: that at `place` of its chain.

    Numbered without gaps, and opened only for days with draws; draws go into the newest one, so
    days never go back. `day` counts days since 1970 in UTC, and `ends_at` ends it. Closed, it shows
    its seed, the root over its receipts, and how many there are; `seed` is null in a closed one
    when no key opened it any more. One that has a count and is not closed is being closed: so many
    of its receipts are numbered.
    """

    __tablename__ = "draw_epochs"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "chain"], ["draw_chains.program_id", "draw_chains.number"]
        ),
        sa.UniqueConstraint("program_id", "chain", "place"),
        sa.Index(
            "ix_draw_epochs_due",
            "program_id",
            "ends_at",
            postgresql_where=sa.text("closed_at IS NULL"),
            sqlite_where=sa.text("closed_at IS NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    chain: Mapped[int] = mapped_column(sa.Integer)
    place: Mapped[int] = mapped_column(sa.Integer)
    day: Mapped[int] = mapped_column(sa.Integer)
    opened_at: Mapped[int] = mapped_column(sa.BigInteger)
    ends_at: Mapped[int] = mapped_column(sa.BigInteger)
    closed_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    seed: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    root: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    receipt_count: Mapped[int | None] = mapped_column(sa.BigInteger)


class DrawEpochRule(db.Base):
    """Which numbers a rule's receipts of a closed epoch have: from the first to the last."""

    __tablename__ = "draw_epoch_rules"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "epoch"], ["draw_epochs.program_id", "draw_epochs.number"]
        ),
        sa.Index("ix_draw_epoch_rules_last", "program_id", "surprise_key", "last_number"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    epoch: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    surprise_key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    first_number: Mapped[int] = mapped_column(sa.BigInteger)
    last_number: Mapped[int] = mapped_column(sa.BigInteger)


class DrawLeaf(db.Base):
    """A receipt of a closed epoch: its number, of its rule and without gaps, and its leaf.

    `place` is where the leaf stands below the root: rules by code points, then numbers, from 0.
    """

    __tablename__ = "draw_leaves"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "epoch"], ["draw_epochs.program_id", "draw_epochs.number"]
        ),
        sa.ForeignKeyConstraint(["program_id", "draw_id"], ["draws.program_id", "draws.id"]),
        sa.UniqueConstraint("program_id", "draw_id"),
        sa.UniqueConstraint("program_id", "surprise_key", "number"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    epoch: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    place: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    draw_id: Mapped[bytes] = mapped_column(db.Id)
    surprise_key: Mapped[str] = mapped_column(sa.Text)
    number: Mapped[int] = mapped_column(sa.BigInteger)
    leaf: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


class DrawBlock(db.Base):
    """The node over a block of leaves of a closed epoch (`merkle.BLOCK`), so that a proof reads
    one block and not a day."""

    __tablename__ = "draw_blocks"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "epoch"], ["draw_epochs.program_id", "draw_epochs.number"]
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    epoch: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    place: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


CHAINS: sa.Table = DrawChain.__table__  # type: ignore[assignment]
EPOCHS: sa.Table = DrawEpoch.__table__  # type: ignore[assignment]
EPOCH_RULES: sa.Table = DrawEpochRule.__table__  # type: ignore[assignment]
BLOCKS: sa.Table = DrawBlock.__table__  # type: ignore[assignment]
LEAVES: sa.Table = DrawLeaf.__table__  # type: ignore[assignment]

"""The tables of orders and their refunds, and of what was told of them before."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class Order(db.Base):
    """An order as last told, and what of it stands: the sums that tier windows are made of.

    `snapshot` is what the storefront said, without contact data. `spend_minor` is the money that
    earns, `qualifying_points` what counts for tiers, both after refunds. `is_first` holds the
    member's first-purchase claim; at most one order of a member holds it. `points_returned` is
    what went back, with its refunds, of the points that it was paid with.
    """

    __tablename__ = "orders"
    __table_args__ = (
        sa.UniqueConstraint("program_id", "order_ref"),
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_orders_member_time", "program_id", "member_id", "placed_at"),
        sa.Index(
            "uq_orders_first_purchase",
            "program_id",
            "member_id",
            unique=True,
            postgresql_where=sa.text("is_first"),
            sqlite_where=sa.text("is_first"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    order_ref: Mapped[str] = mapped_column(sa.Text)
    member_id: Mapped[bytes | None] = mapped_column(db.Id)
    status: Mapped[str] = mapped_column(sa.Text)
    revision: Mapped[int | None] = mapped_column(sa.BigInteger)
    placed_at: Mapped[int] = mapped_column(sa.BigInteger)
    snapshot: Mapped[str] = mapped_column(sa.Text)
    net_minor: Mapped[int] = mapped_column(sa.BigInteger)
    refunded_minor: Mapped[int] = mapped_column(sa.BigInteger)
    spend_minor: Mapped[int] = mapped_column(sa.BigInteger)
    qualifying_points: Mapped[int] = mapped_column(sa.BigInteger)
    stands: Mapped[bool] = mapped_column(sa.Boolean)
    is_first: Mapped[bool] = mapped_column(sa.Boolean)
    is_history: Mapped[bool] = mapped_column(sa.Boolean)
    decision_id: Mapped[bytes | None] = mapped_column(db.Id)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)
    points_returned: Mapped[int] = mapped_column(sa.BigInteger)


class OrderRefund(db.Base):
    """A refund as last told. Parked, not yet applied, while its order is not known; so the order
    is named by its reference and by no foreign key.

    `refunded_at` is when it counts from: what was told, or the clock when that was ahead of it.
    `points_returned` and `suggested_deduction_minor` are what stands for it, to be answered again.
    `told_id` says when among everything told it first came.
    """

    __tablename__ = "order_refunds"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    order_ref: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    refund_ref: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    status: Mapped[str] = mapped_column(sa.Text)
    refunded_at: Mapped[int] = mapped_column(sa.BigInteger)
    body: Mapped[str] = mapped_column(sa.Text)
    is_applied: Mapped[bool] = mapped_column(sa.Boolean)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)
    points_returned: Mapped[int] = mapped_column(sa.BigInteger)
    suggested_deduction_minor: Mapped[int] = mapped_column(sa.BigInteger)
    told_id: Mapped[bytes | None] = mapped_column(db.Id)


class SupersededTelling(db.Base):
    """What was told of an order, refund or activity before it was told anew (`orders.history`).

    `id` is made when the telling came that superseded `body`, and `recorded_at` is the program's
    clock then: of a thing told three times there are two rows, and its own row has the newest.
    """

    __tablename__ = "superseded_tellings"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),
        sa.Index("ix_superseded_tellings_of", "program_id", "kind", "ref", "refund_ref", "id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    ref: Mapped[str] = mapped_column(sa.Text)
    refund_ref: Mapped[str | None] = mapped_column(sa.Text)
    body: Mapped[str] = mapped_column(sa.Text)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)

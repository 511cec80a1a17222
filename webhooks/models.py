"""Tables of webhook endpoints, deliveries and attempts."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class WebhookEndpoint(db.Base):
    """An address that is told of some types of messages.

    `secrets` holds the sealed signing secrets, the newest first. A deleted endpoint keeps its
    row for the log, without its secrets.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    url: Mapped[str] = mapped_column(sa.Text)
    types: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str | None] = mapped_column(sa.Text)
    secrets: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text)
    disabled_reason: Mapped[str | None] = mapped_column(sa.Text)
    failing_since: Mapped[int | None] = mapped_column(sa.BigInteger)
    failure_count: Mapped[int] = mapped_column(sa.Integer)
    paused_until: Mapped[int | None] = mapped_column(sa.BigInteger)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)


class WebhookDelivery(db.Base):
    """One message for one endpoint: a leased row until it is delivered or given up.

    The message is the outbox row; there is no foreign key to it, so that what happens to the
    outbox never waits for a delivery. `attempt_count` counts since the start or the last replay.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "endpoint_id"],
            ["webhook_endpoints.program_id", "webhook_endpoints.id"],
        ),
        sa.UniqueConstraint("program_id", "message_id", "endpoint_id"),
        sa.Index(
            "ix_webhook_deliveries_due",
            "program_id",
            "endpoint_id",
            "next_at",
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        ),
        sa.Index("ix_webhook_deliveries_endpoint", "program_id", "endpoint_id", "id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    message_id: Mapped[bytes] = mapped_column(db.Id)
    endpoint_id: Mapped[bytes] = mapped_column(db.Id)
    type: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text)
    attempt_count: Mapped[int] = mapped_column(sa.Integer)
    next_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    leased_until: Mapped[int | None] = mapped_column(sa.BigInteger)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


class WebhookAttempt(db.Base):
    """One sending of a delivery and what came of it; appended, never changed, except that the
    receiver's answer is dropped when the member it was about is erased."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "delivery_id"],
            ["webhook_deliveries.program_id", "webhook_deliveries.id"],
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    delivery_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    at: Mapped[int] = mapped_column(sa.BigInteger)
    duration_ms: Mapped[int] = mapped_column(sa.Integer)
    status: Mapped[int | None] = mapped_column(sa.Integer)
    error: Mapped[str | None] = mapped_column(sa.Text)
    response: Mapped[str | None] = mapped_column(sa.Text)

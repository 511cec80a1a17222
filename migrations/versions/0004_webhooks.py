"""webhooks"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.LargeBinary(length=16)


def upgrade() -> None:
    _rename_outbox_column()
    op.create_table(
        "webhook_endpoints",
        sa.Column("program_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"],
            ["programs.program_id"],
            name=op.f("fk_webhook_endpoints_program_id"),
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("program_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("message_id", ID, nullable=False),
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id", "endpoint_id"],
            ["webhook_endpoints.program_id", "webhook_endpoints.id"],
            name=op.f("fk_webhook_deliveries_program_id_endpoint_id"),
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "program_id",
            "message_id",
            "endpoint_id",
            name=op.f("uq_webhook_deliveries_program_id_message_id_endpoint_id"),
        ),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["program_id", "endpoint_id", "next_at"],
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_webhook_deliveries_endpoint",
        "webhook_deliveries",
        ["program_id", "endpoint_id", "id"],
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("program_id", ID, nullable=False),
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["program_id", "delivery_id"],
            ["webhook_deliveries.program_id", "webhook_deliveries.id"],
            name=op.f("fk_webhook_attempts_program_id_delivery_id"),
        ),
        sa.PrimaryKeyConstraint(
            "program_id", "delivery_id", "id", name=op.f("pk_webhook_attempts")
        ),
    )


def _rename_outbox_column() -> None:
    # Both databases rename in place. The index now leads with the program, as every index does.
    op.drop_index("ix_outbox_undelivered", table_name="outbox")
    op.execute("ALTER TABLE outbox RENAME COLUMN delivered_at TO dispatched_at")
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["program_id", "id"],
        postgresql_where=sa.text("dispatched_at IS NULL"),
        sqlite_where=sa.text("dispatched_at IS NULL"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

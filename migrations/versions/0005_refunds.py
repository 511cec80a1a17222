"""refunds"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "order_refunds",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("refund_ref", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("refunded_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_applied", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("points_returned", sa.BigInteger(), nullable=False),
        sa.Column("suggested_deduction_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.program_id"], name=op.f("fk_order_refunds_program_id")
        ),
        sa.PrimaryKeyConstraint(
            "program_id", "order_ref", "refund_ref", name=op.f("pk_order_refunds")
        ),
    )
    op.add_column(
        "orders",
        sa.Column("points_returned", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

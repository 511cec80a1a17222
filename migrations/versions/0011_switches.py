"""switches"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "program_switches",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("switched_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.program_id"], name=op.f("fk_program_switches_program_id")
        ),
        sa.PrimaryKeyConstraint("program_id", "number", name=op.f("pk_program_switches")),
    )
    for table in ("programs", "decisions"):
        op.add_column(
            table, sa.Column("switches", sa.Integer(), nullable=False, server_default=sa.text("0"))
        )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

"""backtests"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "superseded_tellings",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("refund_ref", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.program_id"], name=op.f("fk_superseded_tellings_program_id")
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_superseded_tellings")),
    )
    op.create_index(
        "ix_superseded_tellings_of",
        "superseded_tellings",
        ["program_id", "kind", "ref", "refund_ref", "id"],
    )
    op.add_column("order_refunds", sa.Column("told_id", sa.LargeBinary(length=16), nullable=True))
    op.create_table(
        "backtests",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tested", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("to_at", sa.BigInteger(), nullable=False),
        sa.Column("seeds", sa.Integer(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.program_id"], name=op.f("fk_backtests_program_id")
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_backtests")),
    )
    op.create_index(
        "ix_backtests_of",
        "backtests",
        ["program_id", "digest", "id"],
        postgresql_where=sa.text("state = 'done'"),
        sqlite_where=sa.text("state = 'done'"),
    )
    op.add_column(
        "program_versions", sa.Column("backtest_id", sa.LargeBinary(length=16), nullable=True)
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

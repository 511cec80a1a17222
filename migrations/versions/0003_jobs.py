"""jobs"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("dead_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("program_id", "kind", "key", name=op.f("uq_jobs_program_id_kind_key")),
    )
    for name, column, where in (
        ("ix_jobs_open", "run_at", "done_at IS NULL AND dead_at IS NULL"),
        ("ix_jobs_dead", "dead_at", "dead_at IS NOT NULL"),
        ("ix_jobs_done", "done_at", "done_at IS NOT NULL"),
    ):
        op.create_index(
            name,
            "jobs",
            ["program_id", column],
            unique=False,
            postgresql_where=sa.text(where),
            sqlite_where=sa.text(where),
        )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

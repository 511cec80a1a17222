"""limits"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "limit_claims",
        sa.Column("program_id", sa.LargeBinary(16), nullable=False),
        sa.Column("member_id", sa.LargeBinary(16), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.LargeBinary(16), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("counters", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(
            "program_id", "member_id", "rule", "at", "source_id", name=op.f("pk_limit_claims")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "limit_counters",
        sa.Column("program_id", sa.LargeBinary(16), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "program_id", "rule", "period", "starts_at", "unit", name=op.f("pk_limit_counters")
        ),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        # One row is changed by many: old versions of it are taken away within the page.
        op.execute("ALTER TABLE limit_counters SET (fillfactor = 20)")


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

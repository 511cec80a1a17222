"""tiers"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _standings()
    _changes()
    _entries()


def _standings() -> None:
    for name in ("until", "grace_until", "due_at", "manual_since", "manual_until"):
        op.add_column("member_tiers", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("member_tiers", sa.Column("manual_key", sa.Text(), nullable=True))
    op.add_column(
        "member_tiers",
        sa.Column("is_at_risk", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    where = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_member_tiers_due",
        "member_tiers",
        ["program_id", "due_at"],
        postgresql_where=where,
        sqlite_where=where,
    )
    # Whoever stands somewhere is looked at once: what time does to them was not kept before.
    op.execute(
        "UPDATE member_tiers SET due_at = since"
        " WHERE level_key IS NOT NULL OR assured_until IS NOT NULL"
    )


def _member(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["program_id", "member_id"],
        ["members.program_id", "members.id"],
        name=f"fk_{table}_program_id_member_id",
    )


def _changes() -> None:
    op.create_table(
        "tier_changes",
        sa.Column("program_id", sa.LargeBinary(16), nullable=False),
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("member_id", sa.LargeBinary(16), nullable=False),
        sa.Column("from_key", sa.Text(), nullable=True),
        sa.Column("to_key", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=True),
        sa.Column("source_ref", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        _member("tier_changes"),
        sa.PrimaryKeyConstraint("program_id", "id", name="pk_tier_changes"),
    )
    op.create_index("ix_tier_changes_member", "tier_changes", ["program_id", "member_id"])


def _entries() -> None:
    op.create_table(
        "tier_entries",
        sa.Column("program_id", sa.LargeBinary(16), nullable=False),
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("member_id", sa.LargeBinary(16), nullable=False),
        sa.Column("level_key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("stands", sa.Boolean(), nullable=False),
        sa.Column("decision_id", sa.LargeBinary(16), nullable=True),
        _member("tier_entries"),
        sa.PrimaryKeyConstraint("program_id", "id", name="pk_tier_entries"),
    )
    op.create_index("ix_tier_entries_member", "tier_entries", ["program_id", "member_id"])


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

"""segments"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def _key(name: str, *, is_null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(length=16), nullable=is_null)


def _number(name: str, *, is_null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=is_null)


def _of_program(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["program_id"], ["programs.program_id"], name=f"fk_{table}_program_id"
    )


def _of_member(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["program_id", "member_id"],
        ["members.program_id", "members.id"],
        name=f"fk_{table}_program_id_member_id",
    )


def upgrade() -> None:
    op.create_table(
        "segment_looks",
        _key("program_id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("switches", sa.Integer(), nullable=False),
        _number("at"),
        _key("cursor", is_null=True),
        _number("due_at", is_null=True),
        _number("ranked_at", is_null=True),
        _of_program("segment_looks"),
        sa.PrimaryKeyConstraint("program_id", name="pk_segment_looks"),
    )
    op.create_table(
        "segment_states",
        _key("program_id"),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("is_silent", sa.Boolean(), nullable=False),
        _number("members_count", is_null=True),
        _number("counted_at", is_null=True),
        _of_program("segment_states"),
        sa.PrimaryKeyConstraint("program_id", "segment", name="pk_segment_states"),
    )
    op.create_table(
        "segment_members",
        _key("program_id"),
        sa.Column("segment", sa.Text(), nullable=False),
        _key("member_id"),
        _number("since"),
        _of_member("segment_members"),
        sa.PrimaryKeyConstraint("program_id", "segment", "member_id", name="pk_segment_members"),
    )
    op.create_index("ix_segment_members_member", "segment_members", ["program_id", "member_id"])
    op.create_table(
        "spend_ranks",
        _key("program_id"),
        _key("member_id"),
        _number("rank_bp"),
        _of_member("spend_ranks"),
        sa.PrimaryKeyConstraint("program_id", "member_id", name="pk_spend_ranks"),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

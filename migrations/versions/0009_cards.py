"""cards"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stamps",
        sa.Column("program_id", sa.LargeBinary(16), nullable=False),
        sa.Column("member_id", sa.LargeBinary(16), nullable=False),
        sa.Column("card_key", sa.Text(), nullable=False),
        sa.Column("source_id", sa.LargeBinary(16), nullable=False),
        sa.Column("stamps", sa.BigInteger(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source_ref", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("stamps >= 0", name=op.f("ck_stamps_stamps_not_negative")),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id"],
            ["members.program_id", "members.id"],
            name=op.f("fk_stamps_program_id_member_id"),
        ),
        sa.PrimaryKeyConstraint(
            "program_id", "member_id", "card_key", "source_id", name=op.f("pk_stamps")
        ),
    )
    op.create_table(
        "card_completions",
        sa.Column("program_id", sa.LargeBinary(16), nullable=False),
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("member_id", sa.LargeBinary(16), nullable=False),
        sa.Column("card_key", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("stands", sa.Boolean(), nullable=False),
        sa.Column("completed_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.LargeBinary(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id"],
            ["members.program_id", "members.id"],
            name=op.f("fk_card_completions_program_id_member_id"),
        ),
        sa.ForeignKeyConstraint(
            ["program_id", "decision_id"],
            ["decisions.program_id", "decisions.id"],
            name=op.f("fk_card_completions_program_id_decision_id"),
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_card_completions")),
        sa.UniqueConstraint(
            "program_id",
            "member_id",
            "card_key",
            "number",
            name=op.f("uq_card_completions_program_id_member_id_card_key_number"),
        ),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

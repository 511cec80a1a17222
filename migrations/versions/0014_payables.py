"""payables"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payable_exports",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.program_id"], name=op.f("fk_payable_exports_program_id")
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_payable_exports")),
    )
    op.create_table(
        "payables",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source_ref", sa.Text(), nullable=False),
        sa.Column("source_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("exported_by", sa.LargeBinary(length=16), nullable=True),
        sa.Column("payee_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("minor <> 0", name=op.f("ck_payables_moves_something")),
        sa.ForeignKeyConstraint(
            ["program_id", "exported_by"],
            ["payable_exports.program_id", "payable_exports.id"],
            name=op.f("fk_payables_program_id_exported_by"),
        ),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id"],
            ["members.program_id", "members.id"],
            name=op.f("fk_payables_program_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_payables")),
    )
    for name, columns, condition in (
        ("ix_payables_source", ["program_id", "source_id"], None),
        ("ix_payables_member", ["program_id", "member_id", "id"], None),
        ("ix_payables_owed", ["program_id", "member_id"], "exported_by IS NULL"),
        (
            "ix_payables_exported",
            ["program_id", "exported_by", "payee_id"],
            "exported_by IS NOT NULL",
        ),
    ):
        where = None if condition is None else sa.text(condition)
        op.create_index(name, "payables", columns, postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

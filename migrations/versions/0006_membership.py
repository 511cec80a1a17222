"""membership"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _moving()
    _erasure()


def _moving() -> None:
    op.add_column("members", sa.Column("merged_into_id", sa.LargeBinary(16), nullable=True))
    where = sa.text("merged_into_id IS NOT NULL")
    op.create_index(
        "ix_members_merged",
        "members",
        ["program_id", "merged_into_id"],
        postgresql_where=where,
        sqlite_where=where,
    )
    op.add_column("adjustments", sa.Column("tier_member_id", sa.LargeBinary(16), nullable=True))
    op.execute("UPDATE adjustments SET tier_member_id = member_id WHERE counts_for_tier")
    where = sa.text("tier_member_id IS NOT NULL")
    op.create_index(
        "ix_adjustments_tier",
        "adjustments",
        ["program_id", "tier_member_id"],
        postgresql_where=where,
        sqlite_where=where,
    )
    for column in (
        sa.Column("assured_key", sa.Text(), nullable=True),
        sa.Column("assured_since", sa.BigInteger(), nullable=True),
        sa.Column("assured_until", sa.BigInteger(), nullable=True),
    ):
        op.add_column("member_tiers", column)
    op.create_table(
        "openings",
        sa.Column("program_id", sa.LargeBinary(16), nullable=False),
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("member_id", sa.LargeBinary(16), nullable=False),
        sa.Column("points_key", sa.Text(), nullable=False),
        sa.Column("lifetime_earned", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id"],
            ["members.program_id", "members.id"],
            name=op.f("fk_openings_program_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_openings")),
    )
    op.create_index("ix_openings_member", "openings", ["program_id", "member_id"])


def _erasure() -> None:
    op.add_column("members", sa.Column("erased_at", sa.BigInteger(), nullable=True))
    op.add_column("signup_claims", sa.Column("member_id", sa.LargeBinary(16), nullable=True))
    op.add_column("signup_claims", sa.Column("ends_at", sa.BigInteger(), nullable=True))
    # A contact's claim is its member's; of a contact that was changed since, nobody knows whose.
    op.execute(
        "UPDATE signup_claims SET member_id = (SELECT d.member_id FROM contact_digests d"
        " WHERE d.program_id = signup_claims.program_id AND d.kind = signup_claims.kind"
        " AND d.digest = signup_claims.digest ORDER BY d.member_id LIMIT 1)"
    )
    for name, table, column, where in (
        ("ix_signup_claims_member", "signup_claims", "member_id", "member_id IS NOT NULL"),
        ("ix_signup_claims_ending", "signup_claims", "ends_at", "ends_at IS NOT NULL"),
        ("ix_decisions_member", "decisions", "member_id", "member_id IS NOT NULL"),
        ("ix_outbox_member", "outbox", "member_id", "member_id IS NOT NULL"),
    ):
        op.create_index(
            name,
            table,
            ["program_id", column],
            postgresql_where=sa.text(where),
            sqlite_where=sa.text(where),
        )
    program_id, member_id = (
        sa.Column(name, sa.LargeBinary(16), nullable=False) for name in ("program_id", "member_id")
    )
    op.create_table(
        "erasures",
        program_id,
        member_id,
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id"],
            ["members.program_id", "members.id"],
            name="fk_erasures_program_id_member_id",
        ),
        sa.PrimaryKeyConstraint("program_id", "member_id", name="pk_erasures"),
    )
    op.create_table(
        "erased_references",
        sa.Column("program_id", sa.LargeBinary(16), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("member_id", sa.LargeBinary(16), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id"],
            ["members.program_id", "members.id"],
            name="fk_erased_references_program_id_member_id",
        ),
        sa.PrimaryKeyConstraint("program_id", "digest", name="pk_erased_references"),
    )
    op.create_index("ix_erased_references_ending", "erased_references", ["program_id", "ends_at"])
    op.create_index("ix_idempotency_keys_created", "idempotency_keys", ["program_id", "created_at"])
    key = ["program_id", "credential_kind", "key"]
    op.create_table(
        "idempotency_subjects",
        sa.Column("program_id", sa.LargeBinary(16), nullable=False),
        sa.Column("member_id", sa.LargeBinary(16), nullable=False),
        sa.Column("credential_kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            key,
            [f"idempotency_keys.{name}" for name in key],
            name="fk_idempotency_subjects_key",
        ),
        sa.PrimaryKeyConstraint(
            "program_id", "member_id", "credential_kind", "key", name="pk_idempotency_subjects"
        ),
    )
    op.create_index("ix_idempotency_subjects_key", "idempotency_subjects", key)


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

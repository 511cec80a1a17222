"""surprises"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _epochs()
    _draws()
    _leaves()
    _budgets()
    _silences()
    op.add_column("programs", sa.Column("holdout_salt", sa.Text(), nullable=True))
    op.add_column("program_versions", sa.Column("surprise_versions", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")


def _draws() -> None:
    op.create_table(
        "draws",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("surprise_key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("live_version", sa.Integer(), nullable=False),
        sa.Column("switches", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member_ref", sa.Text(), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source_ref", sa.Text(), nullable=True),
        sa.Column("source_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("activity_ref", sa.Text(), nullable=True),
        sa.Column("guard", sa.Text(), nullable=True),
        sa.Column("holdout_scope", sa.Text(), nullable=True),
        sa.Column("is_shadow", sa.Boolean(), nullable=False),
        sa.Column("probability_ppm", sa.Integer(), nullable=False),
        sa.Column("pace_ppm", sa.Integer(), nullable=False),
        sa.Column("threshold_ppm", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("pity_after", sa.Integer(), nullable=True),
        sa.Column("is_pity", sa.Boolean(), nullable=False),
        sa.Column("weights", sa.Text(), nullable=False),
        sa.Column("roll", sa.Integer(), nullable=True),
        sa.Column("won", sa.Boolean(), nullable=False),
        sa.Column("prize", sa.Integer(), nullable=True),
        sa.Column("stands", sa.Boolean(), nullable=False),
        sa.Column("why_fallen", sa.Text(), nullable=True),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("expected_cost_micro", sa.BigInteger(), nullable=True),
        sa.Column("decision_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("is_erased", sa.Boolean(), nullable=False),
        sa.Column("drawn_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["program_id", "epoch"],
            ["draw_epochs.program_id", "draw_epochs.number"],
            name=op.f("fk_draws_program_id_epoch"),
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name=op.f("pk_draws")),
        sa.UniqueConstraint(
            "program_id",
            "source_id",
            "surprise_key",
            "member_id",
            name=op.f("uq_draws_program_id_source_id_surprise_key_member_id"),
        ),
    )
    op.create_index("ix_draws_member", "draws", ["program_id", "member_id", "surprise_key", "id"])
    is_won = sa.text("won AND NOT is_shadow")
    op.create_index(
        "ix_draws_won",
        "draws",
        ["program_id", "member_id", "surprise_key", "drawn_at"],
        postgresql_where=is_won,
        sqlite_where=is_won,
    )
    op.create_index("ix_draws_surprise", "draws", ["program_id", "surprise_key", "id"])
    is_expected = sa.text("expected_cost_micro IS NOT NULL")
    op.create_index(
        "ix_draws_expected",
        "draws",
        ["program_id", "surprise_key", "recorded_at", "expected_cost_micro"],
        postgresql_where=is_expected,
        sqlite_where=is_expected,
    )
    op.create_index("ix_draws_epoch", "draws", ["program_id", "epoch", "surprise_key", "id"])


def _epochs() -> None:
    op.create_table(
        "draw_chains",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("anchor", sa.LargeBinary(length=32), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.program_id"], name=op.f("fk_draw_chains_program_id")
        ),
        sa.PrimaryKeyConstraint("program_id", "number", name=op.f("pk_draw_chains")),
    )
    op.create_table(
        "draw_epochs",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("chain", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("seed", sa.LargeBinary(length=32), nullable=True),
        sa.Column("root", sa.LargeBinary(length=32), nullable=True),
        sa.Column("receipt_count", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["program_id", "chain"],
            ["draw_chains.program_id", "draw_chains.number"],
            name=op.f("fk_draw_epochs_program_id_chain"),
        ),
        sa.PrimaryKeyConstraint("program_id", "number", name=op.f("pk_draw_epochs")),
        sa.UniqueConstraint(
            "program_id", "chain", "place", name=op.f("uq_draw_epochs_program_id_chain_place")
        ),
    )
    is_open = sa.text("closed_at IS NULL")
    op.create_index(
        "ix_draw_epochs_due",
        "draw_epochs",
        ["program_id", "ends_at"],
        postgresql_where=is_open,
        sqlite_where=is_open,
    )
    op.create_table(
        "draw_epoch_rules",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("surprise_key", sa.Text(), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        _of_epoch("draw_epoch_rules"),
        sa.PrimaryKeyConstraint(
            "program_id", "epoch", "surprise_key", name=op.f("pk_draw_epoch_rules")
        ),
    )
    op.create_index(
        "ix_draw_epoch_rules_last",
        "draw_epoch_rules",
        ["program_id", "surprise_key", "last_number"],
    )
    op.create_table(
        "draw_blocks",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        _of_epoch("draw_blocks"),
        sa.PrimaryKeyConstraint("program_id", "epoch", "place", name=op.f("pk_draw_blocks")),
    )


def _of_epoch(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["program_id", "epoch"],
        ["draw_epochs.program_id", "draw_epochs.number"],
        name=op.f(f"fk_{table}_program_id_epoch"),
    )


def _leaves() -> None:
    op.create_table(
        "draw_leaves",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("draw_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("surprise_key", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(length=32), nullable=False),
        _of_epoch("draw_leaves"),
        sa.ForeignKeyConstraint(
            ["program_id", "draw_id"],
            ["draws.program_id", "draws.id"],
            name=op.f("fk_draw_leaves_program_id_draw_id"),
        ),
        sa.PrimaryKeyConstraint("program_id", "epoch", "place", name=op.f("pk_draw_leaves")),
        sa.UniqueConstraint(
            "program_id", "draw_id", name=op.f("uq_draw_leaves_program_id_draw_id")
        ),
        sa.UniqueConstraint(
            "program_id",
            "surprise_key",
            "number",
            name=op.f("uq_draw_leaves_program_id_surprise_key_number"),
        ),
    )


def _budgets() -> None:
    op.create_table(
        "surprise_paces",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("surprise_key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("paced_on", sa.Text(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("days_left", sa.Integer(), nullable=False),
        sa.Column("expected_micro", sa.BigInteger(), nullable=False),
        sa.Column("pace_ppm", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.program_id"], name=op.f("fk_surprise_paces_program_id")
        ),
        sa.PrimaryKeyConstraint(
            "program_id", "surprise_key", "version", "paced_on", name=op.f("pk_surprise_paces")
        ),
    )
    op.create_table(
        "budget_alerts",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.program_id"], name=op.f("fk_budget_alerts_program_id")
        ),
        sa.PrimaryKeyConstraint(
            "program_id", "rule", "total", "percent", name=op.f("pk_budget_alerts")
        ),
    )


def _silences() -> None:
    op.create_table(
        "silences",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("order_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id"],
            ["members.program_id", "members.id"],
            name=op.f("fk_silences_program_id_member_id"),
        ),
        sa.PrimaryKeyConstraint("program_id", "member_id", name=op.f("pk_silences")),
    )
    is_due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_silences_due",
        "silences",
        ["program_id", "due_at"],
        postgresql_where=is_due,
        sqlite_where=is_due,
    )
    op.create_table(
        "silence_looks",
        sa.Column("program_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("lengths", sa.Text(), nullable=False),
        sa.Column("cursor", sa.LargeBinary(length=16), nullable=True),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.program_id"], name=op.f("fk_silence_looks_program_id")
        ),
        sa.PrimaryKeyConstraint("program_id", name=op.f("pk_silence_looks")),
    )

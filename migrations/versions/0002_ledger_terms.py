"""ledger terms: dated lots, stored allocations, holds, adjustments, transfers"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.LargeBinary(length=16)


def upgrade() -> None:
    _accounts()
    _lots()
    _entries()
    _allocations()
    _holds()
    _by_hand()


def _accounts() -> None:
    op.add_column("accounts", sa.Column("due_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "accounts",
        sa.Column("has_inactivity", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "accounts",
        sa.Column("has_counted", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("programs", sa.Column("clock_target", sa.BigInteger(), nullable=True))


def _lots() -> None:
    text, number, no = "immediate|never", sa.text("0"), sa.false()
    for column in (
        sa.Column("terms", sa.Text(), nullable=False, server_default=text),
        sa.Column("held", sa.BigInteger(), nullable=False, server_default=number),
        sa.Column("borrowed", sa.BigInteger(), nullable=False, server_default=number),
        sa.Column("overdrawn", sa.BigInteger(), nullable=False, server_default=number),
        sa.Column("expired", sa.BigInteger(), nullable=False, server_default=number),
        sa.Column("available_at", sa.BigInteger(), nullable=True),
        sa.Column("is_pending", sa.Boolean(), nullable=False, server_default=no),
        sa.Column("notice_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("origin_lot_id", _ID, nullable=True),
        sa.Column("is_moved", sa.Boolean(), nullable=False, server_default=no),
    ):
        op.add_column("lots", column)
    op.execute("UPDATE lots SET available_at = earned_at")
    op.create_index("ix_lots_account", "lots", ["program_id", "member_id", "points_key"])
    where = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_lots_due",
        "lots",
        ["program_id", "due_at"],
        postgresql_where=where,
        sqlite_where=where,
    )


def _entries() -> None:
    is_split = sa.Column("is_split", sa.Boolean(), nullable=False, server_default=sa.false())
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("entries", "lot_id", nullable=True)
        op.add_column("entries", is_split)
        return
    for verb in ("update", "delete"):
        op.execute(f"DROP TRIGGER entries_no_{verb}")
    # Made anew, a table loses what batches do not see: its check and its triggers.
    check = sa.CheckConstraint("points > 0", name=op.f("ck_entries_points_positive"))
    with op.batch_alter_table("entries", table_args=(check,)) as batch:
        batch.alter_column("lot_id", existing_type=_ID, nullable=True)
        batch.add_column(is_split)
    _append_only("entries")


def _allocations() -> None:
    op.create_table(
        "allocations",
        sa.Column("program_id", _ID, nullable=False),
        sa.Column("entry_id", _ID, nullable=False),
        sa.Column("lot_id", _ID, nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("for_lot_id", _ID, nullable=True),
        sa.Column("for_points", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["program_id", "entry_id"],
            ["entries.program_id", "entries.id"],
            name="fk_allocations_program_id_entry_id",
        ),
        sa.ForeignKeyConstraint(
            ["program_id", "lot_id"],
            ["lots.program_id", "lots.id"],
            name="fk_allocations_program_id_lot_id",
        ),
        sa.PrimaryKeyConstraint("program_id", "entry_id", "lot_id", name="pk_allocations"),
    )
    where = sa.text("for_lot_id IS NOT NULL")
    op.create_index(
        "ix_allocations_for_lot",
        "allocations",
        ["program_id", "for_lot_id"],
        postgresql_where=where,
        sqlite_where=where,
    )
    _append_only("allocations")


def _append_only(table: str) -> None:
    """Rows of a table are only ever added; the database refuses anything else."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN"
            f" SELECT RAISE(ABORT, '{table} is append-only: {verb} is refused'); END"
        )


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("program_id", _ID, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("points_key", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("entry_id", _ID, nullable=False),
        sa.Column("held_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id", "points_key"],
            ["accounts.program_id", "accounts.member_id", "accounts.points_key"],
            name="fk_holds_program_id_member_id_points_key",
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name="pk_holds"),
    )
    op.create_index("ix_holds_member", "holds", ["program_id", "member_id"])
    where = sa.text("state = 'held'")
    op.create_index(
        "ix_holds_due",
        "holds",
        ["program_id", "expires_at"],
        postgresql_where=where,
        sqlite_where=where,
    )


def _by_hand() -> None:
    op.create_table(
        "adjustments",
        sa.Column("program_id", _ID, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("points_key", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("counts_for_tier", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id", "member_id"],
            ["members.program_id", "members.id"],
            name="fk_adjustments_program_id_member_id",
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name="pk_adjustments"),
    )
    op.create_index("ix_adjustments_member", "adjustments", ["program_id", "member_id"])
    op.create_table(
        "transfers",
        sa.Column("program_id", _ID, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("from_member_id", _ID, nullable=False),
        sa.Column("to_member_id", _ID, nullable=False),
        sa.Column("points_key", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id", "from_member_id"],
            ["members.program_id", "members.id"],
            name="fk_transfers_program_id_from_member_id",
        ),
        sa.ForeignKeyConstraint(
            ["program_id", "to_member_id"],
            ["members.program_id", "members.id"],
            name="fk_transfers_program_id_to_member_id",
        ),
        sa.PrimaryKeyConstraint("program_id", "id", name="pk_transfers"),
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger's past cannot be taken apart; restore a backup instead")

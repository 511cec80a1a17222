"""referrals"""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('members', sa.Column('told_at', sa.BigInteger(), nullable=True))
    # Of whom was told, and whom an order enrolled, nobody knows of the past.
    op.execute("UPDATE members SET told_at = created_at")
    op.create_table('order_contacts',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('digest', sa.LargeBinary(32), nullable=False),
    sa.Column('order_ref', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['program_id'], ['programs.program_id'], name=op.f('fk_order_contacts_program_id')),
    sa.PrimaryKeyConstraint('program_id', 'kind', 'digest', 'order_ref', name=op.f('pk_order_contacts'))
    )
    op.create_index('ix_order_contacts_order', 'order_contacts', ['program_id', 'order_ref'], unique=False)

    op.create_table('household_trusts',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('first_id', sa.LargeBinary(16), nullable=False),
    sa.Column('second_id', sa.LargeBinary(16), nullable=False),
    sa.Column('referral_id', sa.LargeBinary(16), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'first_id'], ['members.program_id', 'members.id'], name=op.f('fk_household_trusts_program_id_first_id')),
    sa.ForeignKeyConstraint(['program_id', 'second_id'], ['members.program_id', 'members.id'], name=op.f('fk_household_trusts_program_id_second_id')),
    sa.PrimaryKeyConstraint('program_id', 'first_id', 'second_id', name=op.f('pk_household_trusts'))
    )
    op.create_table('links',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=False),
    sa.Column('offer_key', sa.Text(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'member_id'], ['members.program_id', 'members.id'], name=op.f('fk_links_program_id_member_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_links')),
    sa.UniqueConstraint('program_id', 'member_id', 'offer_key', name=op.f('uq_links_program_id_member_id_offer_key'))
    )
    op.create_table('referral_blocks',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=False),
    sa.Column('referral_id', sa.LargeBinary(16), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'member_id'], ['members.program_id', 'members.id'], name=op.f('fk_referral_blocks_program_id_member_id')),
    sa.PrimaryKeyConstraint('program_id', 'member_id', name=op.f('pk_referral_blocks'))
    )
    op.create_table('referral_milestones',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=False),
    sa.Column('offer_key', sa.Text(), nullable=False),
    sa.Column('at_count', sa.BigInteger(), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('switches', sa.BigInteger(), nullable=False),
    sa.Column('stands', sa.Boolean(), nullable=False),
    sa.Column('reached_at', sa.BigInteger(), nullable=False),
    sa.Column('decision_id', sa.LargeBinary(16), nullable=True),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'member_id'], ['members.program_id', 'members.id'], name=op.f('fk_referral_milestones_program_id_member_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_referral_milestones')),
    sa.UniqueConstraint('program_id', 'member_id', 'offer_key', 'at_count', 'number', name=op.f('uq_referral_milestones_number'))
    )
    op.create_table('referrals',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('friend_id', sa.LargeBinary(16), nullable=False),
    sa.Column('advocate_id', sa.LargeBinary(16), nullable=False),
    sa.Column('link_id', sa.LargeBinary(16), nullable=True),
    sa.Column('offer_key', sa.Text(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('switches', sa.BigInteger(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=True),
    sa.Column('method', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('is_bound', sa.Boolean(), nullable=False),
    sa.Column('stands', sa.Boolean(), nullable=False),
    sa.Column('order_ref', sa.Text(), nullable=True),
    sa.Column('net_minor', sa.BigInteger(), nullable=True),
    sa.Column('score_bp', sa.BigInteger(), nullable=False),
    sa.Column('cleared_bp', sa.BigInteger(), nullable=False),
    sa.Column('signals', sa.Text(), nullable=False),
    sa.Column('evidence', sa.Text(), nullable=False),
    sa.Column('approvals', sa.Text(), nullable=False),
    sa.Column('clicked_at', sa.BigInteger(), nullable=True),
    sa.Column('bound_at', sa.BigInteger(), nullable=False),
    sa.Column('qualified_at', sa.BigInteger(), nullable=True),
    sa.Column('hold_until', sa.BigInteger(), nullable=True),
    sa.Column('approved_at', sa.BigInteger(), nullable=True),
    sa.Column('due_at', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'advocate_id'], ['members.program_id', 'members.id'], name=op.f('fk_referrals_program_id_advocate_id')),
    sa.ForeignKeyConstraint(['program_id', 'friend_id'], ['members.program_id', 'members.id'], name=op.f('fk_referrals_program_id_friend_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_referrals')),
    sa.UniqueConstraint('program_id', 'friend_id', name=op.f('uq_referrals_program_id_friend_id'))
    )
    op.create_index('ix_referrals_advocate', 'referrals', ['program_id', 'advocate_id', 'id'], unique=False)
    op.create_index('ix_referrals_due', 'referrals', ['program_id', 'due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'), sqlite_where=sa.text('due_at IS NOT NULL'))
    op.create_index('ix_referrals_standing', 'referrals', ['program_id', 'advocate_id', 'qualified_at'], unique=False, postgresql_where=sa.text('stands'), sqlite_where=sa.text('stands'))
    op.create_index('ix_referrals_state', 'referrals', ['program_id', 'state', 'id'], unique=False)

    op.create_table('traces',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('digest', sa.LargeBinary(32), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('seen_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'member_id'], ['members.program_id', 'members.id'], name=op.f('fk_traces_program_id_member_id')),
    sa.PrimaryKeyConstraint('program_id', 'kind', 'digest', 'member_id', name=op.f('pk_traces'))
    )
    op.create_index('ix_traces_age', 'traces', ['program_id', 'expires_at'], unique=False)
    op.create_index('ix_traces_member', 'traces', ['program_id', 'member_id'], unique=False)

    op.create_table('clicks',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('link_id', sa.LargeBinary(16), nullable=False),
    sa.Column('day', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('visitor', sa.LargeBinary(32), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('switches', sa.BigInteger(), nullable=False),
    sa.Column('clicked_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'link_id'], ['links.program_id', 'links.id'], name=op.f('fk_clicks_program_id_link_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_clicks')),
    sa.UniqueConstraint('program_id', 'link_id', 'day', 'visitor', name=op.f('uq_clicks_program_id_link_id_day_visitor'))
    )
    op.create_index('ix_clicks_age', 'clicks', ['program_id', 'expires_at'], unique=False)
    op.create_index('ix_clicks_visitor', 'clicks', ['program_id', 'visitor', 'clicked_at'], unique=False)

    op.create_table('leads',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('digest', sa.LargeBinary(32), nullable=False),
    sa.Column('link_id', sa.LargeBinary(16), nullable=False),
    sa.Column('method', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=True),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('switches', sa.BigInteger(), nullable=False),
    sa.Column('touched_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'link_id'], ['links.program_id', 'links.id'], name=op.f('fk_leads_program_id_link_id')),
    sa.ForeignKeyConstraint(['program_id'], ['programs.program_id'], name=op.f('fk_leads_program_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_leads'))
    )
    op.create_index('ix_leads_age', 'leads', ['program_id', 'expires_at'], unique=False)
    op.create_index('ix_leads_digest', 'leads', ['program_id', 'kind', 'digest'], unique=False)

    op.create_table('link_codes',
    sa.Column('canonical', sa.Text(), nullable=False),
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('link_id', sa.LargeBinary(16), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('is_vanity', sa.Boolean(), nullable=False),
    sa.Column('is_closed', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'link_id'], ['links.program_id', 'links.id'], name=op.f('fk_link_codes_program_id_link_id')),
    sa.PrimaryKeyConstraint('canonical', name=op.f('pk_link_codes'))
    )
    op.create_index('ix_link_codes_link', 'link_codes', ['program_id', 'link_id'], unique=False)

    op.create_table('link_counts',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('link_id', sa.LargeBinary(16), nullable=False),
    sa.Column('day', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'link_id'], ['links.program_id', 'links.id'], name=op.f('fk_link_counts_program_id_link_id')),
    sa.PrimaryKeyConstraint('program_id', 'link_id', 'day', 'channel', 'kind', name=op.f('pk_link_counts'))
    )
    op.create_index('ix_link_counts_day', 'link_counts', ['program_id', 'day'], unique=False)

    op.create_table('referral_sides',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('referral_id', sa.LargeBinary(16), nullable=False),
    sa.Column('side', sa.Text(), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('decision_id', sa.LargeBinary(16), nullable=True),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('cost_minor', sa.BigInteger(), nullable=False),
    sa.Column('first_rewarded_at', sa.BigInteger(), nullable=True),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'member_id'], ['members.program_id', 'members.id'], name=op.f('fk_referral_sides_program_id_member_id')),
    sa.ForeignKeyConstraint(['program_id', 'referral_id'], ['referrals.program_id', 'referrals.id'], name=op.f('fk_referral_sides_program_id_referral_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_referral_sides')),
    sa.UniqueConstraint('program_id', 'referral_id', 'side', name=op.f('uq_referral_sides_program_id_referral_id_side'))
    )
    op.create_index('ix_referral_sides_member', 'referral_sides', ['program_id', 'member_id', 'state', 'id'], unique=False)

    op.create_table('referral_transitions',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('referral_id', sa.LargeBinary(16), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('side', sa.Text(), nullable=True),
    sa.Column('from_state', sa.Text(), nullable=True),
    sa.Column('to_state', sa.Text(), nullable=False),
    sa.Column('cause', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=True),
    sa.Column('effective_at', sa.BigInteger(), nullable=False),
    sa.Column('recorded_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'referral_id'], ['referrals.program_id', 'referrals.id'], name=op.f('fk_referral_transitions_program_id_referral_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_referral_transitions')),
    sa.UniqueConstraint('program_id', 'referral_id', 'number', name=op.f('uq_referral_transitions_program_id_referral_id_number'))
    )
    op.create_index('ix_referral_transitions_at', 'referral_transitions', ['program_id', 'effective_at'], unique=False)
    _append_only("referral_transitions")


def _append_only(table: str) -> None:
    """Lines of the log are only ever added; the database refuses anything else."""
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


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

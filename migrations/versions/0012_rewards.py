"""rewards"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('reward_stock',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('reward_key', sa.Text(), nullable=False),
    sa.Column('total', sa.BigInteger(), nullable=False),
    sa.Column('used', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('used >= 0', name=op.f('ck_reward_stock_used_not_negative')),
    sa.ForeignKeyConstraint(['program_id'], ['programs.program_id'], name=op.f('fk_reward_stock_program_id')),
    sa.PrimaryKeyConstraint('program_id', 'reward_key', name=op.f('pk_reward_stock'))
    )
    op.create_table('stock_moves',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('reward_key', sa.Text(), nullable=False),
    sa.Column('change', sa.BigInteger(), nullable=False),
    sa.Column('total_after', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=True),
    sa.Column('recorded_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id'], ['programs.program_id'], name=op.f('fk_stock_moves_program_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_stock_moves'))
    )
    op.create_index('ix_stock_moves_reward', 'stock_moves', ['program_id', 'reward_key', 'id'], unique=False)

    op.create_table('voucher_pools',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id'], ['programs.program_id'], name=op.f('fk_voucher_pools_program_id')),
    sa.PrimaryKeyConstraint('program_id', 'key', name=op.f('pk_voucher_pools'))
    )
    op.create_table('wrong_guesses',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('subject', sa.LargeBinary(32), nullable=False),
    sa.Column('window_at', sa.BigInteger(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id'], ['programs.program_id'], name=op.f('fk_wrong_guesses_program_id')),
    sa.PrimaryKeyConstraint('program_id', 'subject', 'window_at', name=op.f('pk_wrong_guesses'))
    )
    op.create_table('fulfilments',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=False),
    sa.Column('redemption_id', sa.LargeBinary(16), nullable=False),
    sa.Column('reward_key', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('carrier', sa.Text(), nullable=True),
    sa.Column('tracking', sa.Text(), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('requested_at', sa.BigInteger(), nullable=False),
    sa.Column('shipped_at', sa.BigInteger(), nullable=True),
    sa.Column('delivered_at', sa.BigInteger(), nullable=True),
    sa.Column('cancelled_at', sa.BigInteger(), nullable=True),
    sa.Column('updated_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'member_id'], ['members.program_id', 'members.id'], name=op.f('fk_fulfilments_program_id_member_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_fulfilments')),
    sa.UniqueConstraint('program_id', 'redemption_id', name=op.f('uq_fulfilments_program_id_redemption_id'))
    )
    op.create_index('ix_fulfilments_state', 'fulfilments', ['program_id', 'state', 'id'], unique=False)

    op.create_table('grants',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=False),
    sa.Column('reward_key', sa.Text(), nullable=False),
    sa.Column('source_type', sa.Text(), nullable=False),
    sa.Column('source_ref', sa.Text(), nullable=False),
    sa.Column('source_id', sa.LargeBinary(16), nullable=False),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('terms', sa.Text(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('switches', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('cause', sa.Text(), nullable=False),
    sa.Column('has_stock', sa.Boolean(), nullable=False),
    sa.Column('voucher_id', sa.LargeBinary(16), nullable=True),
    sa.Column('redemption_id', sa.LargeBinary(16), nullable=True),
    sa.Column('decision_id', sa.LargeBinary(16), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('actor', sa.Text(), nullable=True),
    sa.Column('granted_at', sa.BigInteger(), nullable=False),
    sa.Column('recorded_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('due_at', sa.BigInteger(), nullable=True),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['program_id', 'member_id'], ['members.program_id', 'members.id'], name=op.f('fk_grants_program_id_member_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_grants')),
    sa.UniqueConstraint('program_id', 'source_id', 'rule', 'number', name=op.f('uq_grants_program_id_source_id_rule_number'))
    )
    op.create_index('ix_grants_due', 'grants', ['program_id', 'due_at'], unique=False, postgresql_where=sa.text("due_at IS NOT NULL"), sqlite_where=sa.text("due_at IS NOT NULL"))
    op.create_index('ix_grants_fallen', 'grants', ['program_id', 'rule', 'member_id'], unique=False, postgresql_where=sa.text("state = 'used' AND cause = 'fell'"), sqlite_where=sa.text("state = 'used' AND cause = 'fell'"))
    op.create_index('ix_grants_member', 'grants', ['program_id', 'member_id', 'id'], unique=False)

    op.create_table('redemptions',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('reward_key', sa.Text(), nullable=True),
    sa.Column('points_key', sa.Text(), nullable=True),
    sa.Column('points', sa.BigInteger(), nullable=False),
    sa.Column('terms', sa.Text(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('switches', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('has_stock', sa.Boolean(), nullable=False),
    sa.Column('grant_id', sa.LargeBinary(16), nullable=True),
    sa.Column('voucher_id', sa.LargeBinary(16), nullable=True),
    sa.Column('cart_ref', sa.Text(), nullable=True),
    sa.Column('kept_by', sa.Text(), nullable=True),
    sa.Column('is_undone', sa.Boolean(), nullable=False),
    sa.Column('discount_minor', sa.BigInteger(), nullable=True),
    sa.Column('cost_minor', sa.BigInteger(), nullable=True),
    sa.Column('actor', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('held_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('captured_at', sa.BigInteger(), nullable=True),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['program_id', 'member_id'], ['members.program_id', 'members.id'], name=op.f('fk_redemptions_program_id_member_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_redemptions'))
    )
    op.create_index('ix_redemptions_due', 'redemptions', ['program_id', 'expires_at'], unique=False, postgresql_where=sa.text("state = 'held' AND expires_at IS NOT NULL"), sqlite_where=sa.text("state = 'held' AND expires_at IS NOT NULL"))
    op.create_index('ix_redemptions_member', 'redemptions', ['program_id', 'member_id', 'id'], unique=False)
    op.create_index('ix_redemptions_open', 'redemptions', ['program_id', 'member_id'], unique=False, postgresql_where=sa.text("state = 'held'"), sqlite_where=sa.text("state = 'held'"))
    op.create_index('ix_redemptions_order', 'redemptions', ['program_id', 'kept_by'], unique=False, postgresql_where=sa.text('kept_by IS NOT NULL'), sqlite_where=sa.text('kept_by IS NOT NULL'))
    op.create_index('ix_redemptions_reward', 'redemptions', ['program_id', 'reward_key', 'held_at'], unique=False)

    op.create_table('vouchers',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('digest', sa.LargeBinary(32), nullable=False),
    sa.Column('sealed', sa.Text(), nullable=False),
    sa.Column('pool_key', sa.Text(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=True),
    sa.Column('reward_key', sa.Text(), nullable=True),
    sa.Column('terms', sa.Text(), nullable=False),
    sa.Column('origin', sa.Text(), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=True),
    sa.Column('redemption_id', sa.LargeBinary(16), nullable=True),
    sa.Column('grant_id', sa.LargeBinary(16), nullable=True),
    sa.Column('order_ref', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('uses_max', sa.BigInteger(), nullable=False),
    sa.Column('uses', sa.BigInteger(), nullable=False),
    sa.Column('value_minor', sa.BigInteger(), nullable=True),
    sa.Column('remaining_minor', sa.BigInteger(), nullable=True),
    sa.Column('issued_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.Column('void_reason', sa.Text(), nullable=True),
    sa.Column('void_actor', sa.Text(), nullable=True),
    sa.CheckConstraint('remaining_minor >= 0', name=op.f('ck_vouchers_remaining_not_negative')),
    sa.ForeignKeyConstraint(['program_id', 'pool_key'], ['voucher_pools.program_id', 'voucher_pools.key'], name=op.f('fk_vouchers_program_id_pool_key')),
    sa.ForeignKeyConstraint(['program_id'], ['programs.program_id'], name=op.f('fk_vouchers_program_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_vouchers')),
    sa.UniqueConstraint('program_id', 'digest', name=op.f('uq_vouchers_program_id_digest'))
    )
    op.create_index('ix_vouchers_due', 'vouchers', ['program_id', 'expires_at'], unique=False, postgresql_where=sa.text("state IN ('active', 'frozen') AND expires_at IS NOT NULL"), sqlite_where=sa.text("state IN ('active', 'frozen') AND expires_at IS NOT NULL"))
    op.create_index('ix_vouchers_member', 'vouchers', ['program_id', 'member_id'], unique=False, postgresql_where=sa.text('member_id IS NOT NULL'), sqlite_where=sa.text('member_id IS NOT NULL'))
    op.create_index('ix_vouchers_pooled', 'vouchers', ['program_id', 'pool_key', 'issued_at', 'id'], unique=False, postgresql_where=sa.text("state = 'pooled'"), sqlite_where=sa.text("state = 'pooled'"))

    op.create_table('fulfilment_changes',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('id', sa.LargeBinary(16), nullable=False),
    sa.Column('fulfilment_id', sa.LargeBinary(16), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('actor', sa.Text(), nullable=True),
    sa.Column('recorded_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['program_id', 'fulfilment_id'], ['fulfilments.program_id', 'fulfilments.id'], name=op.f('fk_fulfilment_changes_program_id_fulfilment_id')),
    sa.PrimaryKeyConstraint('program_id', 'id', name=op.f('pk_fulfilment_changes'))
    )
    op.create_index('ix_fulfilment_changes_of', 'fulfilment_changes', ['program_id', 'fulfilment_id', 'id'], unique=False)

    op.create_table('voucher_uses',
    sa.Column('program_id', sa.LargeBinary(16), nullable=False),
    sa.Column('voucher_id', sa.LargeBinary(16), nullable=False),
    sa.Column('order_ref', sa.Text(), nullable=False),
    sa.Column('member_id', sa.LargeBinary(16), nullable=True),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('returned_minor', sa.BigInteger(), nullable=False),
    sa.Column('is_released', sa.Boolean(), nullable=False),
    sa.Column('used_at', sa.BigInteger(), nullable=False),
    sa.Column('released_at', sa.BigInteger(), nullable=True),
    sa.Column('is_by_hand', sa.Boolean(), nullable=False),
    sa.Column('is_undone', sa.Boolean(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=True),
    sa.CheckConstraint('amount_minor >= returned_minor', name=op.f('ck_voucher_uses_returned_at_most_amount')),
    sa.CheckConstraint('returned_minor >= 0', name=op.f('ck_voucher_uses_returned_not_negative')),
    sa.ForeignKeyConstraint(['program_id', 'voucher_id'], ['vouchers.program_id', 'vouchers.id'], name=op.f('fk_voucher_uses_program_id_voucher_id')),
    sa.PrimaryKeyConstraint('program_id', 'voucher_id', 'order_ref', name=op.f('pk_voucher_uses'))
    )
    op.create_index('ix_voucher_uses_order', 'voucher_uses', ['program_id', 'order_ref'], unique=False)



def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

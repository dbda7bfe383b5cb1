"""The breaker counts different deliveries strictly and its probes apart; deliveries know since when they fail, and
what is due is found in the order of its time.
"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

PENDING = sa.text("status = 'pending'")
TEST = sa.text("status = 'pending' AND trigger = 'test'")


def upgrade() -> None:
    with op.batch_alter_table('webhook') as webhook:
        webhook.add_column(sa.Column('failed_ids', sa.JSON(), nullable=False, server_default='[]'))
        webhook.add_column(sa.Column('probes', sa.Integer(), nullable=False, server_default='0'))
        webhook.add_column(sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True))
    # What had opened the breaker stays open: its next probe is the first by the new count.
    op.execute('UPDATE webhook SET probes = 1 WHERE failures >= 2 AND probe_at IS NOT NULL')
    with op.batch_alter_table('webhook') as webhook:
        webhook.alter_column('failed_ids', existing_type=sa.JSON(), server_default=None)
        webhook.alter_column('probes', existing_type=sa.Integer(), server_default=None)
        webhook.drop_column('last_failed_id')
    op.add_column('delivery', sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True))
    op.drop_index('ix_delivery_due', 'delivery')
    op.create_index('ix_delivery_due', 'delivery', ['webhook_id', 'due_at', 'seq'], sqlite_where=PENDING, postgresql_where=PENDING)
    op.create_index('ix_delivery_test', 'delivery', ['webhook_id'], sqlite_where=TEST, postgresql_where=TEST)


def downgrade() -> None:
    op.drop_index('ix_delivery_test', 'delivery')
    op.drop_index('ix_delivery_due', 'delivery')
    op.create_index('ix_delivery_due', 'delivery', ['webhook_id', 'due_at'], sqlite_where=PENDING, postgresql_where=PENDING)
    op.drop_column('delivery', 'failing_since')
    with op.batch_alter_table('webhook') as webhook:
        webhook.add_column(sa.Column('last_failed_id', sa.Uuid(), nullable=True))
        webhook.drop_column('answered_at')
        webhook.drop_column('probes')
        webhook.drop_column('failed_ids')

"""The breaker counts different deliveries strictly and its probes apart; deliveries know since when they fail."""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


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


def downgrade() -> None:
    op.drop_column('delivery', 'failing_since')
    with op.batch_alter_table('webhook') as webhook:
        webhook.add_column(sa.Column('last_failed_id', sa.Uuid(), nullable=True))
        webhook.drop_column('answered_at')
        webhook.drop_column('probes')
        webhook.drop_column('failed_ids')

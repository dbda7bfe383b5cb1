"""Alarms about webhooks, letters that wait for the mail server, the history of a webhook; failures are grouped."""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

UNSENT = sa.text('sent_at IS NULL')
TROUBLED = sa.text("last_failure IS NOT NULL AND status <> 'succeeded' AND status <> 'canceled'")
PROBLEM = ['webhook_id', 'last_failure', 'last_status', 'status', 'failing_since']


def upgrade() -> None:
    op.create_table(
        'letter',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('recipient', sa.String(254), nullable=False),
        sa.Column('subject', sa.String(200), nullable=False),
        sa.Column('body', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('tried_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_letter')),
    )
    op.create_index('ix_letter_unsent', 'letter', ['created_at'], sqlite_where=UNSENT, postgresql_where=UNSENT)
    op.create_table(
        'audit_entry',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('actor', sa.String(100), nullable=False),
        sa.Column('action', sa.String(60), nullable=False),
        sa.Column('subject_kind', sa.String(30), nullable=False),
        sa.Column('subject_id', sa.Uuid(), nullable=False),
        sa.Column('changes', sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_audit_entry_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry')),
    )
    op.create_index(op.f('ix_audit_entry_workspace_id_at'), 'audit_entry', ['workspace_id', 'at'])
    op.create_index(op.f('ix_audit_entry_subject_id_at'), 'audit_entry', ['subject_id', 'at'])
    with op.batch_alter_table('webhook') as webhook:
        webhook.add_column(sa.Column('alarm', sa.Integer(), nullable=False, server_default='0'))
        webhook.add_column(sa.Column('alarm_at', sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table('webhook') as webhook:
        webhook.alter_column('alarm', existing_type=sa.Integer(), server_default=None)
    op.create_index('ix_delivery_problem', 'delivery', PROBLEM, sqlite_where=TROUBLED, postgresql_where=TROUBLED)


def downgrade() -> None:
    op.drop_index('ix_delivery_problem', 'delivery')
    with op.batch_alter_table('webhook') as webhook:
        webhook.drop_column('alarm_at')
        webhook.drop_column('alarm')
    op.drop_table('audit_entry')
    op.drop_table('letter')

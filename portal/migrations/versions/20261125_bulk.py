"""Work on many deliveries at once has a row of its own."""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

UNFINISHED = sa.text('finished_at IS NULL')


def upgrade() -> None:
    op.create_table(
        'bulk',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('kind', sa.String(20), nullable=False),
        sa.Column('filters', sa.JSON(), nullable=False),
        sa.Column('since', sa.DateTime(timezone=True), nullable=True),
        sa.Column('webhooks', sa.JSON(), nullable=False),
        sa.Column('after_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('after_id', sa.String(40), nullable=True),
        sa.Column('total', sa.Integer(), nullable=False),
        sa.Column('done', sa.Integer(), nullable=False),
        sa.Column('skipped', sa.JSON(), nullable=False),
        sa.Column('actor', sa.String(100), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('is_stopped', sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_bulk_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_bulk')),
    )
    op.create_index(op.f('ix_bulk_workspace_id_created_at'), 'bulk', ['workspace_id', 'created_at'])
    op.create_index('ix_bulk_unfinished', 'bulk', ['id'], sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)


def downgrade() -> None:
    op.drop_table('bulk')

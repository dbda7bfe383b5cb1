"""People are invited, deactivated, and hand their contacts over."""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0008'
branch_labels = None
depends_on = None

UNFINISHED = sa.text('finished_at IS NULL')


def upgrade() -> None:
    op.add_column('membership', sa.Column('deactivated_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        'invitation',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('token_hash', sa.String(64), nullable=False),
        sa.Column('role', sa.String(20), nullable=False),
        sa.Column('email', sa.String(254), nullable=False),
        sa.Column('created_by', sa.String(100), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_invitation_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_invitation')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_invitation_token_hash')),
    )
    op.create_index(op.f('ix_invitation_workspace_id'), 'invitation', ['workspace_id'])
    op.create_table(
        'hand_over',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('giver_id', sa.Uuid(), nullable=False),
        sa.Column('taker_id', sa.Uuid(), nullable=True),
        sa.Column('actor', sa.String(100), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('after_id', sa.Uuid(), nullable=True),
        sa.Column('total', sa.Integer(), nullable=False),
        sa.Column('done', sa.Integer(), nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_hand_over_workspace_id')),
        sa.ForeignKeyConstraint(['giver_id'], ['user_account.id'], name=op.f('fk_hand_over_giver_id')),
        sa.ForeignKeyConstraint(['taker_id'], ['user_account.id'], name=op.f('fk_hand_over_taker_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_hand_over')),
    )
    op.create_index(op.f('ix_hand_over_workspace_id_giver_id'), 'hand_over', ['workspace_id', 'giver_id'])
    op.create_index(
        'ix_hand_over_unfinished', 'hand_over', ['id'], sqlite_where=UNFINISHED, postgresql_where=UNFINISHED
    )


def downgrade() -> None:
    op.drop_table('hand_over')
    op.drop_table('invitation')
    # The version before knows no deactivated people: it would let them in.
    op.execute('DELETE FROM membership WHERE deactivated_at IS NOT NULL')
    with op.batch_alter_table('membership') as membership:
        membership.drop_column('deactivated_at')

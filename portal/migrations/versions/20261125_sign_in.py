"""Two-step log-in, links for new passwords, what a session knows about its browser, and when it is idle."""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'second_factor',
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('secret', sa.LargeBinary(), nullable=False),
        sa.Column('last_step', sa.Integer(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_second_factor_user_id')),
        sa.PrimaryKeyConstraint('user_id', name=op.f('pk_second_factor')),
    )
    op.create_table(
        'recovery_code',
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('number', sa.SmallInteger(), nullable=False),
        sa.Column('code_hash', sa.String(255), nullable=False),
        sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_recovery_code_user_id')),
        sa.PrimaryKeyConstraint('user_id', 'number', name=op.f('pk_recovery_code')),
    )
    op.create_table(
        'reset_link',
        sa.Column('token_hash', sa.String(64), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_reset_link_user_id')),
        sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_reset_link')),
    )
    op.create_index(op.f('ix_reset_link_user_id'), 'reset_link', ['user_id'])
    with op.batch_alter_table('workspace') as workspace:
        workspace.add_column(sa.Column('idle_minutes', sa.Integer(), nullable=True))
    op.execute('DELETE FROM user_session')  # of which nobody knows the browser: everybody logs in once more
    with op.batch_alter_table('user_session') as session:
        session.add_column(sa.Column('id', sa.Uuid(), nullable=False))
        session.add_column(sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False))
        session.add_column(sa.Column('browser', sa.String(60), nullable=False))
        session.add_column(sa.Column('network', sa.String(50), nullable=False))
        session.create_unique_constraint(op.f('uq_user_session_id'), ['id'])


def downgrade() -> None:
    with op.batch_alter_table('user_session') as session:
        session.drop_constraint(op.f('uq_user_session_id'), type_='unique')
        for column in ('network', 'browser', 'seen_at', 'id'):
            session.drop_column(column)
    with op.batch_alter_table('workspace') as workspace:
        workspace.drop_column('idle_minutes')
    for table in ('reset_link', 'recovery_code', 'second_factor'):
        op.drop_table(table)

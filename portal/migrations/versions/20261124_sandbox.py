"""The sandbox receiver of each workspace, and what it got."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

WORKSPACE = sa.table('workspace', sa.column('id', sa.Uuid()), sa.column('sandbox_token', sa.String()))


def upgrade() -> None:
    op.create_table('sandbox_request',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('headers', sa.JSON(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('length', sa.Integer(), nullable=False),
    sa.Column('verdict', sa.String(length=20), nullable=False),
    sa.Column('answer', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_sandbox_request_workspace_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sandbox_request'))
    )
    op.create_index(op.f('ix_sandbox_request_workspace_id_received_at'), 'sandbox_request', ['workspace_id', 'received_at'])
    with op.batch_alter_table('workspace') as workspace:
        workspace.add_column(sa.Column('sandbox_token', sa.String(length=40), nullable=True))
        workspace.add_column(sa.Column('sandbox_mode', sa.String(length=20), nullable=False, server_default='ok'))
    give_tokens()
    with op.batch_alter_table('workspace') as workspace:
        workspace.alter_column('sandbox_token', existing_type=sa.String(length=40), nullable=False)
        workspace.alter_column('sandbox_mode', existing_type=sa.String(length=20), server_default=None)
        workspace.create_unique_constraint(op.f('uq_workspace_sandbox_token'), ['sandbox_token'])


def give_tokens() -> None:
    """The workspaces that are there get an address each."""
    connection = op.get_bind()
    for (key,) in connection.execute(sa.select(WORKSPACE.c.id)).all():
        token = secrets.token_urlsafe(24)
        connection.execute(sa.update(WORKSPACE).where(WORKSPACE.c.id == key).values(sandbox_token=token))


def downgrade() -> None:
    with op.batch_alter_table('workspace') as workspace:
        workspace.drop_constraint(op.f('uq_workspace_sandbox_token'), type_='unique')
        workspace.drop_column('sandbox_mode')
        workspace.drop_column('sandbox_token')
    op.drop_table('sandbox_request')

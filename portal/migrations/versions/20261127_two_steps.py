"""A workspace can ask everybody for two-step log-in."""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('workspace') as workspace:
        workspace.add_column(sa.Column('needs_two_steps', sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table('workspace') as workspace:
        workspace.alter_column('needs_two_steps', existing_type=sa.Boolean(), server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('workspace') as workspace:
        workspace.drop_column('needs_two_steps')

"""Audit entries name their person by id; invitations and links for new passwords know who made them."""

import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None

MADE = ('invitation', 'reset_link')


def upgrade() -> None:
    for name in MADE:
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column('creator_id', sa.Uuid(), nullable=True))
            table.create_foreign_key(op.f(f'fk_{name}_creator_id'), 'user_account', ['creator_id'], ['id'])
    # Not by a batch, which copies the table on SQLite: the triggers that keep its entries would be gone.
    op.add_column('audit_entry', sa.Column('actor_id', sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column('audit_entry', 'actor_id')
    for name in MADE:
        with op.batch_alter_table(name) as table:
            table.drop_constraint(op.f(f'fk_{name}_creator_id'), type_='foreignkey')
            table.drop_column('creator_id')

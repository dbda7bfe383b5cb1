"""A webhook says how many contacts it takes in one request; an event, for which of them it is."""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    add('webhook', 'contacts_per_request', 1)
    add('event', 'takes_from', 1)
    add('event', 'takes_to', 100)


def downgrade() -> None:
    for table, name in (('event', 'takes_to'), ('event', 'takes_from'), ('webhook', 'contacts_per_request')):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(name)


def add(table: str, name: str, value: int) -> None:
    op.add_column(table, sa.Column(name, sa.Integer(), nullable=False, server_default=str(value)))
    with op.batch_alter_table(table) as batch:
        batch.alter_column(name, existing_type=sa.Integer(), existing_nullable=False, server_default=None)

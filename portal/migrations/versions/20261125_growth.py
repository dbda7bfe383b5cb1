"""A throttle for webhooks; bodies, and later all of what happened, are taken away after a while."""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

PARTIAL = (('ix_event_body', 'has_body = 1', 'has_body'), ('ix_event_bare', 'has_body = 0', 'NOT has_body'))


def upgrade() -> None:
    with op.batch_alter_table('webhook') as webhook:
        webhook.add_column(sa.Column('throttle', sa.Integer(), nullable=True))
        webhook.add_column(sa.Column('throttle_seconds', sa.Integer(), nullable=False, server_default='1'))
        webhook.add_column(sa.Column('next_at', sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table('webhook') as webhook:
        webhook.alter_column('throttle_seconds', existing_type=sa.Integer(), server_default=None)
    # Its default stays: processes of the version before go on saving until they are restarted.
    with op.batch_alter_table('event') as event:
        event.add_column(sa.Column('has_body', sa.Boolean(), nullable=False, server_default=sa.true()))
    for name, sqlite, postgresql in PARTIAL:
        op.create_index(name, 'event', ['created_at', 'id'], sqlite_where=sa.text(sqlite), postgresql_where=sa.text(postgresql))
    if op.get_bind().dialect.name == 'postgresql':
        op.drop_constraint('fk_mention_delivery_id', 'mention')
    else:
        remake_mention()


def remake_mention(*constraints: sa.ForeignKeyConstraint) -> None:
    """SQLite's table with other constraints; it has to stay without rowids."""
    op.rename_table('mention', 'mention_before')
    op.create_table(
        'mention',
        sa.Column('contact_id', sa.Uuid(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('delivery_id', sa.Uuid(), nullable=False),
        *constraints,
        sa.PrimaryKeyConstraint('contact_id', 'created_at', 'delivery_id', name=op.f('pk_mention')),
        sqlite_with_rowid=False,
    )
    op.execute('INSERT INTO mention SELECT contact_id, created_at, delivery_id FROM mention_before')
    op.drop_table('mention_before')


def downgrade() -> None:
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('ALTER TABLE mention ADD CONSTRAINT fk_mention_delivery_id FOREIGN KEY (delivery_id) REFERENCES delivery (id)')
    else:
        remake_mention(sa.ForeignKeyConstraint(['delivery_id'], ['delivery.id'], name=op.f('fk_mention_delivery_id')))
    for name, *_ in PARTIAL:
        op.drop_index(name, 'event')
    op.drop_column('event', 'has_body')
    with op.batch_alter_table('webhook') as webhook:
        webhook.drop_column('next_at')
        webhook.drop_column('throttle_seconds')
        webhook.drop_column('throttle')

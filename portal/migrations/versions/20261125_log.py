"""The log is found by indexes, one a filter, and searched by the words that its contacts are or were known by."""

import json

import sqlalchemy as sa
from alembic import op

from portal.webhooks import words

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

LOG = {
    'ix_delivery_log_event': (['event_type'], None),
    'ix_delivery_log_status': (['status'], "status <> 'succeeded'"),
    'ix_delivery_log_failed': ([], 'last_failure IS NOT NULL'),
    'ix_delivery_log_failure': (['last_failure'], 'last_failure IS NOT NULL'),
    'ix_delivery_log_code': (['last_status'], 'last_failure IS NOT NULL'),
    'ix_delivery_log_special': ([], "trigger <> 'automatic' OR last_trigger <> 'automatic'"),
    'ix_delivery_log_retried': ([], 'attempts > 1'),
    'ix_delivery_log_slow': ([], 'last_duration_ms >= 1000'),
}
PARTIAL = {
    'ix_delivery_due': (['webhook_id', 'due_at', 'seq'], "status = 'pending'"),
    'ix_delivery_test': (['webhook_id'], "status = 'pending' AND trigger = 'test'"),
}
BATCH = 1000
CONTACTS = """
SELECT e.workspace_id, s.contact_id, s.number, s.label, c.first_name, c.last_name, c.email, c.phone_number
FROM subject s JOIN event e ON e.id = s.event_id LEFT JOIN contact c ON c.id = s.contact_id WHERE NOT e.is_test
GROUP BY e.workspace_id, s.contact_id, s.number, s.label, c.first_name, c.last_name, c.email, c.phone_number
"""
OF_BEFORE = """
SELECT e.workspace_id, s.contact_id, e.body FROM subject s JOIN event e ON e.id = s.event_id
WHERE NOT e.is_test AND e.type <> 'ContactDeleted' AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.id = s.contact_id)
"""


def upgrade() -> None:
    op.create_table('mention',
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('delivery_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['delivery_id'], ['delivery.id'], name=op.f('fk_mention_delivery_id')),
    sa.PrimaryKeyConstraint('contact_id', 'created_at', 'delivery_id', name=op.f('pk_mention')),
    sqlite_with_rowid=False,
    )
    op.create_table('search_word',
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('word', sa.LargeBinary(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_search_word_workspace_id')),
    sa.PrimaryKeyConstraint('contact_id', 'word', name=op.f('pk_search_word')),
    sqlite_with_rowid=False,
    )
    op.add_column('delivery', sa.Column('event_type', sa.String(length=20), nullable=True))
    op.execute('UPDATE delivery SET event_type = (SELECT type FROM event WHERE event.id = delivery.event_id)')
    for name in PARTIAL:
        op.drop_index(name, 'delivery')
    with op.batch_alter_table('delivery') as delivery:
        delivery.alter_column('event_type', existing_type=sa.String(length=20), nullable=False)
    for name, (columns, where) in PARTIAL.items():
        make_index(name, columns, where)
    op.drop_index(op.f('ix_delivery_updated_at'), 'delivery')
    op.create_index(op.f('ix_delivery_workspace_id_updated_at'), 'delivery', ['workspace_id', 'updated_at'])
    for name, (columns, where) in LOG.items():
        make_index(name, ['workspace_id', *columns, 'created_at', 'id'], where)
    op.execute(
        'INSERT INTO mention (contact_id, created_at, delivery_id) SELECT DISTINCT s.contact_id, d.created_at, d.id'
        ' FROM delivery d JOIN subject s ON s.event_id = d.event_id'
    )
    remember(CONTACTS, lambda row: [text for text in row[2:] if text])
    remember(OF_BEFORE, lambda row: said(row[2], row[1]))
    op.create_index(op.f('ix_search_word_workspace_id_word_contact_id'), 'search_word', ['workspace_id', 'word', 'contact_id'])


def make_index(name: str, columns: list[str], where: str | None) -> None:
    only = sa.text(where) if where else None
    op.create_index(name, 'delivery', columns, sqlite_where=only, postgresql_where=only)


def remember(query: str, texts) -> None:
    """Contacts are found by what the log knows of them: what they are, and of the deleted ones what was sent."""
    connection = op.get_bind()
    ignore = 'OR IGNORE ' if connection.dialect.name == 'sqlite' else ''
    or_not = '' if ignore else ' ON CONFLICT DO NOTHING'
    insert = sa.text(f'INSERT {ignore}INTO search_word (workspace_id, contact_id, word) VALUES (:a, :b, :c){or_not}')
    found = connection.execute(sa.text(query), execution_options={'yield_per': BATCH})
    for rows in found.partitions():
        made = [{'a': row[0], 'b': row[1], 'c': word} for row in rows for word in words.folded(texts(row))]
        if made:
            connection.execute(insert, made)


def said(body: bytes, contact_id) -> list[str]:
    """What a body says of the contact that people look for it by."""
    try:
        contacts = json.loads(bytes(body))['contacts']
        mine = next(one for one in contacts if one['id'].replace('-', '') == str(contact_id).replace('-', ''))
        return [mine[key] for key in ('firstName', 'lastName', 'email', 'phoneNumber', 'contactId') if mine.get(key)]
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return []


def downgrade() -> None:
    for name in LOG:
        op.drop_index(name, 'delivery')
    op.drop_index(op.f('ix_delivery_workspace_id_updated_at'), 'delivery')
    op.create_index(op.f('ix_delivery_updated_at'), 'delivery', ['updated_at'])
    op.drop_column('delivery', 'event_type')
    op.drop_table('search_word')
    op.drop_table('mention')

"""Many contacts: how many a webhook takes in one request, keys to find and order them by, views, bulk work, the trash."""

from types import SimpleNamespace

import sqlalchemy as sa
from alembic import op

from portal.contacts.keys import keys_of

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

UNFINISHED = sa.text('finished_at IS NULL')
KEYS = {
    'name_key': sa.String(100), 'company_key': sa.String(100), 'stage_key': sa.String(100),
    'email_key': sa.String(254), 'phone_key': sa.String(40), 'search_text': sa.Text(),
}
INDEXED = ('created_time', 'name_key', 'company_key', 'stage_key', 'email_key', 'phone_key', 'owner', 'priority')
SAID = ('first_name', 'last_name', 'email', 'phone_number', 'contact_id', 'company_name', 'lead_stage')
BATCH = 1000
TIME = sa.DateTime(timezone=True)

contact = sa.table('contact', sa.column('id', sa.Uuid()), *map(sa.column, (*SAID, *KEYS)))


def upgrade() -> None:
    add('webhook', contacts_per_request=1)
    add('event', takes_from=1, takes_to=100)
    with op.batch_alter_table('contact') as batch:
        for name, kind in KEYS.items():
            batch.add_column(sa.Column(name, kind, nullable=False, server_default=''))
    fill()
    with op.batch_alter_table('contact') as batch:
        for name, kind in KEYS.items():
            batch.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)
    op.create_index(op.f('ix_contact_workspace_id_id'), 'contact', ['workspace_id', 'id'])
    for name in INDEXED:
        op.create_index(op.f(f'ix_contact_workspace_id_{name}_id'), 'contact', ['workspace_id', name, 'id'])
    make_bulk()
    make_trash()
    make_views()


def downgrade() -> None:
    for table in ('contact_view', 'trashed_contact', 'contact_bulk'):
        op.drop_table(table)
    for name in INDEXED:
        op.drop_index(op.f(f'ix_contact_workspace_id_{name}_id'), 'contact')
    op.drop_index(op.f('ix_contact_workspace_id_id'), 'contact')
    drop('contact', *KEYS)
    drop('event', 'takes_from', 'takes_to')
    drop('webhook', 'contacts_per_request')


def add(table: str, **columns: int) -> None:
    with op.batch_alter_table(table) as batch:
        for name, value in columns.items():
            batch.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default=str(value)))
    with op.batch_alter_table(table) as batch:
        for name in columns:
            batch.alter_column(name, existing_type=sa.Integer(), existing_nullable=False, server_default=None)


def drop(table: str, *columns: str) -> None:
    with op.batch_alter_table(table) as batch:
        for name in columns:
            batch.drop_column(name)


def fill() -> None:
    connection, last = op.get_bind(), None
    written = contact.update().where(contact.c.id == sa.bindparam('key')).values({n: sa.bindparam(f'new_{n}') for n in KEYS})
    while True:
        query = sa.select(contact.c.id, *(contact.c[name] for name in SAID)).order_by(contact.c.id).limit(BATCH)
        rows = connection.execute(query.where(contact.c.id > last) if last else query).all()
        if not rows:
            return
        last = rows[-1].id
        connection.execute(written, [
            {'key': row.id, **{f'new_{name}': value for name, value in keys_of(SimpleNamespace(**row._mapping)).items()}}
            for row in rows
        ])


def make_bulk() -> None:
    op.create_table(
        'contact_bulk',
        sa.Column('kind', sa.String(20), nullable=False),
        sa.Column('chosen', sa.JSON(), nullable=True),
        sa.Column('matching', sa.JSON(), nullable=False),
        sa.Column('change', sa.JSON(), nullable=False),
        sa.Column('deletion_id', sa.Uuid(), nullable=True),
        sa.Column('after_id', sa.Uuid(), nullable=True),
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('total', sa.Integer(), nullable=False),
        sa.Column('done', sa.Integer(), nullable=False),
        sa.Column('skipped', sa.JSON(), nullable=False),
        sa.Column('actor', sa.String(100), nullable=False),
        sa.Column('created_at', TIME, nullable=False),
        sa.Column('finished_at', TIME, nullable=True),
        sa.Column('is_stopped', sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_contact_bulk_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_contact_bulk')),
    )
    op.create_index(op.f('ix_contact_bulk_workspace_id_created_at'), 'contact_bulk', ['workspace_id', 'created_at'])
    op.create_index(
        'ix_contact_bulk_unfinished', 'contact_bulk', ['id'], sqlite_where=UNFINISHED, postgresql_where=UNFINISHED
    )


def make_trash() -> None:
    op.create_table(
        'trashed_contact',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('contact_id', sa.String(40), nullable=False),
        sa.Column('label', sa.String(254), nullable=False),
        sa.Column('deleted_at', TIME, nullable=False),
        sa.Column('deleted_by', sa.String(100), nullable=False),
        sa.Column('deletion_id', sa.Uuid(), nullable=True),
        sa.Column('facts', sa.JSON(), nullable=False),
        sa.Column('tags', sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_trashed_contact_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_trashed_contact')),
    )
    for columns in (['workspace_id', 'deleted_at', 'id'], ['workspace_id', 'deletion_id', 'id'], ['deleted_at']):
        op.create_index(op.f(f'ix_trashed_contact_{"_".join(columns)}'), 'trashed_contact', columns)


def make_views() -> None:
    op.create_table(
        'contact_view',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=True),
        sa.Column('name', sa.String(50), nullable=False),
        sa.Column('address', sa.JSON(), nullable=False),
        sa.Column('columns', sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_contact_view_user_id')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_contact_view_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_contact_view')),
    )
    op.create_index(op.f('ix_contact_view_workspace_id_user_id'), 'contact_view', ['workspace_id', 'user_id'])

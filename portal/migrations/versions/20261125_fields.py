"""Custom fields are defined per workspace, and contacts keep their values by field id; stages and priorities are lists; pictures."""

import json
import uuid

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

WORDS = {
    'lead_stage': ('Lead', 'Contact', 'Prospect', 'Customer', 'Former customer'),
    'priority': ('Low', 'Medium', 'High'),
}
DEFAULTS = {'lead_stage': 'Contact', 'priority': 'Medium'}

contact = sa.table(
    'contact', sa.column('id', sa.Uuid()), sa.column('workspace_id', sa.Uuid()), sa.column('custom_fields', sa.JSON())
)
custom_field = sa.table(
    'custom_field', sa.column('id', sa.Uuid()), sa.column('workspace_id', sa.Uuid()), sa.column('name', sa.String()),
    sa.column('type', sa.String()), sa.column('help', sa.String()), sa.column('is_required', sa.Boolean()),
    sa.column('is_visible', sa.Boolean()), sa.column('options', sa.JSON()), sa.column('position', sa.Integer()),
)
list_word = sa.table(
    'list_word', sa.column('id', sa.Uuid()), sa.column('workspace_id', sa.Uuid()), sa.column('kind', sa.String()),
    sa.column('name', sa.String()), sa.column('position', sa.Integer()), sa.column('is_default', sa.Boolean()),
)


def upgrade() -> None:
    op.create_table(
        'custom_field',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('name', sa.String(100), nullable=False),
        sa.Column('type', sa.String(20), nullable=False),
        sa.Column('length', sa.Integer(), nullable=True),
        sa.Column('help', sa.String(300), nullable=False),
        sa.Column('is_required', sa.Boolean(), nullable=False),
        sa.Column('is_visible', sa.Boolean(), nullable=False),
        sa.Column('options', sa.JSON(), nullable=False),
        sa.Column('position', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_custom_field_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_custom_field')),
    )
    op.create_index(op.f('ix_custom_field_workspace_id_position'), 'custom_field', ['workspace_id', 'position'])
    op.create_table(
        'list_word',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('kind', sa.String(20), nullable=False),
        sa.Column('name', sa.String(50), nullable=False),
        sa.Column('position', sa.Integer(), nullable=False),
        sa.Column('is_default', sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_list_word_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_list_word')),
        sa.UniqueConstraint('workspace_id', 'kind', 'name', name=op.f('uq_list_word_workspace_id_kind_name')),
    )
    op.create_table(
        'avatar',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('contact_id', sa.Uuid(), nullable=False),
        sa.Column('token', sa.String(43), nullable=False),
        sa.Column('kind', sa.String(20), nullable=False),
        sa.Column('data', sa.LargeBinary(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_avatar_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_avatar')),
        sa.UniqueConstraint('token', name=op.f('uq_avatar_token')),
    )
    op.create_index(op.f('ix_avatar_contact_id'), 'avatar', ['contact_id'])
    connection = op.get_bind()
    workspaces = connection.scalars(sa.select(sa.table('workspace', sa.column('id', sa.Uuid())).c.id)).all()
    if rows := [row for key in workspaces for row in words(key)]:
        connection.execute(list_word.insert(), rows)
    define(connection)
    if connection.dialect.name == 'postgresql':
        retype(postgresql.JSONB(), 'jsonb')


def retype(kind, name: str) -> None:
    op.alter_column('contact', 'custom_fields', type_=kind, postgresql_using=f'custom_fields::{name}')


def words(workspace_id) -> list:
    return [
        {'id': uuid.uuid4(), 'workspace_id': workspace_id, 'kind': kind, 'name': name, 'position': position,
         'is_default': name == DEFAULTS[kind]}
        for kind, names in WORDS.items() for position, name in enumerate(names)
    ]


def define(connection) -> None:
    """What contacts carried as a list of names and values become text fields of their workspace."""
    known: dict = {}
    text = sa.cast(contact.c.custom_fields, sa.Text())
    carrying = sa.select(contact).where(text.not_in(['[]', 'null']))
    for row in connection.execute(carrying).all():
        values = {}
        for one in row.custom_fields if isinstance(row.custom_fields, list) else ():
            name, value = str(one.get('name') or '')[:100], one.get('value')
            if name and value not in (None, '', []):
                key = known.setdefault((row.workspace_id, name), uuid.uuid4())
                values[str(key)] = value if isinstance(value, str) else json.dumps(value)
        connection.execute(contact.update().where(contact.c.id == row.id).values(custom_fields=values))
    connection.execute(contact.update().where(text.in_(['[]', 'null'])).values(custom_fields={}))
    if known:
        connection.execute(custom_field.insert(), [
            {'id': key, 'workspace_id': workspace_id, 'name': name, 'type': 'text', 'help': '', 'is_required': False,
             'is_visible': True, 'options': [], 'position': position}
            for position, ((workspace_id, name), key) in enumerate(known.items())
        ])


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == 'postgresql':
        retype(sa.JSON(), 'json')
    fields = {str(row.id): row for row in connection.execute(sa.select(custom_field))}
    for row in connection.execute(sa.select(contact)).all():
        values = [
            {'id': key, 'name': fields[key].name, 'type': fields[key].type, 'value': value}
            for key, value in (row.custom_fields or {}).items() if key in fields
        ]
        connection.execute(contact.update().where(contact.c.id == row.id).values(custom_fields=values))
    op.drop_table('avatar')
    op.drop_table('list_word')
    op.drop_table('custom_field')

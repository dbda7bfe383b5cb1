"""Imports of contacts: their files in pieces, how far they have come, and what was refused."""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

AT_WORK = sa.text("stage IN ('checking', 'running')")


def upgrade() -> None:
    op.create_table(
        'contact_import',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('actor', sa.String(100), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('stage', sa.String(20), nullable=False),
        sa.Column('filename', sa.String(200), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('encoding', sa.String(40), nullable=False),
        sa.Column('delimiter', sa.String(1), nullable=False),
        sa.Column('header_row', sa.Integer(), nullable=False),
        sa.Column('headers', sa.JSON(), nullable=False),
        sa.Column('samples', sa.JSON(), nullable=False),
        sa.Column('columns', sa.JSON(), nullable=False),
        sa.Column('match', sa.JSON(), nullable=False),
        sa.Column('tags', sa.JSON(), nullable=False),
        sa.Column('place', sa.Integer(), nullable=False),
        sa.Column('row', sa.Integer(), nullable=False),
        sa.Column('counts', sa.JSON(), nullable=False),
        sa.Column('forecast', sa.JSON(), nullable=True),
        sa.Column('problem', sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_contact_import_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_contact_import')),
    )
    op.create_index(
        op.f('ix_contact_import_workspace_id_created_at'), 'contact_import', ['workspace_id', 'created_at']
    )
    op.create_index(
        'ix_contact_import_work', 'contact_import', ['id'], sqlite_where=AT_WORK, postgresql_where=AT_WORK
    )
    make_part('chunk', ['position'], sa.Column('position', sa.Integer(), autoincrement=False, nullable=False),
              sa.Column('data', sa.LargeBinary(), nullable=False))
    make_part('key', ['key', 'row'], sa.Column('key', sa.LargeBinary(16), nullable=False),
              sa.Column('row', sa.Integer(), autoincrement=False, nullable=False),
              sa.Column('number', sa.String(40), nullable=False))
    make_part('refusal', ['row'], sa.Column('row', sa.Integer(), autoincrement=False, nullable=False),
              sa.Column('reason', sa.Text(), nullable=False), sa.Column('cells', sa.JSON(), nullable=False))


def make_part(name: str, keys: list[str], *columns: sa.Column) -> None:
    table = f'contact_import_{name}'
    op.create_table(
        table,
        sa.Column('import_id', sa.Uuid(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ['import_id'], ['contact_import.id'], ondelete='CASCADE', name=op.f(f'fk_{table}_import_id')
        ),
        sa.PrimaryKeyConstraint('import_id', *keys, name=op.f(f'pk_{table}')),
    )


def downgrade() -> None:
    for name in ('refusal', 'key', 'chunk'):
        op.drop_table(f'contact_import_{name}')
    op.drop_table('contact_import')

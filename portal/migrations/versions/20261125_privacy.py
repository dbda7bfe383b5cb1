"""Audit entries say from where and can't be changed; letters are sealed; contacts are erased for good."""

import sqlalchemy as sa
from alembic import op

from portal import audit, sealing

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

UNFINISHED = sa.text('finished_at IS NULL')
LETTER = sa.table(
    'letter',
    sa.column('id', sa.Uuid()),
    sa.column('body', sa.Text()),
    sa.column('sealed_body', sa.LargeBinary()),
    sa.column('sent_at', sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    with op.batch_alter_table('audit_entry') as entry:
        entry.add_column(sa.Column('label', sa.String(200), nullable=False, server_default=''))
        entry.add_column(sa.Column('address', sa.String(45), nullable=False, server_default=''))
        entry.add_column(sa.Column('browser', sa.String(40), nullable=False, server_default=''))
    with op.batch_alter_table('audit_entry') as entry:
        for name, length in (('label', 200), ('address', 45), ('browser', 40)):
            entry.alter_column(name, existing_type=sa.String(length), server_default=None)
        entry.drop_index(op.f('ix_audit_entry_workspace_id_at'))
        entry.create_index(op.f('ix_audit_entry_workspace_id_at_id'), ['workspace_id', 'at', 'id'])
    keep_entries()
    seal_letters()
    op.add_column('event', sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        'erasure',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('workspace_id', sa.Uuid(), nullable=False),
        sa.Column('contact_id', sa.Uuid(), nullable=False),
        sa.Column('actor', sa.String(100), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('after_id', sa.String(40), nullable=False),
        sa.Column('total', sa.Integer(), nullable=False),
        sa.Column('done', sa.Integer(), nullable=False),
        sa.Column('skipped', sa.JSON(), nullable=False),
        sa.Column('is_stopped', sa.Boolean(), nullable=False),
        sa.Column('canceled', sa.Integer(), nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_erasure_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_erasure')),
    )
    op.create_index(op.f('ix_erasure_workspace_id_contact_id'), 'erasure', ['workspace_id', 'contact_id'])
    op.create_index('ix_erasure_unfinished', 'erasure', ['id'], sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)


def keep_entries() -> None:
    """From now on the database refuses to change one, or to delete a young one."""
    for sql in audit.REFUSALS[op.get_bind().dialect.name]:
        op.execute(sql)


def seal_letters() -> None:
    """Letters carry links that let people in: those that wait are sealed, of those that were sent nothing stays."""
    op.add_column('letter', sa.Column('sealed_body', sa.LargeBinary(), nullable=True))
    connection = op.get_bind()
    for key, body, sent_at in connection.execute(sa.select(LETTER.c.id, LETTER.c.body, LETTER.c.sent_at)).all():
        sealed = sealing.seal('' if sent_at else body)
        connection.execute(sa.update(LETTER).where(LETTER.c.id == key).values(sealed_body=sealed))
    with op.batch_alter_table('letter') as letter:
        letter.alter_column('sealed_body', existing_type=sa.LargeBinary(), nullable=False)
        letter.drop_column('body')


def downgrade() -> None:
    op.drop_table('erasure')
    with op.batch_alter_table('event') as event:
        event.drop_column('erased_at')
    with op.batch_alter_table('letter') as letter:
        letter.add_column(sa.Column('body', sa.Text(), nullable=False, server_default=''))
        letter.drop_column('sealed_body')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('DROP FUNCTION audit_entry_stays() CASCADE')
    else:
        op.execute('DROP TRIGGER audit_entry_update')
        op.execute('DROP TRIGGER audit_entry_delete')
    with op.batch_alter_table('audit_entry') as entry:
        entry.drop_index(op.f('ix_audit_entry_workspace_id_at_id'))
        entry.create_index(op.f('ix_audit_entry_workspace_id_at'), ['workspace_id', 'at'])
        entry.drop_column('browser')
        entry.drop_column('address')
        entry.drop_column('label')

"""Persons of a batch may come under another key, and change in nothing else.

Revision: 0004
"""

from alembic import op

from services.kit.data.database import make_append_only

revision = "0004"
down_revision = "0003"

REFUSE_CHANGE = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'A submitted batch never changes.';
end $$;
create trigger batch_person_never_changes before update or delete or truncate on batch_person
    for each statement execute function refuse_change();
"""


def upgrade() -> None:
    """The register's hash proves that the document number is what it was."""
    op.execute("drop trigger batch_person_never_changes on batch_person")
    op.execute("drop function refuse_change()")
    make_append_only(op, "batch_person", ["document_number"], "A submitted batch never changes.")


def downgrade() -> None:
    """Lets nothing change again."""
    op.execute("drop trigger keep_batch_person on batch_person")
    op.execute("drop trigger keep_all_batch_person on batch_person")
    op.execute("drop function keep_batch_person()")
    op.execute(REFUSE_CHANGE)

"""Persons may be erased from batches that are older than the term; nothing else of a batch changes.

Revision: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_PERSONAL = "'{name,document_number,document_expiry,nationality,channel_reason}'::text[]"
_IS_ERASURE = f"""
    new.name = '（已删除）' and new.document_expiry is null and new.nationality is null and new.channel_reason is null
    and to_jsonb(new) - {_PERSONAL} = to_jsonb(old) - {_PERSONAL}
"""


def upgrade() -> None:
    """Nobody is erased yet. The database refuses to erase a person of a batch that is younger than three years."""
    op.add_column("batch", sa.Column("erased_register_hash", sa.String(), nullable=True))
    op.execute(
        """
        create function erase_batch_person() returns trigger language plpgsql as $$
        begin
            if exists (
                select from batch where batch_no = old.batch_no and submitted_at > now() - interval '1095 days'
            ) then
                raise exception 'The persons of a batch are kept for three years.';
            end if;
            return new;
        end $$
        """
    )
    op.execute("drop trigger keep_batch_person on batch_person")
    op.execute(
        f"create trigger keep_batch_person before update on batch_person for each row when (not ({_IS_ERASURE}))"
        " execute function keep_batch_person()"
    )
    op.execute(
        f"create trigger erase_batch_person before update on batch_person for each row when ({_IS_ERASURE})"
        " execute function erase_batch_person()"
    )


def downgrade() -> None:
    """Nobody can be erased any more; who was stays so."""
    op.execute("drop trigger erase_batch_person on batch_person")
    op.execute("drop function erase_batch_person()")
    op.execute("drop trigger keep_batch_person on batch_person")
    op.execute(
        "create trigger keep_batch_person before update on batch_person"
        " for each row execute function keep_batch_person()"
    )
    op.drop_column("batch", "erased_register_hash")

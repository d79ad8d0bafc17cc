"""Members are found by the end of their number, changed phones are remembered, previews may not name who is known.

Revision: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

EMPLOYED = sa.text("affiliation = 'employer'")


def upgrade() -> None:
    """Adds columns and indexes; membership fills the ends itself, and again where a former release changes a number."""
    op.add_column("member", sa.Column("document_end", sa.LargeBinary()))
    op.add_column("member", sa.Column("phone_changed_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_member_union_id_document_end",
        "member",
        ["union_id", "document_end", "member_id"],
        postgresql_where=EMPLOYED,
    )
    op.create_index(
        "ix_member_without_document_end", "member", ["member_id"], postgresql_where=sa.text("document_end is null")
    )
    op.execute(
        """
        create function forget_document_end() returns trigger language plpgsql as $$
        begin
            if new.document_digest is distinct from old.document_digest
                and new.document_end is not distinct from old.document_end
            then
                new.document_end := null;
            end if;
            return new;
        end $$
        """
    )
    op.execute(
        "create trigger forget_document_end before update of document_digest on member "
        "for each row execute function forget_document_end()"
    )
    op.add_column("import_job", sa.Column("hides_known", sa.Boolean(), nullable=False, server_default="false"))


def downgrade() -> None:
    """Takes them away."""
    op.drop_column("import_job", "hides_known")
    op.execute("drop trigger forget_document_end on member")
    op.execute("drop function forget_document_end()")
    op.drop_index("ix_member_without_document_end", "member")
    op.drop_index("ix_member_union_id_document_end", "member")
    op.drop_column("member", "phone_changed_at")
    op.drop_column("member", "document_end")

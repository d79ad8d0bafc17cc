"""First tables of membership.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText, create_messaging_tables, drop_messaging_tables

revision = "0001"
down_revision = None

# Costly, so that the text of an address is compared before its fragments are made.
FRAGMENTS = """
create function fragments(words text) returns text[] language sql immutable strict parallel safe cost 600 as $$
    select array(
        select distinct substr(words, start, size)
        from generate_series(2, 3) size, generate_series(1, length(words) - size + 1) start
    )
$$;
"""
# How often each fragment occurs.
STATISTICS = "create statistics member_address_fragments on (fragments(address)) from member"
EMPLOYED = sa.text("affiliation = 'employer'")


def upgrade() -> None:
    """Makes the tables, the sequence of member numbers, and what addresses are searched by."""
    create_messaging_tables(op)
    op.execute("create extension if not exists btree_gin")
    op.execute(FRAGMENTS)
    op.execute("create sequence member_no start 70000001 maxvalue 9999999999")
    op.create_table(
        "union",
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("superior_union_id", sa.Uuid(), nullable=True),
        sa.Column("superior_ids", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["superior_union_id"], ["union.union_id"], name="fk_union_superior_union_id"),
        sa.PrimaryKeyConstraint("union_id", name="pk_union"),
        sa.UniqueConstraint("code", name="uq_union_code"),
    )
    op.create_index("ix_union_superior_ids", "union", ["superior_ids"], postgresql_using="gin")
    op.create_index("ix_union_superior_union_id", "union", ["superior_union_id"])
    op.create_table(
        "account",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("account_name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["union_id"], ["union.union_id"], name="fk_account_union_id"),
        sa.PrimaryKeyConstraint("account_id", name="pk_account"),
        sa.UniqueConstraint("account_name", name="uq_account_account_name"),
    )
    op.create_index("ix_account_union_id", "account", ["union_id"])
    op.create_table(
        "import_job",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), server_default="running", nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("rows_read", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_accepted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_rejected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["union_id"], ["union.union_id"], name="fk_import_job_union_id"),
        sa.PrimaryKeyConstraint("import_id", name="pk_import_job"),
    )
    op.create_index("ix_import_job_union_id_import_id", "import_job", ["union_id", "import_id"])
    op.create_table(
        "member",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("member_no", sa.String(), nullable=True),
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("document_type", sa.String(), nullable=False),
        sa.Column("document_number", EncryptedText(), nullable=False),
        sa.Column("document_digest", sa.LargeBinary(), nullable=False),
        sa.Column("document_expiry", sa.Date(), nullable=True),
        sa.Column("document_issued", sa.Date(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("sex", sa.String(), nullable=True),
        sa.Column("nationality", sa.String(), nullable=True),
        sa.Column("phone", EncryptedText(), nullable=True),
        sa.Column("phone_digest", sa.LargeBinary(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("retirement_category", sa.String(), nullable=True),
        sa.Column("special_retirement_month", sa.Date(), nullable=True),
        sa.Column("affiliation", sa.String(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("card_state", sa.String(), server_default="none", nullable=False),
        sa.Column("card_no", EncryptedText(), nullable=True),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["union_id"], ["union.union_id"], name="fk_member_union_id"),
        sa.PrimaryKeyConstraint("member_id", name="pk_member"),
        sa.UniqueConstraint("document_digest", name="uq_member_document_digest"),
        sa.UniqueConstraint("member_no", name="uq_member_member_no"),
    )
    op.create_index(
        "ix_member_phone_digest", "member", ["phone_digest"], postgresql_where=sa.text("phone_digest IS NOT NULL")
    )
    op.create_index("ix_member_union_id", "member", ["union_id", "member_id"], postgresql_where=EMPLOYED)
    op.create_index(
        "ix_member_union_id_address",
        "member",
        ["union_id", sa.text("fragments(address)")],
        postgresql_using="gin",
        postgresql_where=EMPLOYED,
    )
    op.create_index(
        "ix_member_union_id_applied_at", "member", ["union_id", "applied_at", "member_id"], postgresql_where=EMPLOYED
    )
    op.create_index(
        "ix_member_union_id_card_state", "member", ["union_id", "card_state", "member_id"], postgresql_where=EMPLOYED
    )
    op.create_index(
        "ix_member_union_id_channel", "member", ["union_id", "channel", "member_id"], postgresql_where=EMPLOYED
    )
    op.create_index("ix_member_union_id_name", "member", ["union_id", "name", "member_id"], postgresql_where=EMPLOYED)
    op.create_index("ix_member_union_id_sex", "member", ["union_id", "sex", "member_id"], postgresql_where=EMPLOYED)
    op.create_index(
        "ix_member_without_number",
        "member",
        ["union_id", "member_id"],
        postgresql_where=sa.text("member_no IS NULL AND affiliation = 'employer'"),
    )
    op.execute(STATISTICS)
    op.create_table(
        "application",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), server_default="queued", nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("channel", sa.String(), server_default="ordinary", nullable=False),
        sa.Column("batch_no", sa.String(), nullable=True),
        sa.Column("queued_by", sa.Uuid(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outlet_code", sa.String(), nullable=True),
        sa.Column("consent_version", sa.String(), nullable=True),
        sa.Column("consented_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="fk_application_member_id"),
        sa.ForeignKeyConstraint(["union_id"], ["union.union_id"], name="fk_application_union_id"),
        sa.PrimaryKeyConstraint("application_id", name="pk_application"),
    )
    op.create_index("ix_application_member_id_application_id", "application", ["member_id", "application_id"])
    op.create_index("ix_application_union_id_queued_at", "application", ["union_id", "queued_at"])
    op.create_index(
        "uq_application_issued_member_id",
        "application",
        ["member_id"],
        unique=True,
        postgresql_where=sa.text("state = 'issued'"),
    )
    op.create_index(
        "uq_application_live_member_id",
        "application",
        ["member_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'submitted')"),
    )
    op.create_table(
        "import_row",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("cells", EncryptedText(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_job.import_id"], name="fk_import_row_import_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("import_id", "row_no", name="pk_import_row"),
    )
    op.create_index(
        "ix_import_row_waiting", "import_row", ["import_id", "row_no"], postgresql_where=sa.text("reason IS NULL")
    )
    op.create_table(
        "one_time_password",
        sa.Column("phone_digest", sa.LargeBinary(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="fk_one_time_password_member_id"),
        sa.PrimaryKeyConstraint("phone_digest", name="pk_one_time_password"),
    )
    op.create_table(
        "application_history",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.application_id"], name="fk_application_history_application_id"
        ),
        sa.PrimaryKeyConstraint("application_id", "version", name="pk_application_history"),
    )
    op.create_index("ix_application_history_union_id_at", "application_history", ["union_id", "at"])


def downgrade() -> None:
    """Drops them again."""
    for table in (
        "application_history",
        "one_time_password",
        "import_row",
        "application",
        "member",
        "import_job",
        "account",
        "union",
    ):
        op.drop_table(table)
    op.execute("drop sequence member_no")
    op.execute("drop function fragments")
    drop_messaging_tables(op)

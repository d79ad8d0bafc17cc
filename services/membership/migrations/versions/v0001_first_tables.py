"""First tables of membership.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.common.persistence import EncryptedText, create_messaging_tables, drop_messaging_tables

revision = "0001"
down_revision = None

BIGRAMS = """
create function bigrams(text) returns text[] language sql immutable strict parallel safe as $$
    select array(select distinct substr($1, position, 2) from generate_series(1, length($1) - 1) as position)
$$;
comment on function bigrams is
    'The pairs of neighbouring characters: what a part of a Chinese text is found by, where trigrams are too long.';
"""
LISTED = sa.text("affiliation = 'employer'")


def upgrade() -> None:
    """Makes the tables, the sequence of member numbers, and what the search by address needs."""
    create_messaging_tables(op)
    op.execute("create extension if not exists btree_gin")
    op.execute(BIGRAMS)
    op.execute(sa.schema.CreateSequence(sa.Sequence("member_number", start=70_000_001)))
    _create_unions_and_accounts()
    _create_members()
    _create_applications()
    _create_imports()
    op.create_table(
        "one_time_password",
        sa.Column("phone_digest", sa.LargeBinary(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("phone_digest", name="pk_one_time_password"),
    )


def downgrade() -> None:
    """Drops them all."""
    for table in (
        "one_time_password",
        "rejected_row",
        "import_chunk",
        "member_import",
        "application_step",
        "application",
        "member",
        "account",
        "trade_union",
    ):
        op.drop_table(table)
    op.execute(sa.schema.DropSequence(sa.Sequence("member_number")))
    op.execute("drop function bigrams")
    drop_messaging_tables(op)


def _create_unions_and_accounts() -> None:
    op.create_table(
        "trade_union",
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("superior_union_id", sa.Uuid(), nullable=True),
        sa.Column("lineage", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.ForeignKeyConstraint(
            ["superior_union_id"], ["trade_union.union_id"], name="fk_trade_union_superior_union_id"
        ),
        sa.PrimaryKeyConstraint("union_id", name="pk_trade_union"),
        sa.UniqueConstraint("code", name="uq_trade_union_code"),
    )
    op.create_index("ix_trade_union_superior_union_id", "trade_union", ["superior_union_id"])
    op.create_index("ix_trade_union_lineage", "trade_union", ["lineage"], postgresql_using="gin")
    op.create_table(
        "account",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("account_name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(["union_id"], ["trade_union.union_id"], name="fk_account_union_id"),
        sa.PrimaryKeyConstraint("account_id", name="pk_account"),
        sa.UniqueConstraint("account_name", name="uq_account_account_name"),
    )
    op.create_index("ix_account_union_id", "account", ["union_id"])


def _create_members() -> None:
    op.create_table(
        "member",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("member_no", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
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
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("card_state", sa.String(), server_default="none", nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("card_no", EncryptedText(), nullable=True),
        sa.ForeignKeyConstraint(["union_id"], ["trade_union.union_id"], name="fk_member_union_id"),
        sa.PrimaryKeyConstraint("member_id", name="pk_member"),
        sa.UniqueConstraint("member_no", name="uq_member_member_no"),
        sa.UniqueConstraint("document_digest", name="uq_member_document_digest"),
    )
    for name, columns in {
        "ix_member_union_id": ["union_id", "member_id"],
        "ix_member_union_id_card_state": ["union_id", "card_state", "member_id"],
        "ix_member_union_id_sex": ["union_id", "sex", "member_id"],
        "ix_member_union_id_channel": ["union_id", "channel", "member_id"],
        "ix_member_union_id_applied_at": ["union_id", "applied_at", "member_id"],
    }.items():
        op.create_index(name, "member", columns, postgresql_where=LISTED)
    op.create_index(
        "ix_member_union_id_name",
        "member",
        ["union_id", "name", "member_id"],
        postgresql_ops={"name": "text_pattern_ops"},
        postgresql_where=LISTED,
    )
    op.create_index(
        "ix_member_address_bigrams",
        "member",
        ["union_id", sa.text("bigrams(address)")],
        postgresql_using="gin",
        postgresql_where=LISTED,
    )
    op.create_index(
        "ix_member_phone_digest", "member", ["phone_digest"], postgresql_where=sa.text("phone_digest is not null")
    )


def _create_applications() -> None:
    op.create_table(
        "application",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("queued_by", sa.Uuid(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), server_default="queued", nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("channel", sa.String(), server_default="ordinary", nullable=False),
        sa.Column("channel_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("batch_no", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outlet_code", sa.String(), nullable=True),
        sa.Column("consent_version", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="fk_application_member_id"),
        sa.PrimaryKeyConstraint("application_id", name="pk_application"),
    )
    op.create_index("ix_application_member_id", "application", ["member_id", "application_id"])
    op.create_index("ix_application_union_id_queued_at", "application", ["union_id", "queued_at"])
    op.create_index(
        "ix_application_union_id_decided_at",
        "application",
        ["union_id", "decided_at"],
        postgresql_where=sa.text("decided_at is not null"),
    )
    op.create_index(
        "uq_application_live_member_id",
        "application",
        ["member_id"],
        unique=True,
        postgresql_where=sa.text("state in ('queued', 'submitted')"),
    )
    op.create_index(
        "uq_application_issued_member_id",
        "application",
        ["member_id"],
        unique=True,
        postgresql_where=sa.text("state = 'issued'"),
    )
    op.create_table(
        "application_step",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.application_id"], name="fk_application_step_application_id"
        ),
        sa.PrimaryKeyConstraint("application_id", "version", "state", name="pk_application_step"),
    )


def _create_imports() -> None:
    op.create_table(
        "member_import",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("headings", postgresql.ARRAY(sa.String()), server_default="{}", nullable=False),
        sa.Column("state", sa.String(), server_default="running", nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("rows_read", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_accepted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_rejected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["union_id"], ["trade_union.union_id"], name="fk_member_import_union_id"),
        sa.PrimaryKeyConstraint("import_id", name="pk_member_import"),
    )
    op.create_index("ix_member_import_union_id", "member_import", ["union_id", "import_id"])
    op.create_table(
        "import_chunk",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("chunk_no", sa.Integer(), nullable=False),
        sa.Column("rows", EncryptedText(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["member_import.import_id"], name="fk_import_chunk_import_id"),
        sa.PrimaryKeyConstraint("import_id", "chunk_no", name="pk_import_chunk"),
    )
    op.create_table(
        "rejected_row",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("cells", EncryptedText(), nullable=False),
        sa.Column("reasons", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["member_import.import_id"], name="fk_rejected_row_import_id"),
        sa.PrimaryKeyConstraint("import_id", "row_no", name="pk_rejected_row"),
    )

"""First tables of batching.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText, create_messaging_tables, drop_messaging_tables

revision = "0001"
down_revision = None

REFUSE_CHANGE = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'A submitted batch never changes.';
end $$;
create trigger batch_person_never_changes before update or delete or truncate on batch_person
    for each statement execute function refuse_change();
"""


def upgrade() -> None:
    """Makes the tables; the persons of a batch cannot be changed or deleted afterwards."""
    create_messaging_tables(op)
    op.create_table(
        "bank_feedback",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("feedback_id", sa.String(), nullable=False),
        sa.Column("batch_no", sa.String(), nullable=False),
        sa.Column("results", sa.Integer(), nullable=False),
        sa.Column("applied", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bank_feedback"),
    )
    op.create_index("ix_bank_feedback_batch_no", "bank_feedback", ["batch_no"])
    op.create_index("ix_bank_feedback_feedback_id", "bank_feedback", ["feedback_id"])
    op.create_table(
        "batch_counter",
        sa.Column("union_code", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("union_code", "day", name="pk_batch_counter"),
    )
    op.create_table(
        "branch",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("charset", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_branch"),
    )
    op.create_table(
        "outlet",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("branch_code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("district", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["branch_code"], ["branch.code"], name="fk_outlet_branch_code"),
        sa.PrimaryKeyConstraint("code", name="pk_outlet"),
    )
    op.create_index("ix_outlet_branch_code", "outlet", ["branch_code"])
    op.create_table(
        "batch",
        sa.Column("batch_no", sa.String(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("union_code", sa.String(), nullable=False),
        sa.Column("union_name", sa.String(), nullable=False),
        sa.Column("superior_union_id", sa.Uuid(), nullable=True),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("branch_code", sa.String(), nullable=False),
        sa.Column("outlet_code", sa.String(), nullable=False),
        sa.Column("outlet_name", sa.String(), nullable=False),
        sa.Column("outlet_address", sa.String(), nullable=False),
        sa.Column("contact_name", EncryptedText(), nullable=False),
        sa.Column("contact_phone", EncryptedText(), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count_month", sa.String(), nullable=False),
        sa.Column("register_hash", sa.String(), nullable=False),
        sa.Column("register_state", sa.String(), server_default="unprinted", nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("issued", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refused", sa.Integer(), server_default="0", nullable=False),
        sa.Column("released", sa.Integer(), server_default="0", nullable=False),
        sa.Column("feedback_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revocation_state", sa.String(), nullable=True),
        sa.Column("revocation_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["branch_code"], ["branch.code"], name="fk_batch_branch_code"),
        sa.ForeignKeyConstraint(["outlet_code"], ["outlet.code"], name="fk_batch_outlet_code"),
        sa.PrimaryKeyConstraint("batch_no", name="pk_batch"),
    )
    op.create_index("ix_batch_superior_union_id_submitted_at", "batch", ["superior_union_id", "submitted_at"])
    op.create_index("ix_batch_union_id_submitted_at", "batch", ["union_id", "submitted_at"])
    op.create_table(
        "application",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("member_no", sa.String(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("personal", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("document_type", sa.String(), nullable=False),
        sa.Column("document_number", EncryptedText(), nullable=False),
        sa.Column("document_digest", sa.LargeBinary(), nullable=False),
        sa.Column("document_expiry", sa.Date(), nullable=True),
        sa.Column("nationality", sa.String(), nullable=True),
        sa.Column("other_facts", EncryptedText(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("channel_reason", sa.String(), nullable=True),
        sa.Column("state", sa.String(), server_default="queued", nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("check_state", sa.String(), server_default="unchecked", nullable=False),
        sa.Column("check_no", sa.Integer(), server_default="0", nullable=False),
        sa.Column("findings", EncryptedText(), nullable=True),
        sa.Column("batch_no", sa.String(), nullable=True),
        sa.Column("bank_outcome", sa.String(), nullable=True),
        sa.Column("card_no", EncryptedText(), nullable=True),
        sa.Column("card_digest", sa.LargeBinary(), nullable=True),
        sa.Column("reason_code", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["batch_no"], ["batch.batch_no"], name="fk_application_batch_no"),
        sa.PrimaryKeyConstraint("application_id", name="pk_application"),
    )
    op.create_index(
        "ix_application_batch_no_member_no",
        "application",
        ["batch_no", "member_no"],
        postgresql_where=sa.text("batch_no IS NOT NULL"),
    )
    op.create_index(
        "ix_application_pending",
        "application",
        ["union_id", "channel", "listed_at", "application_id"],
        postgresql_where=sa.text("state = 'queued' AND personal IS false"),
    )
    op.create_index("uq_application_card_digest", "application", ["card_digest"], unique=True)
    op.create_index(
        "uq_application_issued_member_id",
        "application",
        ["member_id"],
        unique=True,
        postgresql_where=sa.text("state = 'issued'"),
    )
    op.create_table(
        "batch_person",
        sa.Column("batch_no", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("member_no", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("document_type", sa.String(), nullable=False),
        sa.Column("document_number", EncryptedText(), nullable=False),
        sa.Column("document_expiry", sa.Date(), nullable=True),
        sa.Column("nationality", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.application_id"], name="fk_batch_person_application_id"
        ),
        sa.ForeignKeyConstraint(["batch_no"], ["batch.batch_no"], name="fk_batch_person_batch_no"),
        sa.PrimaryKeyConstraint("batch_no", "position", name="pk_batch_person"),
        sa.UniqueConstraint("application_id", name="uq_batch_person_application_id"),
    )
    op.create_table(
        "personal_application",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("applied_by", sa.Uuid(), nullable=False),
        sa.Column("outlet_code", sa.String(), nullable=False),
        sa.Column("union_code", sa.String(), nullable=False),
        sa.Column("union_name", sa.String(), nullable=False),
        sa.Column("superior_union_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.application_id"], name="fk_personal_application_application_id"
        ),
        sa.PrimaryKeyConstraint("application_id", name="pk_personal_application"),
    )
    op.execute(REFUSE_CHANGE)


def downgrade() -> None:
    """Drops them all."""
    op.drop_table("personal_application")
    op.drop_table("batch_person")
    op.drop_table("application")
    op.drop_table("batch")
    op.drop_table("outlet")
    op.drop_table("branch")
    op.drop_table("batch_counter")
    op.drop_table("bank_feedback")
    op.execute("drop function refuse_change()")
    drop_messaging_tables(op)

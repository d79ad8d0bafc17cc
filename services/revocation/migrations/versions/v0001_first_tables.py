"""First tables of revocation.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText, create_messaging_tables, drop_messaging_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    create_messaging_tables(op)
    op.create_table(
        "batch",
        sa.Column("batch_no", sa.String(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("union_code", sa.String(), nullable=False),
        sa.Column("union_name", sa.String(), nullable=False),
        sa.Column("superior_union_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("outlet_name", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("batch_no", name="pk_batch"),
    )
    op.create_table(
        "application",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("batch_no", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("application_id", name="pk_application"),
    )
    op.create_index("ix_application_batch_no_state", "application", ["batch_no", "state"])
    op.create_table(
        "revocation",
        sa.Column("revocation_id", sa.Uuid(), nullable=False),
        sa.Column("batch_no", sa.String(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer_union_id", sa.Uuid(), nullable=False),
        sa.Column("applicant_name", EncryptedText(), nullable=False),
        sa.Column("applicant_phone", EncryptedText(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remark", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("revocation_id", name="pk_revocation"),
    )
    op.create_index("ix_revocation_union_id_requested_at", "revocation", ["union_id", "requested_at"])
    op.create_index("ix_revocation_reviewer_union_id_requested_at", "revocation", ["reviewer_union_id", "requested_at"])
    op.create_index(
        "uq_revocation_open_batch_no",
        "revocation",
        ["batch_no"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
    )


def downgrade() -> None:
    """Drops the tables."""
    op.drop_table("revocation")
    op.drop_table("application")
    op.drop_table("batch")
    drop_messaging_tables(op)

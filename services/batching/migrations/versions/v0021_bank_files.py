"""Branches may take files instead of messages.

Revision: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
serves_from = "0018"


def upgrade() -> None:
    """All branches take messages, as before."""
    op.add_column("branch", sa.Column("by_file", sa.Boolean(), nullable=False, server_default="false"))
    op.add_column("branch", sa.Column("file_password", sa.LargeBinary(), nullable=True))
    op.add_column("branch", sa.Column("former_file_password", sa.LargeBinary(), nullable=True))
    op.add_column("branch", sa.Column("file_password_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "bank_file",
        sa.Column("file_id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("batch_no", sa.String(), sa.ForeignKey("batch.batch_no"), nullable=False, index=True),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now(), index=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetched_by", sa.String(), nullable=True),
        sa.Index("ix_bank_file_unfetched", "made_at", postgresql_where=sa.text("fetched_at is null")),
    )
    op.create_table(
        "bank_result_file",
        sa.Column("result_file_id", sa.Uuid(), primary_key=True),
        sa.Column("branch_code", sa.String(), sa.ForeignKey("branch.code"), nullable=False, index=True),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now(), index=True),
        sa.Column("uploaded_by", sa.String(), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("lines", "applied", "repeated", "rejected", "skipped")
        ),
        sa.Column("rejections", sa.String(), nullable=False),
        sa.Column("not_read", sa.String(), nullable=False),
    )
    op.add_column(
        "bank_feedback",
        sa.Column("result_file_id", sa.Uuid(), sa.ForeignKey("bank_result_file.result_file_id"), nullable=True),
    )


def downgrade() -> None:
    """Forgets the files; batches of branches that take no messages are sent as messages again."""
    op.drop_column("bank_feedback", "result_file_id")
    op.drop_table("bank_result_file")
    op.drop_table("bank_file")
    for name in ("file_password_at", "former_file_password", "file_password", "by_file"):
        op.drop_column("branch", name)

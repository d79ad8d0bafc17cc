"""Requests of members for a copy of their data, or for their erasure.

Revision: 0034
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Nobody has asked, and nobody is erased yet."""
    op.add_column("member", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "subject_request",
        sa.Column("request_id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), sa.ForeignKey("member.member_id"), nullable=False, index=True),
        sa.Column("member_no", sa.String(), nullable=False),
        sa.Column("union_id", sa.Uuid(), sa.ForeignKey("union.union_id"), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("account.account_id"), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Index("ix_subject_request_union_id_requested_at", "union_id", "requested_at"),
        sa.Index(
            "uq_subject_request_open",
            "member_id",
            "kind",
            unique=True,
            postgresql_where=sa.text("state in ('requested', 'working')"),
        ),
    )
    op.create_table(
        "subject_answer",
        sa.Column("request_id", sa.Uuid(), sa.ForeignKey("subject_request.request_id"), primary_key=True),
        sa.Column("service", sa.String(), primary_key=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("parts", sa.String(), nullable=False),
    )
    op.create_table(
        "subject_copy",
        sa.Column("request_id", sa.Uuid(), sa.ForeignKey("subject_request.request_id"), primary_key=True),
        sa.Column("service", sa.String(), primary_key=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("sheets", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Forgets the requests; erased members stay without a person."""
    for table in ("subject_copy", "subject_answer", "subject_request"):
        op.drop_table(table)
    op.drop_column("member", "erased_at")

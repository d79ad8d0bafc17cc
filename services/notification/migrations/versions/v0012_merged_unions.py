"""Unions that ended or were merged into others, and whose reviewers were told of a request last.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """No union has been merged yet, nor a request been given to other reviewers."""
    op.add_column("report_union", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("report_union", sa.Column("successor_union_id", sa.Uuid(), nullable=True))
    op.create_index("ix_report_union_successor_union_id", "report_union", ["successor_union_id"])
    op.create_table(
        "told_reviewers",
        sa.Column("revocation_id", sa.Uuid(), nullable=False),
        sa.Column("assignment", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("revocation_id", name="pk_told_reviewers"),
        sa.Index("ix_told_reviewers_told_at", "told_at"),
    )


def downgrade() -> None:
    """Forgets them; what was a merged union's stays with its successor."""
    op.drop_table("told_reviewers")
    op.drop_column("report_union", "successor_union_id")
    op.drop_column("report_union", "ended_at")

"""Contents of feedback: by their digests another content under a known id is rejected; and when the bank decided.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Feedback of before has neither: its ids may come again with anything."""
    op.add_column("bank_feedback", sa.Column("content_digest", sa.LargeBinary(), nullable=True))
    op.add_column("bank_feedback", sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "uq_bank_feedback_content",
        "bank_feedback",
        ["feedback_id"],
        unique=True,
        postgresql_where=sa.text("content_digest is not null"),
    )


def downgrade() -> None:
    """Forgets both."""
    op.drop_index("uq_bank_feedback_content", "bank_feedback")
    op.drop_column("bank_feedback", "processed_at")
    op.drop_column("bank_feedback", "content_digest")

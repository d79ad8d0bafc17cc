"""Lists in the order of a column: indexes of the pending list and of batches; batches by the end of their number.

Revision: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

PENDING = sa.text("state = 'queued' and personal is false")
OF_PENDING = {"member_no": "member_no", "name": "name", "document_expiry": "document_expiry nulls first"}
OF_BATCHES = {"total": "total", "issued": "issued", "feedback_at": "feedback_at nulls first"}


def upgrade() -> None:
    """Makes the indexes; until they are made, who writes applications or batches waits."""
    for name, column in OF_PENDING.items():
        columns = [sa.text(one) for one in ("union_id", "channel", column, "application_id")]
        op.create_index(f"ix_application_pending_{name}", "application", columns, postgresql_where=PENDING)
    for name, column in OF_BATCHES.items():
        op.create_index(f"ix_batch_{name}_batch_no", "batch", [sa.text(column), "batch_no"])
    op.create_index("ix_batch_reversed_batch_no", "batch", [sa.text("reverse(batch_no) text_pattern_ops")])


def downgrade() -> None:
    """Drops them."""
    op.drop_index("ix_batch_reversed_batch_no", "batch")
    for name in OF_BATCHES:
        op.drop_index(f"ix_batch_{name}_batch_no", "batch")
    for name in OF_PENDING:
        op.drop_index(f"ix_application_pending_{name}", "application")

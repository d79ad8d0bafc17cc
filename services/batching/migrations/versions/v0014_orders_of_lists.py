"""Lists in the order of a column: indexes of the pending list and of batches; batches by the end of their number.

Revision: 0014
"""

from alembic import op
from sqlalchemy import Connection

from services.kit.data.schema.online_steps import add_index

revision = "0014"
down_revision = "0013"

_OF_PENDING = {"member_no": "member_no", "name": "name", "document_expiry": "document_expiry nulls first"}
_OF_BATCHES = {"total": "total", "issued": "issued", "feedback_at": "feedback_at nulls first"}


def prepare(connection: Connection) -> None:
    """Builds the indexes while others write."""
    pending = "state = 'queued' and personal is false"
    for name, column in _OF_PENDING.items():
        columns = f"union_id, channel, {column}, application_id"
        add_index(connection, f"ix_application_pending_{name}", f"application ({columns}) where {pending}")
    for name, column in _OF_BATCHES.items():
        add_index(connection, f"ix_batch_{name}_batch_no", f"batch ({column}, batch_no)")
    add_index(connection, "ix_batch_reversed_batch_no", "batch (reverse(batch_no) text_pattern_ops)")


def upgrade() -> None:
    """Nothing besides: the indexes are built."""


def downgrade() -> None:
    """Drops them."""
    op.drop_index("ix_batch_reversed_batch_no", "batch")
    for name in _OF_BATCHES:
        op.drop_index(f"ix_batch_{name}_batch_no", "batch")
    for name in _OF_PENDING:
        op.drop_index(f"ix_application_pending_{name}", "application")

"""A batch is kept as it was submitted, so that batching can learn it after a restore.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_COLUMNS = {
    "outlet_code": sa.String,
    "submitted_by": sa.Uuid,
    "contact_name": sa.LargeBinary,
    "contact_phone": sa.LargeBinary,
}


def upgrade() -> None:
    """Adds what `batch_submitted` says and was not kept; batches from before lack it."""
    op.add_column("batch", sa.Column("personal", sa.Boolean, nullable=False, server_default="false"))
    for name, kind in _COLUMNS.items():
        op.add_column("batch", sa.Column(name, kind))


def downgrade() -> None:
    """Forgets it."""
    for name in ("personal", *_COLUMNS):
        op.drop_column("batch", name)

"""Batches know all unions above theirs, so that each of these sees the requests to revoke them.

Of older batches only the direct superior is known.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the unions above and fills in the one that is known."""
    op.add_column("batch", sa.Column("superior_ids", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False))
    op.execute("update batch set superior_ids = array[superior_union_id] where superior_union_id is not null")
    op.create_index("ix_batch_superior_ids", "batch", ["superior_ids"], postgresql_using="gin")


def downgrade() -> None:
    """Knows the direct superior alone."""
    op.drop_index("ix_batch_superior_ids", "batch")
    op.drop_column("batch", "superior_ids")

"""Batches know all unions above theirs, so that each of these finds them.

Of older batches only the direct superior is known.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the unions above, fills in the one that is known, and indexes what lists and counts ask for."""
    for table in ("batch", "personal_application"):
        op.add_column(table, sa.Column("superior_ids", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False))
    op.execute("update batch set superior_ids = array[superior_union_id] where superior_union_id is not null")
    op.execute(
        "update personal_application set superior_ids = array[superior_union_id] where superior_union_id is not null"
    )
    op.drop_index("ix_batch_superior_union_id_submitted_at", "batch")
    op.create_index("ix_batch_superior_ids", "batch", ["superior_ids"], postgresql_using="gin")
    op.create_index("ix_batch_submitted_at_batch_no", "batch", ["submitted_at", "batch_no"])
    op.create_index(
        "ix_application_refused_batch_no", "application", ["batch_no"], postgresql_where=sa.text("state = 'refused'")
    )


def downgrade() -> None:
    """Knows the direct superior alone."""
    op.drop_index("ix_application_refused_batch_no", "application")
    op.drop_index("ix_batch_submitted_at_batch_no", "batch")
    op.drop_index("ix_batch_superior_ids", "batch")
    op.create_index("ix_batch_superior_union_id_submitted_at", "batch", ["superior_union_id", "submitted_at"])
    for table in ("batch", "personal_application"):
        op.drop_column(table, "superior_ids")

"""Cards are found by the beginning of their holder's name in unions of any number; refusals are counted in an index.

Revision: 0023
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.schema.online_steps import add_index

revision = "0023"
down_revision = "0022"


def prepare(connection: sa.Connection) -> None:
    """Builds the indexes while others write."""
    name = 'lower(name collate "und-x-icu") text_pattern_ops'
    add_index(connection, "ix_application_issued_name", f"application ({name}, application_id) where state = 'issued'")
    reasons = "application (batch_no, reason_code, reason) where state = 'refused'"
    add_index(connection, "ix_application_refused_reason", reasons)


def upgrade() -> None:
    """The index that holds the batches of refusals alone is not needed any more."""
    op.drop_index("ix_application_refused_batch_no", "application")


def downgrade() -> None:
    """Indexes the batches of refusals alone."""
    op.create_index(
        "ix_application_refused_batch_no", "application", ["batch_no"], postgresql_where=sa.text("state = 'refused'")
    )
    op.drop_index("ix_application_refused_reason", "application")
    op.drop_index("ix_application_issued_name", "application")

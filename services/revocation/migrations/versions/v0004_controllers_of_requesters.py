"""A request knows which administrators controlled the account that made it: nobody they control decides on it.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the column; of earlier requests nothing is known."""
    op.add_column(
        "revocation", sa.Column("requester_controllers", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False)
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_column("revocation", "requester_controllers")

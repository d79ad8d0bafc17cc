"""Checks know the rules that were not met, for reports that outlast the findings.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
serves_from = "0005"


def upgrade() -> None:
    """Adds the column; a rebuild of the reports fills it for checks of before."""
    op.add_column("application_check", sa.Column("rules", sa.String(), nullable=True))


def downgrade() -> None:
    """Drops it."""
    op.drop_column("application_check", "rules")

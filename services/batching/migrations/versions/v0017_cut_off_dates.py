"""Banks may have a cut-off day of their own, and dates for single months.

Revision: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Until a bank has a day of its own, that of the settings counts, as before."""
    op.add_column("branch", sa.Column("cut_off_day", sa.Integer(), nullable=True))
    op.add_column("branch", sa.Column("cut_off_dates", sa.ARRAY(sa.Date()), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Forgets them."""
    op.drop_column("branch", "cut_off_dates")
    op.drop_column("branch", "cut_off_day")

"""SMS that were sent or failed are kept by month.

Revision: 0007
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText
from services.kit.data.months import CURRENT_MONTH, create_add_month, create_drop_month, months_ahead

revision = "0007"
down_revision = "0006"

_TIME = sa.DateTime(timezone=True)
_SIX_MONTHS = 180


def upgrade() -> None:
    """Makes the table with its months; the service moves there what is settled."""
    op.create_table(
        "past_sms",
        sa.Column("sms_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), server_default=sa.text(CURRENT_MONTH), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=False),
        sa.Column("text", EncryptedText(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("sent_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("sms_id", "month", name="pk_past_sms"),
        postgresql_partition_by="RANGE (month)",
    )
    create_add_month(op)
    create_drop_month(op, ["past_sms"], _SIX_MONTHS)
    for month in months_ahead(datetime.now(UTC)):
        op.get_bind().execute(sa.text("select add_month('past_sms', :month)"), {"month": month})


def downgrade() -> None:
    """Drops it; the former release does not look for settled ones."""
    op.drop_table("past_sms")
    op.execute("drop function drop_month(text, text)")
    op.execute("drop function add_month(text, date)")

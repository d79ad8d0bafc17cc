"""A request for revocation says why, by a choice and a text.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds both; requests of before have none, and a former release asks for none."""
    op.add_column("revocation", sa.Column("reason_code", sa.String()))
    op.add_column("revocation", sa.Column("reason", EncryptedText()))


def downgrade() -> None:
    """Forgets them."""
    op.drop_column("revocation", "reason")
    op.drop_column("revocation", "reason_code")

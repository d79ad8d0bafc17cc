"""A number that was replaced is remembered until somebody can sign in by the one in its place.

Revision: 0020
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("member", sa.Column("replaced_phone", EncryptedText(), nullable=True))


def downgrade() -> None:
    """Forgets them."""
    op.drop_column("member", "replaced_phone")

"""A decision says on whose behalf a deputy took it.

Revision: 0010
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0010"
down_revision = "0009"
serves_from = "0010"


def upgrade() -> None:
    """Decisions of before, and of the former release, were taken in the decider's own right."""
    op.add_column("revocation", sa.Column("on_behalf_of", sa.Uuid()))
    op.add_column("revocation", sa.Column("represented_name", EncryptedText()))


def downgrade() -> None:
    """Forgets it."""
    op.drop_column("revocation", "represented_name")
    op.drop_column("revocation", "on_behalf_of")

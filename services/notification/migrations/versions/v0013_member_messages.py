"""Messages to members, which they read on the phone.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """What was told before is in text messages only."""
    op.create_table(
        "member_message",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("text", EncryptedText(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("message_id", name="pk_member_message"),
    )
    op.create_index("ix_member_message_member_id_message_id", "member_message", ["member_id", "message_id"])


def downgrade() -> None:
    """Forgets the messages, which were sent by SMS too where that was wanted."""
    op.drop_table("member_message")

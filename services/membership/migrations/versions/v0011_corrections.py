"""Corrections that clerks make in the pending list reach the member, whose history keeps them.

Revision: 0011
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Makes the table of corrections."""
    op.create_table(
        "member_correction",
        sa.Column("correction_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("corrected_by", sa.Uuid(), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("old", EncryptedText(), nullable=False),
        sa.Column("new", EncryptedText(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="fk_member_correction_member_id"),
        sa.PrimaryKeyConstraint("correction_id", name="pk_member_correction"),
    )
    op.create_index("ix_member_correction_member_id_corrected_at", "member_correction", ["member_id", "corrected_at"])


def downgrade() -> None:
    """Drops it."""
    op.drop_table("member_correction")

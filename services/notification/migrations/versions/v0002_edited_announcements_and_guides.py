"""Announcements say when they were edited; guides have a video and can be withdrawn.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """All that there are stand as they are."""
    op.add_column("announcement", sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("guide", sa.Column("video_url", sa.String(), nullable=True))
    op.add_column("guide", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drops the columns; withdrawn guides go for good, with their files."""
    op.execute(
        "delete from attachment using guide where guide.guide_id = attachment.guide_id and withdrawn_at is not null"
    )
    op.execute("delete from guide where withdrawn_at is not null")
    op.drop_column("guide", "withdrawn_at")
    op.drop_column("guide", "video_url")
    op.drop_column("announcement", "edited_at")

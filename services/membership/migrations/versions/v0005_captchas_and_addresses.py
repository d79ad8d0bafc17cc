"""Captchas count once, and failed sign-ins are counted for addresses too.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Makes the two tables."""
    op.create_table(
        "used_captcha",
        sa.Column("captcha_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("captcha_id", name="pk_used_captcha"),
    )
    op.create_index("ix_used_captcha_expires_at", "used_captcha", ["expires_at"])
    op.create_table(
        "address_failures",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("address", name="pk_address_failures"),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("address_failures")
    op.drop_table("used_captcha")

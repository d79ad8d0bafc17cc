"""An index of refused and released applications, by which their members are found.

Revision: 0027
"""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Few applications end so."""
    op.create_index(
        "ix_application_ended",
        "application",
        ["union_id", "application_id"],
        postgresql_where="state in ('refused', 'released')",
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_index("ix_application_ended", "application")

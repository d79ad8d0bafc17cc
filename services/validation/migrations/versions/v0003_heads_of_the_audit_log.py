"""The service remembers where the audit log ended.

Revision: 0003
"""

from alembic import op

from services.kit.data.database import add_audit_heads, drop_audit_heads

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the table, whose rows never change."""
    add_audit_heads(op)


def downgrade() -> None:
    """Forgets them."""
    drop_audit_heads(op)

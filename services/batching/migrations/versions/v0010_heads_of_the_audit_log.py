"""The service remembers where the audit log ended.

Revision: 0010
"""

from alembic import op

from services.kit.data.database import add_audit_heads, drop_audit_heads

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Adds the table, whose rows never change."""
    add_audit_heads(op)


def downgrade() -> None:
    """Forgets them."""
    drop_audit_heads(op)

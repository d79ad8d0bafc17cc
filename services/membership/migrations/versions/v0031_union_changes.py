"""Changes of the tree of unions: moves, dissolutions.

Revision: 0031
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0031"
down_revision = "0030"


def prepare(connection: sa.Connection) -> None:
    """Locks the table of unions alone: nearly every statement reads it, and could wait in a circle otherwise."""
    connection.execute(sa.text('alter table "union" add column if not exists ended_at timestamptz'))


def upgrade() -> None:
    """No union has been dissolved yet; nobody has requested a change."""
    op.create_table(
        "union_change",
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("from_union_id", sa.Uuid(), nullable=False),
        sa.Column("target_union_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("preview", JSONB(), nullable=False),
        sa.Column("state", sa.String(), nullable=False, server_default="requested"),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        *(
            sa.ForeignKeyConstraint([name], [f"union.{key}"], name=f"fk_union_change_{name}")
            for name, key in (
                ("union_id", "union_id"),
                ("from_union_id", "union_id"),
                ("target_union_id", "union_id"),
            )
        ),
        *(
            sa.ForeignKeyConstraint([name], ["account.account_id"], name=f"fk_union_change_{name}")
            for name in ("requested_by", "decided_by")
        ),
        sa.PrimaryKeyConstraint("change_id", name="pk_union_change"),
        sa.Index("ix_union_change_requested_at", "requested_at"),
        sa.Index("uq_union_change_open", "union_id", unique=True, postgresql_where=sa.text("state = 'requested'")),
    )


def downgrade() -> None:
    """Forgets them; a union that was dissolved has no accounts, and no members."""
    op.drop_table("union_change")
    op.drop_column("union", "ended_at")

"""First tables of validation.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText, create_messaging_tables, drop_messaging_tables

revision = "0001"
down_revision = None

CHECK_KEY = ["application_id", "check_no"]
CHECK = ["application_check.application_id", "application_check.check_no"]


def upgrade() -> None:
    """Makes the tables."""
    create_messaging_tables(op)
    op.create_table(
        "application_check",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("check_no", sa.Integer(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint(*CHECK_KEY, name="pk_application_check"),
    )
    op.create_table(
        "check_finding",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("check_no", sa.Integer(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("rule_version", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("message", EncryptedText(), nullable=False),
        sa.Column("evidence", EncryptedText(), nullable=False),
        sa.ForeignKeyConstraint(CHECK_KEY, CHECK, name="fk_check_finding_application_id_check_no"),
        sa.PrimaryKeyConstraint(*CHECK_KEY, "position", name="pk_check_finding"),
    )
    op.create_table(
        "waiting_check",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("check_no", sa.Integer(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("person", EncryptedText(), nullable=False),
        sa.Column("correlation_id", sa.String(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(CHECK_KEY, CHECK, name="fk_waiting_check_application_id_check_no"),
        sa.PrimaryKeyConstraint(*CHECK_KEY, name="pk_waiting_check"),
    )
    op.create_index("ix_waiting_check_next_try_at", "waiting_check", ["next_try_at"])


def downgrade() -> None:
    """Drops the tables."""
    op.drop_table("waiting_check")
    op.drop_table("check_finding")
    op.drop_table("application_check")
    drop_messaging_tables(op)

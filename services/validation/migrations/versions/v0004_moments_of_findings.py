"""Findings have a time, and rows whose term has passed are found by sorted indexes.

Revision: 0004
"""

from alembic import op
from sqlalchemy import Connection, text

from services.kit.data.schema.online_steps import add_index, sort_indexes_of_moments, swap_indexes_of_moments

revision = "0004"
down_revision = "0003"


def prepare(connection: Connection) -> None:
    """Builds the indexes while others write; findings of before count as found now."""
    connection.execute(
        text("alter table check_finding add column if not exists found_at timestamptz not null default now()")
    )
    add_index(connection, "ix_check_finding_found_at", "check_finding (found_at)")
    sort_indexes_of_moments(connection)


def upgrade() -> None:
    """Puts them in place of the former ones."""
    swap_indexes_of_moments(op.get_bind())


def downgrade() -> None:
    """Drops the time; the former release uses the other indexes as well."""
    op.drop_column("check_finding", "found_at")

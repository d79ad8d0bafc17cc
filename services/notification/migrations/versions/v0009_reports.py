"""The read model of the reports, and how far each month's messages were sent.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
serves_from = "0009"

_TABLES = (
    *("monthly_report", "report_rebuild_event", "report_rebuild", "report_name", "report_count", "report_member"),
    *("report_application", "report_union"),
)


def upgrade() -> None:
    """Creates the tables; a rebuild fills them with what was before."""
    op.create_table(
        "report_union",
        sa.Column("union_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.String(), server_default="", nullable=False) for name in ("code", "name", "kind")),
        sa.Column("superior_union_id", sa.Uuid(), nullable=True),
        sa.Column("superior_ids", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        _moment("known_at"),
        sa.PrimaryKeyConstraint("union_id", name="pk_report_union"),
    )
    op.create_index("ix_report_union_superior_union_id_code", "report_union", ["superior_union_id", "code"])
    op.create_table(
        "report_application",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        _moment("queued_at"),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("channel_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        _moment("state_at"),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=True),
        sa.Column("branch_code", sa.String(), nullable=True),
        _moment("submitted_at"),
        sa.Column("check_no", sa.Integer(), nullable=False),
        sa.Column("check_result", sa.String(), nullable=True),
        _moment("checked_at"),
        sa.Column("rules", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("application_id", name="pk_report_application"),
    )
    op.create_table(
        "report_member",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("member_id", name="pk_report_member"),
    )
    key = ("union_id", "measure", "month", "is_below", "kind", "branch_code", "channel", "detail")
    op.create_table(
        "report_count",
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("is_below", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("kind", "branch_code", "channel", "detail")),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_report_count"),
    )
    op.create_table(
        "report_name",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("kind", "code", "name")),
        sa.PrimaryKeyConstraint("kind", "code", name="pk_report_name"),
    )
    op.create_table(
        "report_rebuild",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("rebuild_id", sa.Uuid(), nullable=True),
        _moment("started_at"),
        sa.Column("expected", sa.Integer(), nullable=True),
        _moment("finished_at"),
        sa.PrimaryKeyConstraint("one", name="pk_report_rebuild"),
    )
    op.create_table(
        "report_rebuild_event",
        sa.Column("rebuild_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("rebuild_id", "message_id", name="pk_report_rebuild_event"),
    )
    op.create_table(
        "monthly_report",
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_union_id", sa.Uuid(), nullable=True),
        sa.Column("sent", sa.Integer(), server_default="0", nullable=False),
        _moment("finished_at"),
        sa.PrimaryKeyConstraint("month", name="pk_monthly_report"),
    )


def downgrade() -> None:
    """Drops the tables."""
    for table in _TABLES:
        op.drop_table(table)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)

"""Texts of messages that the city edits, what members are told of applications, and who wants no text messages.

Revision: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
serves_from = "0010"


def upgrade() -> None:
    """Creates the tables; text messages of a former release are sent at any hour."""
    op.create_table(
        "message_template",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("edited_by", sa.Uuid(), nullable=False),
        sa.Column("editor", sa.String(), nullable=False),
        _now("edited_at"),
        sa.PrimaryKeyConstraint("kind", "version", name="pk_message_template"),
    )
    op.create_table(
        "member_notice",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("phone", sa.LargeBinary(), nullable=True),
        *(
            sa.Column(name, sa.String(), server_default="", nullable=False)
            for name in ("outlet_name", "outlet_address", "outlet_phone", "reason")
        ),
        sa.Column("handed_out_by_union", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("told", sa.String(), nullable=True),
        _now("known_at"),
        sa.PrimaryKeyConstraint("application_id", name="pk_member_notice"),
    )
    op.create_index("ix_member_notice_known_at", "member_notice", ["known_at"])
    op.create_index(
        "ix_member_notice_open_member_id",
        "member_notice",
        ["member_id"],
        postgresql_where=sa.text("outcome is null"),
    )
    op.add_column("sms", sa.Column("may_wait", sa.Boolean(), server_default="false", nullable=False))
    op.create_table(
        "sms_refusal",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        _now("refused_at"),
        sa.PrimaryKeyConstraint("member_id", name="pk_sms_refusal"),
    )


def downgrade() -> None:
    """Drops the tables; the default texts are in force again."""
    for table in ("sms_refusal", "member_notice", "message_template"):
        op.drop_table(table)
    op.drop_column("sms", "may_wait")


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)

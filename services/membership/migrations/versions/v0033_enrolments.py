"""Enrolments of members with the mutual-aid society, and the reports that they follow from.

Revision: 0033
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Nobody has been enrolled yet."""
    op.create_table(
        "enrolment",
        sa.Column("enrolment_no", sa.String(collation="C"), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("kinds", sa.String(), nullable=False),
        sa.Column("covers_from", sa.Date(), nullable=False),
        sa.Column("covers_to", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("reason", EncryptedText(), nullable=True),
        sa.Column("superseded", sa.Boolean(), nullable=False, server_default="false"),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("enrolment_no", name="pk_enrolment"),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="fk_enrolment_member_id"),
        sa.Index("ix_enrolment_member_id_year", "member_id", "year"),
        sa.Index("ix_enrolment_year_enrolment_no", "year", "enrolment_no"),
        sa.Index("ix_enrolment_way_year_enrolment_no", "way", "year", "enrolment_no"),
        sa.Index("ix_enrolment_covers_from_enrolment_no", "covers_from", "enrolment_no"),
        sa.Index(
            "ix_enrolment_ended",
            *("year", "enrolment_no"),
            postgresql_where=sa.text("superseded or state = 'ended'"),
        ),
        sa.Index(
            "uq_enrolment_current",
            *("member_id", "year"),
            unique=True,
            postgresql_where=sa.text("state = 'active' and not superseded"),
        ),
    )
    op.create_table(
        "enrolment_report",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("enrolments", "applied", "repeated", "rejected")),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_enrolment_report"),
        sa.Index("ix_enrolment_report_report_id", "report_id"),
        sa.Index(
            "uq_enrolment_report_content",
            "report_id",
            unique=True,
            postgresql_where=sa.text("content_digest is not null"),
        ),
    )


def downgrade() -> None:
    """Forgets the enrolments; the society can report them again."""
    op.drop_table("enrolment_report")
    op.drop_table("enrolment")

"""Consent receipts: from now on no person comes into a batch without one.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText, make_append_only

revision = "0005"
down_revision = "0004"

NO_BATCH_WITHOUT_CONSENT = """
alter table batch_person add constraint fk_batch_person_consent
    foreign key (application_id) references consent_receipt (application_id) not valid
"""


def upgrade() -> None:
    """Persons of earlier batches have no receipts: the constraint holds for new ones only."""
    op.create_table(
        "consent_receipt",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("origin", EncryptedText(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.application_id"], name="fk_consent_receipt_application_id"
        ),
        sa.PrimaryKeyConstraint("application_id", name="pk_consent_receipt"),
    )
    op.create_index("ix_consent_receipt_member_id", "consent_receipt", ["member_id"])
    make_append_only(op, "consent_receipt", ["origin"], "A consent receipt never changes.")
    op.execute(NO_BATCH_WITHOUT_CONSENT)


def downgrade() -> None:
    """Forgets them."""
    op.drop_constraint("fk_batch_person_consent", "batch_person")
    op.drop_table("consent_receipt")
    op.execute("drop function keep_consent_receipt()")

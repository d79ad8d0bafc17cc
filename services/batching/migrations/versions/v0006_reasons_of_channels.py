"""Why an application takes the special channel, by code and in the clerk's words; when it was last checked.

Revision: 0006
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText, make_append_only

revision = "0006"
down_revision = "0005"

COLUMNS: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {
    "application": {
        "channel_reason_code": sa.String(),
        "channel_note": EncryptedText(),
        "checked_at": sa.DateTime(timezone=True),
    },
    "batch_person": {"channel_reason": EncryptedText()},
}
IMPLIED = """
update application set nationality = 'CHN'
where nationality is null and state = 'queued' and document_type in ('resident_id', 'military_officer_id')
"""


def upgrade() -> None:
    """Who passed before the time was kept is checked again on submission."""
    for table, columns in COLUMNS.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.execute(IMPLIED)
    _keep_persons(["document_number", "channel_reason"])


def downgrade() -> None:
    """Drops them."""
    _keep_persons(["document_number"])
    for table, columns in COLUMNS.items():
        for name in columns:
            op.drop_column(table, name)


def _keep_persons(encrypted: list[str]) -> None:
    """A submitted person may come under another key in these columns, and change in nothing else."""
    op.execute("drop trigger keep_batch_person on batch_person")
    op.execute("drop trigger keep_all_batch_person on batch_person")
    op.execute("drop function keep_batch_person()")
    make_append_only(op, "batch_person", encrypted, "A submitted batch never changes.")

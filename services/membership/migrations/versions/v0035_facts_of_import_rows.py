"""Rows of an import keep the facts that their members get, as they were judged.

Revision: 0035
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"

_FACTS: dict[str, sa.types.TypeEngine[Any]] = {
    "judged_on": sa.Date(),
    "name": sa.String(),
    "document_type": sa.String(),
    "document_number": sa.LargeBinary(),
    "document_end": sa.LargeBinary(),
    "document_expiry": sa.Date(),
    "document_issued": sa.Date(),
    "birth_date": sa.Date(),
    "sex": sa.String(),
    "nationality": sa.String(),
    "phone": sa.LargeBinary(),
    "phone_digest": sa.LargeBinary(),
    "address": sa.String(),
    "retirement_category": sa.String(),
    "special_retirement_month": sa.Date(),
    "affiliation": sa.String(),
}


def upgrade() -> None:
    """Rows that are stored have none yet: they are judged again when they are registered."""
    for name, kind in _FACTS.items():
        op.add_column("import_row", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """The former release judges each row when it is registered."""
    for name in _FACTS:
        op.drop_column("import_row", name)

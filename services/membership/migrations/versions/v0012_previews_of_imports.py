"""Imports are previewed before they register anybody, and members remember by which import they came.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0012"
down_revision = "0011"

COUNTS = ("rows_new", "rows_known", "rows_wrong", "rows_warned", "resumptions")


def upgrade() -> None:
    """Adds columns; rows of a running import go on waiting, those with a reason are rejected."""
    op.add_column("import_job", sa.Column("sheets", EncryptedText()))
    for name in COUNTS:
        op.add_column("import_job", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    now = sa.text("now()")
    op.add_column(
        "import_job", sa.Column("progressed_at", sa.DateTime(timezone=True), nullable=False, server_default=now)
    )
    op.create_index(
        "ix_import_job_open",
        "import_job",
        ["progressed_at"],
        postgresql_where=sa.text("state in ('reading', 'previewed', 'running')"),
    )
    op.add_column("import_row", sa.Column("sheet_no", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("import_row", sa.Column("line_no", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("import_row", sa.Column("state", sa.String(), nullable=False, server_default="waiting"))
    op.add_column("import_row", sa.Column("document_digest", sa.LargeBinary()))
    op.add_column("import_row", sa.Column("warning", sa.Text()))
    op.execute("update import_row set state = 'rejected' where reason is not null")
    op.drop_index("ix_import_row_waiting", "import_row")
    op.create_index("ix_import_row_state", "import_row", ["import_id", "state", "row_no"])
    op.add_column("member", sa.Column("import_id", sa.Uuid()))
    op.create_index(
        "ix_member_import_without_number",
        "member",
        ["import_id"],
        postgresql_where=sa.text("member_no is null and import_id is not null"),
    )


def downgrade() -> None:
    """Takes them away; imports that are previewed are forgotten."""
    op.drop_index("ix_member_import_without_number", "member")
    op.drop_column("member", "import_id")
    op.execute("delete from import_job where state in ('reading', 'previewed', 'cancelled')")
    op.execute("delete from import_row where state = 'registered'")
    op.drop_index("ix_import_row_state", "import_row")
    op.create_index(
        "ix_import_row_waiting", "import_row", ["import_id", "row_no"], postgresql_where=sa.text("reason is null")
    )
    for name in ("warning", "document_digest", "state", "line_no", "sheet_no"):
        op.drop_column("import_row", name)
    op.drop_index("ix_import_job_open", "import_job")
    for name in ("progressed_at", *COUNTS, "sheets"):
        op.drop_column("import_job", name)

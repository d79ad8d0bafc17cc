"""Members as the value types keep them: addresses in half width, one dot and one apostrophe, names found in any case.

Revision: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

EMPLOYED = sa.text("affiliation = 'employer'")
REST = ["member_id", "sex", "card_state", "channel", "applied_at"]
INDEX = "ix_member_union_id_name_and_more"
APOSTROPHES = "\u2018\u2019\u02bb\u02bc\u02b9\u2032\u00b4"
DOT, DOTS = "\u00b7", "\ufe52\u2219\u22c5"
APOSTROPHE = "''"  # as it is written in SQL
ONE_FORM = f"translate(name, '{APOSTROPHES}{DOTS}', '{APOSTROPHE * len(APOSTROPHES)}{DOT * len(DOTS)}')"
CLEANED = {
    "address": r"btrim(regexp_replace(normalize(address, nfkc), '\s+', ' ', 'g'))",
    "name": rf"regexp_replace({ONE_FORM}, '([\u3400-\u9fff])\.', '\1·', 'g')",
    "nationality": r"upper(btrim(nationality, E' \n\r\t'))",
}


def upgrade() -> None:
    """Cleans what former versions kept as it came, and makes the index of names anew."""
    for column, cleaned in CLEANED.items():
        member = sa.table("member", sa.column(column))
        now: sa.ColumnElement[str] = sa.literal_column(cleaned)
        op.execute(sa.update(member).values({column: now}).where(member.c[column].is_distinct_from(now)))
    op.add_column(
        "member",
        sa.Column(
            "name_key",
            sa.String(collation="C"),
            sa.Computed('lower(name collate "und-x-icu")', persisted=True),
            nullable=False,
        ),
    )
    op.drop_index(INDEX, "member")
    op.create_index(INDEX, "member", ["union_id", "name_key", *REST], postgresql_where=EMPLOYED)


def downgrade() -> None:
    """Makes the former index again; what was cleaned stays so."""
    op.drop_index(INDEX, "member")
    op.drop_column("member", "name_key")
    op.create_index(INDEX, "member", ["union_id", "name", *REST], postgresql_where=EMPLOYED)

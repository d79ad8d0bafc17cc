"""Members who moved to another union, whose cards belong there.

Revision: 0018
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.schema.online_steps import add_index

revision = "0018"
down_revision = "0017"
serves_from = "0018"

MAKE_CARD = """
create or replace function make_card() returns trigger language plpgsql as $$
begin
    insert into card (
        application_id, member_id, union_id, union_name, superior_ids, card_no, card_digest, made_at
    )
    select new.application_id, new.member_id, coalesce(moved.union_id, new.union_id),
        coalesce(moved.union_name, batch.union_name), coalesce(moved.superior_ids, batch.superior_ids),
        new.card_no, new.card_digest, new.decided_at
    from batch left join moved_member as moved on moved.member_id = new.member_id
    where batch_no = new.batch_no
    on conflict (application_id) do nothing;
    return null;
end $$
"""
MAKE_CARD_BEFORE = """
create or replace function make_card() returns trigger language plpgsql as $$
begin
    insert into card (
        application_id, member_id, union_id, union_name, superior_ids, card_no, card_digest, made_at
    )
    select new.application_id, new.member_id, new.union_id, union_name, superior_ids, new.card_no, new.card_digest,
        new.decided_at
    from batch where batch_no = new.batch_no
    on conflict (application_id) do nothing;
    return null;
end $$
"""


def prepare(connection: sa.Connection) -> None:
    """Builds the index by which queued applications of a member are found, while others write."""
    add_index(connection, "ix_application_queued_member_id", "application (member_id) where state = 'queued'")


def upgrade() -> None:
    """A card that is issued after its member moved belongs to the new union."""
    op.create_table(
        "moved_member",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("union_name", sa.String(), nullable=False),
        sa.Column("superior_ids", sa.ARRAY(sa.Uuid()), nullable=False, server_default="{}"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("transferred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name="pk_moved_member"),
    )
    op.execute(MAKE_CARD)


def downgrade() -> None:
    """Forgets them."""
    op.execute(MAKE_CARD_BEFORE)
    op.drop_index("ix_application_queued_member_id", "application")
    op.drop_table("moved_member")

"""Unions that were merged into others.

Revision: 0020
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.schema.online_steps import add_index

revision = "0020"
down_revision = "0019"


MAKE_CARD = """
create or replace function make_card() returns trigger language plpgsql as $$
begin
    insert into card (
        application_id, member_id, union_id, union_name, superior_ids, card_no, card_digest, made_at
    )
    select new.application_id, new.member_id, coalesce(moved.union_id, new.union_id),
        coalesce(moved.union_name, known.name, batch.union_name),
        coalesce(moved.superior_ids, known.superior_ids, batch.superior_ids), new.card_no, new.card_digest,
        new.decided_at
    from batch left join moved_member as moved on moved.member_id = new.member_id
        left join known_union as known on known.union_id = new.union_id
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
    select new.application_id, new.member_id, coalesce(moved.union_id, new.union_id),
        coalesce(moved.union_name, batch.union_name), coalesce(moved.superior_ids, batch.superior_ids),
        new.card_no, new.card_digest, new.decided_at
    from batch left join moved_member as moved on moved.member_id = new.member_id
    where batch_no = new.batch_no
    on conflict (application_id) do nothing;
    return null;
end $$
"""


def prepare(connection: sa.Connection) -> None:
    """Builds the indexes while others write."""
    add_index(connection, "ix_application_union_id", "application (union_id)")
    add_index(connection, "ix_moved_member_union_id", "moved_member (union_id)")


def upgrade() -> None:
    """No union has been merged yet. A card has the name of the union whose it is, as known last."""
    op.execute(MAKE_CARD)
    op.add_column("known_union", sa.Column("successor_union_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Forgets the successors, to whom everything has moved."""
    op.execute(MAKE_CARD_BEFORE)
    op.drop_index("ix_moved_member_union_id", "moved_member")
    op.drop_index("ix_application_union_id", "application")
    op.drop_column("known_union", "successor_union_id")

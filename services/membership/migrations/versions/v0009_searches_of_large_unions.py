"""Searches that do not slow down as a union grows: addresses by keys that hold it, names with what they meet.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

# Costly, so that the text of an address is compared before its keys are made.
FRAGMENT_KEYS = """
create function fragment_keys(union_id uuid, fragments text[]) returns bigint[]
language sql immutable strict parallel safe cost 600 as $$
    select array(
        select hashtextextended(fragment, hashtextextended(union_id::text, 0)) from unnest(fragments) as fragment
    )
$$;
"""
ADDRESS_KEYS = """
create function address_keys(union_id uuid, words text) returns bigint[]
language plpgsql immutable strict parallel safe cost 600 as $$
declare
    keys bigint[] := '{}';
    size int := length(words);
    seed bigint := hashtextextended(union_id::text, 0);
begin
    for start in 1 .. size - 1 loop
        keys := keys || hashtextextended(substr(words, start, 2), seed);
        if start < size - 1 then
            keys := keys || hashtextextended(substr(words, start, 3), seed);
        end if;
    end loop;
    return keys || array(
        select hashtextextended(house[1] || '#', seed) from regexp_matches(words, '[^0-9]{2}[0-9]+', 'g') as house
    );
end
$$;
"""
FRAGMENTS = """
create or replace function fragments(words text) returns text[]
language sql immutable strict parallel safe cost 600 as $$
    select array(
        select distinct substr(words, start, size)
        from generate_series(2, 3) size, generate_series(1, length(words) - size + 1) start
    )
$$;
"""
STATISTICS = "create statistics member_address_keys on (address_keys(union_id, address)) from member"
EMPLOYED = sa.text("affiliation = 'employer'")
NAMED = ["union_id", "name", "member_id", "sex", "card_state", "channel", "applied_at"]


def upgrade() -> None:
    """Makes the new indexes in place of the old ones; until they are made, who writes members waits.

    The function `fragments` stays: processes of the version before search by it, slowly, until they are replaced.
    """
    op.drop_index("ix_member_union_id_name", "member")
    op.drop_index("ix_member_union_id_address", "member")
    op.execute("drop statistics member_address_fragments")
    op.execute(FRAGMENT_KEYS)
    op.execute(ADDRESS_KEYS)
    op.execute(STATISTICS)
    op.create_index(
        "ix_member_address_keys",
        "member",
        [sa.text("address_keys(union_id, address)")],
        postgresql_using="gin",
        postgresql_where=EMPLOYED,
    )
    op.create_index("ix_member_union_id_name_and_more", "member", NAMED, postgresql_where=EMPLOYED)


def downgrade() -> None:
    """Makes the old ones again."""
    op.drop_index("ix_member_union_id_name_and_more", "member")
    op.drop_index("ix_member_address_keys", "member")
    op.execute("drop statistics member_address_keys")
    op.execute("drop function address_keys")
    op.execute("drop function fragment_keys")
    op.execute(FRAGMENTS)
    op.execute("create statistics member_address_fragments on (fragments(address)) from member")
    op.create_index(
        "ix_member_union_id_address",
        "member",
        ["union_id", sa.text("fragments(address)")],
        postgresql_using="gin",
        postgresql_where=EMPLOYED,
    )
    op.create_index("ix_member_union_id_name", "member", ["union_id", "name", "member_id"], postgresql_where=EMPLOYED)

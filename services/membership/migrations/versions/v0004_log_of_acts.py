"""The log of acts, which nothing but a new key of its personal part may change.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0004"
down_revision = "0003"

REFUSE_CHANGE = """
create function refuse_change_of_acts() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and to_jsonb(new) - 'personal' = to_jsonb(old) - 'personal' then
        return new;
    end if;
    raise exception 'the log of acts is only added to';
end
$$;
create trigger audit_entry_never_changes before update or delete on audit_entry
    for each row execute function refuse_change_of_acts();
create trigger audit_entry_is_never_emptied before truncate on audit_entry
    for each statement execute function refuse_change_of_acts();
create trigger audit_reach_never_changes before update or delete on audit_reach
    for each row execute function refuse_change_of_acts();
create trigger audit_reach_is_never_emptied before truncate on audit_reach
    for each statement execute function refuse_change_of_acts();
"""


def upgrade() -> None:
    """Makes the log and what it is searched by."""
    op.create_table(
        "audit_entry",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("act_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("problem_code", sa.String(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("account_name", sa.String(), nullable=True),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("union_id", sa.Uuid(), nullable=True),
        sa.Column("roles", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("origin", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("correlation_id", sa.String(), nullable=True),
        sa.Column("records", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("unions", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("personal", EncryptedText(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_audit_entry"),
        sa.UniqueConstraint("act_id", name="uq_audit_entry_act_id"),
    )
    op.create_index("ix_audit_entry_account_id_act_id", "audit_entry", ["account_id", "act_id"])
    op.create_index("ix_audit_entry_records", "audit_entry", ["records"], postgresql_using="gin")
    op.create_table(
        "audit_reach",
        sa.Column("union_id", sa.Uuid(), nullable=False),
        sa.Column("act_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("union_id", "act_id", name="pk_audit_reach"),
    )
    op.create_index("ix_audit_reach_union_id_action_act_id", "audit_reach", ["union_id", "action", "act_id"])
    op.create_index(
        "ix_audit_reach_refused",
        "audit_reach",
        ["union_id", "act_id"],
        postgresql_where=sa.text("outcome = 'refused'"),
    )
    op.execute(REFUSE_CHANGE)


def downgrade() -> None:
    """Drops them again."""
    op.drop_table("audit_reach")
    op.drop_table("audit_entry")
    op.execute("drop function refuse_change_of_acts()")

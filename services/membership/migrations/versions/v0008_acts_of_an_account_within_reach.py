"""The acts of one account within a union's reach, found without looking at those out of it.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

COPY_ACCOUNT = """
create function copy_account_of_act() returns trigger language plpgsql as $$
begin
    new.account_id := (select account_id from audit_entry where act_id = new.act_id);
    return new;
end
$$;
create trigger audit_reach_has_the_account before insert on audit_reach
    for each row execute function copy_account_of_act();
"""


def upgrade() -> None:
    """Adds the account, which the database copies: processes of the version before know nothing of it."""
    op.add_column("audit_reach", sa.Column("account_id", sa.Uuid(), nullable=True))
    op.execute(COPY_ACCOUNT)
    op.execute("alter table audit_reach disable trigger audit_reach_never_changes")
    op.execute(
        "update audit_reach set account_id = audit_entry.account_id from audit_entry"
        " where audit_entry.act_id = audit_reach.act_id"
    )
    op.execute("alter table audit_reach enable trigger audit_reach_never_changes")
    op.create_index("ix_audit_reach_union_id_account_id_act_id", "audit_reach", ["union_id", "account_id", "act_id"])


def downgrade() -> None:
    """Takes it away again."""
    op.execute("drop trigger audit_reach_has_the_account on audit_reach")
    op.execute("drop function copy_account_of_act()")
    op.drop_index("ix_audit_reach_union_id_account_id_act_id", "audit_reach")
    op.drop_column("audit_reach", "account_id")

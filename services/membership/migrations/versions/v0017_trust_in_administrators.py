"""Who controls whose account is kept, telephones are changed by two, and operators hold no other role.

Revision: 0017
"""

import sys

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0017"
down_revision = "0016"

_TIME = sa.DateTime(timezone=True)
_ALONE = "ck_account_operator_alone"


def upgrade() -> None:
    """Makes the tables; accounts with another role beside operator lose operator, and are named."""
    op.add_column("account", sa.Column("phone_changed_at", _TIME, nullable=True))
    op.add_column("account", sa.Column("controlled_at", _TIME, nullable=True))
    op.create_table(
        "account_control",
        sa.Column("control_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("administrator_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name="fk_account_control_account_id"),
        sa.PrimaryKeyConstraint("control_id", name="pk_account_control"),
    )
    op.create_index("ix_account_control_account_id_at", "account_control", ["account_id", "at"])
    op.create_table(
        "phone_change",
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("phone", EncryptedText(), nullable=True),
        sa.Column("old_phone", EncryptedText(), nullable=True),
        sa.Column("reason", EncryptedText(), nullable=False),
        sa.Column("state", sa.String(), server_default="requested", nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name="fk_phone_change_account_id"),
        sa.ForeignKeyConstraint(["requested_by"], ["account.account_id"], name="fk_phone_change_requested_by"),
        sa.ForeignKeyConstraint(["decided_by"], ["account.account_id"], name="fk_phone_change_decided_by"),
        sa.PrimaryKeyConstraint("change_id", name="pk_phone_change"),
    )
    op.create_index("ix_phone_change_account_id_requested_at", "phone_change", ["account_id", "requested_at"])
    op.create_index(
        "uq_phone_change_open",
        "phone_change",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
    )
    _count_links_that_were_made()
    _void_links_that_administrators_know()
    _part_operators()
    op.create_check_constraint(op.f(_ALONE), "account", "not ('operator' = any (roles)) or cardinality(roles) = 1")


def downgrade() -> None:
    """Drops them; nobody gets the role operator back."""
    op.drop_constraint(op.f(_ALONE), "account")
    op.drop_table("phone_change")
    op.drop_table("account_control")
    op.drop_column("account", "controlled_at")
    op.drop_column("account", "phone_changed_at")


def _count_links_that_were_made() -> None:
    """Who made an account is not known of earlier ones, who made a link for it is."""
    op.execute(
        "insert into account_control (control_id, account_id, administrator_id, kind, at) "
        "select gen_random_uuid(), account_id, made_by, 'link', made_at from reset_link"
    )
    op.execute(
        "update account set controlled_at = newest.at from "
        "(select account_id, max(at) as at from account_control group by account_id) as newest "
        "where newest.account_id = account.account_id"
    )


def _void_links_that_administrators_know() -> None:
    """The release before told them to who made them."""
    op.execute("update reset_link set void_since = now() where used_at is null and void_since is null")


def _part_operators() -> None:
    """Who does both gets another account for the one."""
    parted = sa.text(
        "update account set roles = array_remove(roles, 'operator') "
        "where 'operator' = any (roles) and cardinality(roles) > 1 returning account_name"
    )
    if names := sorted(op.get_bind().scalars(parted)):
        print(
            f"membership: operator goes with no other role any more; taken from {', '.join(names)}: "
            "give it to accounts of their own",
            file=sys.stderr,
        )

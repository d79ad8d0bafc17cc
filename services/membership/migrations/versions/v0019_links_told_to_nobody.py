"""Links and telephones that a process of a former release makes or changes alone give nobody an account.

Such a process tells links to administrators and lets one of them change a number. Its links are void from the start,
and to a number that it changed no link goes for a day.

Revision: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Links are marked as told to their holders alone; those of before were, or are void since 0017."""
    op.add_column("reset_link", sa.Column("is_for_holder", sa.Boolean(), nullable=False, server_default="true"))
    op.alter_column("reset_link", "is_for_holder", server_default="false")
    op.execute(
        """
        create function void_link_of_former_release() returns trigger language plpgsql as $$
        begin
            if not new.is_for_holder then
                new.void_since := now();
            end if;
            return new;
        end $$
        """
    )
    op.execute(
        "create trigger void_link_of_former_release before insert on reset_link "
        "for each row execute function void_link_of_former_release()"
    )
    op.execute(
        """
        create function hold_links_to_changed_phone() returns trigger language plpgsql as $$
        begin
            if new.phone_digest is distinct from old.phone_digest
                and new.phone_changed_at is not distinct from old.phone_changed_at
            then
                new.phone_changed_at := now();
            end if;
            return new;
        end $$
        """
    )
    op.execute(
        "create trigger hold_links_to_changed_phone before update of phone_digest on account "
        "for each row execute function hold_links_to_changed_phone()"
    )


def downgrade() -> None:
    """Takes them away."""
    op.execute("drop trigger hold_links_to_changed_phone on account")
    op.execute("drop function hold_links_to_changed_phone()")
    op.execute("drop trigger void_link_of_former_release on reset_link")
    op.execute("drop function void_link_of_former_release()")
    op.drop_column("reset_link", "is_for_holder")

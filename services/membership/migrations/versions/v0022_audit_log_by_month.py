"""The audit log is partitioned by the month of recording, and archives of its months are remembered.

Revision: 0022
"""

from datetime import UTC, date, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Connection, text

from services.kit.data.database import make_append_only
from services.kit.data.months import CURRENT_MONTH, create_add_month, later, month_of, months_ahead
from services.kit.data.schema.online_steps import add_index

revision = "0022"
down_revision = "0021"

_APPENDING = 0x61756469
"""The advisory lock of whoever appends to the log."""
_TABLES = ("audit_entry", "audit_reach")
_KEYS = {"audit_entry": "position, month", "audit_reach": "union_id, act_id, month"}
_INDEXES = {
    "ix_audit_entry_account_id_act_id": "audit_entry (account_id, act_id)",
    "ix_audit_entry_records": "audit_entry using gin (records)",
    "ix_audit_reach_union_id_account_id_act_id": "audit_reach (union_id, account_id, act_id)",
    "ix_audit_reach_union_id_action_act_id": "audit_reach (union_id, action, act_id)",
    "ix_audit_reach_refused": "audit_reach (union_id, act_id) where outcome = 'refused'",
}
_ROW_TRIGGERS = {
    "audit_entry_never_changes": "before update or delete on audit_entry {row} refuse_change_of_acts()",
    "audit_reach_never_changes": "before update or delete on audit_reach {row} refuse_change_of_acts()",
    "audit_reach_has_the_account": "before insert on audit_reach {row} copy_account_of_act()",
}
_ROW = "for each row execute function"
_COPY_ACCOUNT = """
create or replace function copy_account_of_act() returns trigger language plpgsql as $$
begin
    select account_id into new.account_id from audit_entry where act_id = new.act_id and month = new.month;
    if not found then  -- a former process that recorded the event in the last moment of a month
        select account_id into new.account_id from audit_entry where act_id = new.act_id;
    end if;
    return new;
end $$
"""
_COPY_ACCOUNT_BEFORE = """
create or replace function copy_account_of_act() returns trigger language plpgsql as $$
begin
    new.account_id := (select account_id from audit_entry where act_id = new.act_id);
    return new;
end $$
"""
_DROP_MONTH = r"""
create function drop_archived_month(suffix text) returns void
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
declare
    entries regclass;
    ends date;
    first bigint;
    last bigint;
    rows bigint;
begin
    if suffix !~ '^(until_)?\d{4}_\d\d$' then
        raise exception 'no month of the audit log';
    end if;
    entries := to_regclass('audit_entry_' || suffix);
    select (regexp_match(pg_get_expr(relpartbound, oid), 'TO \(''(\d{4}-\d\d-\d\d)''\)'))[1]::date into ends
    from pg_class join pg_inherits on inhrelid = oid
    where oid = entries and inhparent = to_regclass('audit_entry');
    if ends is null then
        raise exception 'no month of the audit log';
    end if;
    if ends > now() - interval '180 days' then
        raise exception 'audit events of the last 180 days stay';
    end if;
    execute format('select min(position), max(position), count(*) from %s', entries) into first, last, rows;
    if rows > 0 and not exists (
        select from audit_archive where first_position = first and last_position = last and last - first + 1 = rows
    ) then
        raise exception 'this month is not archived';
    end if;
    execute format('drop table %s', entries);
    execute format('drop table if exists %I', 'audit_reach_' || suffix);
end $$
"""


def prepare(connection: Connection) -> None:
    """Gives all entries this month, builds the keys and proves it to the database, while others append.

    Entries that are appended before the tables become partitions belong to the same one.
    """
    month = _first_month(connection)
    is_checked = text("select 1 from pg_constraint where conname = :name")
    for table in _TABLES:
        connection.execute(text("set lock_timeout = '1s'"))
        column = f"alter table {table} add column if not exists month date not null default '{month}'"
        connection.execute(text(column))
        add_index(connection, f"pk_{table}_months", f"{table} ({_KEYS[table]})", unique=True)
        if not connection.scalar(is_checked, {"name": f"ck_{table}_month"}):
            connection.execute(text("set lock_timeout = '1s'"))
            check = f"alter table {table} add constraint ck_{table}_month check (month = '{month}') not valid"
            connection.execute(text(check))
        connection.execute(text(f"alter table {table} validate constraint ck_{table}_month"))
    add_index(connection, "uq_audit_entry_act_id_month", "audit_entry (act_id, month)", unique=True)


def upgrade() -> None:
    """Makes the tables the first partition of new ones, within a moment."""
    connection = op.get_bind()
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _APPENDING})
    month = _first_month(connection)
    create_add_month(op)
    for table in _TABLES:
        _partition(table, month)
    op.execute(_COPY_ACCOUNT)
    op.execute(_DROP_MONTH)
    op.create_table(
        "audit_archive",
        sa.Column("first_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("months", sa.String(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("file_digest", sa.LargeBinary(), nullable=False),
        sa.Column("personal_key_ids", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first_position", name="pk_audit_archive"),
        sa.UniqueConstraint("last_position", name="uq_audit_archive_last_position"),
        sa.UniqueConstraint("months", name="uq_audit_archive_months"),
    )
    make_append_only(op, "audit_archive", [], "What is archived of the audit log never changes.")


def downgrade() -> None:
    """Makes them single tables again; what was archived and dropped stays away."""
    for table in reversed(_TABLES):
        key = _KEYS[table].removesuffix(", month")
        op.execute(f"create table {table}_whole (like {table} including defaults including storage)")
        op.execute(f"insert into {table}_whole select * from {table}")  # noqa: S608
        op.execute(f"drop table {table}")
        op.execute(f"alter table {table}_whole rename to {table}")
        op.execute(f"alter table {table} drop column month")
        op.execute(f"alter table {table} add constraint pk_{table} primary key ({key})")
        op.execute(
            f"create trigger {table}_is_never_emptied before truncate on {table} "
            "for each statement execute function refuse_change_of_acts()"
        )
    op.execute("alter table audit_entry add constraint uq_audit_entry_act_id unique (act_id)")
    _create_indexes_and_triggers("audit_entry")
    _create_indexes_and_triggers("audit_reach")
    op.execute(_COPY_ACCOUNT_BEFORE)
    op.drop_table("audit_archive")
    op.execute("drop function keep_audit_archive()")
    op.execute("drop function drop_archived_month(text)")
    op.execute("drop function add_month(text, date)")


def _first_month(connection: Connection) -> date:
    """The month of the entries' default since the preparation began; this month where it has not."""
    default = text(
        r"select (regexp_match(pg_get_expr(adbin, adrelid), '\d{4}-\d\d-\d\d'))[1]::date from pg_attrdef"
        " join pg_attribute on attrelid = adrelid and attnum = adnum"
        " where adrelid = to_regclass(:table) and attname = 'month'"
    )
    found: date | None = connection.scalar(default, {"table": _TABLES[0]})
    return found or month_of(datetime.now(UTC))


def _partition(table: str, month: date) -> None:
    first = f"{table}_until_{month:%Y_%m}"
    op.execute(f"lock table {table} in access exclusive mode")
    for name in (one for one, event in _ROW_TRIGGERS.items() if f" on {table} " in event):
        op.execute(f"drop trigger {name} on {table}")
    op.execute(f"drop trigger {table}_is_never_emptied on {table}")
    op.execute(f"alter table {table} rename to {first}")
    op.execute(f"alter table {first} drop constraint pk_{table}")
    op.execute(f"alter table {first} add constraint pk_{first} primary key using index pk_{table}_months")
    if table == "audit_entry":
        op.execute(f"alter table {first} drop constraint uq_audit_entry_act_id")
        op.execute(f"alter table {first} add constraint uq_{first} unique using index uq_audit_entry_act_id_month")
    for name in (one for one, on in _INDEXES.items() if on.startswith(f"{table} ")):
        op.execute(f"alter index {name} rename to {name.replace(table, first)}")
    op.execute(f"create table {table} (like {first} including defaults including storage) partition by range (month)")
    op.execute(f"alter table {table} alter month set default {CURRENT_MONTH}")
    op.execute(f"alter table {table} add constraint pk_{table} primary key ({_KEYS[table]})")
    if table == "audit_entry":
        op.execute("alter table audit_entry add constraint uq_audit_entry_act_id_month unique (act_id, month)")
    _create_indexes_and_triggers(table)
    op.execute(
        f"create trigger {table}_is_never_emptied before truncate on {table} "
        "for each statement execute function refuse_change_of_acts()"
    )
    if op.get_bind().scalar(text(f"select exists (select from {first})")):  # noqa: S608
        op.execute(f"alter table {table} attach partition {first} for values from (minvalue) to ('{later(month)}')")
        op.execute(f"alter table {first} drop constraint ck_{table}_month")
    else:
        op.execute(f"drop table {first}")
    for ahead in months_ahead(datetime.now(UTC)):
        op.get_bind().execute(text("select add_month(:parent, :month)"), {"parent": table, "month": ahead})


def _create_indexes_and_triggers(table: str) -> None:
    for name, on in _INDEXES.items():
        if on.startswith(f"{table} "):
            op.execute(f"create index {name} on {on}")
    for name, event in _ROW_TRIGGERS.items():
        if f" on {table} " in event:
            op.execute(f"create trigger {name} {event.format(row=_ROW)}")

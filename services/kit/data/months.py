"""Tables that are partitioned by month (UTC): partitions are added ahead, and named after their month.

The role of a service cannot change tables. It adds months by the function `add_month` of the database, which has the
owner's rights and adds nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg.rows import scalar_row

AHEAD = 3
"""Months after the current one that have a partition: a service may be away for as long."""

CURRENT_MONTH = "date_trunc('month', clock_timestamp() at time zone 'UTC')::date"
"""SQL for the first day of the current month."""

_MOST_AHEAD = 12
_ADD_MONTH = rf"""
create function add_month(parent text, month date) returns boolean
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
declare
    partition text := parent || to_char(month, '_YYYY_MM');
begin
    if to_regclass(partition) is not null or exists (
        select from pg_inherits join pg_class on pg_class.oid = inhrelid,
            lateral (select pg_get_expr(relpartbound, pg_class.oid) as bound) as of_partition
        where inhparent = to_regclass(parent) and bound like '%MINVALUE%'
            and (regexp_match(bound, 'TO \(''(\d{{4}}-\d\d-\d\d)''\)'))[1]::date > month
    ) then
        return false;
    end if;
    if not exists (select from pg_partitioned_table where partrelid = to_regclass(parent)) then
        raise exception '% has no months', parent;
    end if;
    if month <> date_trunc('month', month) or month < {CURRENT_MONTH}
            or month > {CURRENT_MONTH} + interval '{_MOST_AHEAD} months' then
        raise exception 'no month from now to a year ahead';
    end if;
    -- Creating it apart and attaching it makes nobody wait who reads or writes the others.
    execute format('create table %I (like %I including defaults including storage)', partition, parent);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)',
        parent, partition, month, month + interval '1 month');
    return true;
end $$
"""  # noqa: S608 - nothing in it comes from outside
_DROP_MONTH = r"""
create function drop_month(parent text, partition text) returns void
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
declare
    ends date;
begin
    select (regexp_match(pg_get_expr(relpartbound, oid), 'TO \(''(\d{{4}}-\d\d-\d\d)''\)'))[1]::date into ends
    from pg_class join pg_inherits on inhrelid = oid
    where relname = partition and inhparent = to_regclass(parent) and parent in ({parents});
    if ends is null then
        raise exception 'no month that may be dropped';
    end if;
    if ends > now() - interval '{days} days' then
        raise exception 'the last {days} days stay';
    end if;
    execute format('drop table %I', partition);
end $$
"""
_PARTITIONS = r"""
select part.relname, (regexp_match(pg_get_expr(part.relpartbound, part.oid), 'TO \(''(\d{4}-\d\d-\d\d)''\)'))[1]::date
from pg_inherits join pg_class as part on part.oid = inhrelid
where inhparent = to_regclass(%s) order by 2
"""


@dataclass(frozen=True)
class Partition:
    """A partition: its name, and the first day that is not in it."""

    name: str
    end: date


def month_of(moment: datetime) -> date:
    """The first day of the moment's month."""
    day = moment.astimezone(UTC).date()
    return day.replace(day=1)


def later(month: date, count: int = 1) -> date:
    """The month so many after another one."""
    years, month_in_year = divmod(month.month - 1 + count, 12)
    return date(month.year + years, month_in_year + 1, 1)


def partition_name(parent: str, month: date) -> str:
    """The name of a month's partition."""
    return f"{parent}_{month:%Y_%m}"


def months_ahead(now: datetime) -> Sequence[date]:
    """The current month and those that should have a partition already."""
    return [later(month_of(now), count) for count in range(AHEAD + 1)]


def add_months(connection: "psycopg.Connection[Any]", parents: Iterable[str], now: datetime) -> list[str]:
    """Adds the months that are missing; returns the names of the new partitions. Any process may do so at any time."""
    added = []
    with connection.cursor(row_factory=scalar_row) as cursor:
        for parent in parents:
            for month in months_ahead(now):
                if cursor.execute("select add_month(%s, %s)", [parent, month]).fetchone():
                    added.append(partition_name(parent, month))
    return added


def partitions_of(connection: "psycopg.Connection[Any]", parent: str) -> list[Partition]:
    """The partitions of a table, the oldest first."""
    return [Partition(name, end) for name, end in connection.execute(_PARTITIONS, [parent]).fetchall()]


def drop_months(connection: "psycopg.Connection[Any]", parents: Iterable[str], before: datetime) -> list[str]:
    """Drops the months that ended before this moment; returns their names. The database decides which tables may."""
    dropped = []
    for parent in parents:
        for partition in partitions_of(connection, parent):
            if partition.end <= before.astimezone(UTC).date():
                connection.execute("select drop_month(%s, %s)", [parent, partition.name])
                dropped.append(partition.name)
    return dropped


def create_drop_month(op: Any, parents: Sequence[str], least_days: int) -> None:
    """Creates the function that drops months of these tables in an Alembic revision, once they ended so long ago."""
    listed = ", ".join(f"'{parent}'" for parent in parents)
    op.execute(_DROP_MONTH.format(parents=listed, days=least_days))


def create_add_month(op: Any) -> None:
    """Creates the function in an Alembic revision, unless there is one."""
    op.execute(_ADD_MONTH.replace("create function", "create or replace function", 1))

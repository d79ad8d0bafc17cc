"""Fresh databases for tests: copies of a migrated one, emptied after a test and reused by a later one.

Making a database takes some 200 ms of processor time, emptying one 10 ms. A database whose tables, rights or migration
a test changed is dropped.
"""

import fcntl
import functools
import hashlib
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.local.nodes import Nodes
from deploy.local.postgres import Postgres
from services.kit.data import migrate

DatabaseFactory = Callable[[str], str]
ROOT = Path(__file__).parents[1]
NODES_FOLDER = ROOT / ".local" / "test"

_numbers = itertools.count(1)
_idle: defaultdict[tuple[Postgres, str], list["_Database"]] = defaultdict(list)
_TRUNCATED_BYTES = 1 << 20
"""Tables from this size on are truncated, which makes new files; the rows of smaller ones are deleted."""

_SHAPE = """
select md5(string_agg(part, E'\\n' order by part)) from (
    select 'class ' || (c.relname, c.relkind, c.relacl, c.relowner, c.reloptions, c.relpersistence)::text as part
      from pg_class c where c.relnamespace = 'public'::regnamespace
    union all
    select 'column ' || (a.attrelid, a.attname, a.atttypid, a.attnotnull, a.attacl, a.attisdropped,
                         pg_get_expr(d.adbin, d.adrelid))::text
      from pg_attribute a join pg_class c on c.oid = a.attrelid
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where c.relnamespace = 'public'::regnamespace and a.attnum > 0
    union all
    select 'constraint ' || (conrelid, conname, convalidated, pg_get_constraintdef(oid))::text from pg_constraint
     where connamespace = 'public'::regnamespace
    union all
    select 'index ' || (indexrelid, indisvalid, pg_get_indexdef(indexrelid))::text
      from pg_index join pg_class c on c.oid = indexrelid where c.relnamespace = 'public'::regnamespace
    union all
    select 'trigger ' || (tgrelid, tgname, tgenabled, tgfoid)::text from pg_trigger where not tgisinternal
    union all
    select 'function ' || (proname, proowner, prosrc, proacl)::text from pg_proc
     where pronamespace = 'public'::regnamespace and prolang <> 13
    union all
    select 'sequence ' || (seqrelid, seqstart, seqincrement, seqmax)::text from pg_sequence
    union all
    select 'default rights ' || (defaclrole, defaclacl)::text from pg_default_acl
    union all
    select 'schema ' || (nspname, nspowner, nspacl)::text from pg_namespace where nspname !~ '^pg_(toast_)?temp'
    union all
    select 'database ' || (datdba, datallowconn, datconnlimit, datacl)::text
      from pg_database where datname = current_database()
    union all
    select 'settings ' || (setrole, setconfig)::text from pg_db_role_setting s join pg_database d on d.oid = setdatabase
     where d.datname = current_database()
    union all
    select 'migration ' || version_num from alembic_version
) as shape
"""

_TABLES = """
select relname, pg_relation_size(oid) from pg_class
 where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'alembic_version'
   and pg_relation_size(oid) > 0
"""


@contextmanager
def fresh_databases(nodes: Nodes) -> Iterator[DatabaseFactory]:
    """Yields `create`; `create("membership")` returns the URL of a migrated, empty database for exclusive use."""
    with ExitStack() as after:

        def create(service: str) -> str:
            idle = _idle[(nodes.postgres, service)]
            database = idle.pop() if idle else _make(nodes, service)
            after.callback(_return, nodes.postgres, service, database)
            return nodes.postgres.url(database.name)

        yield create


def unique_name(kind: str) -> str:
    """Returns a name for a database or virtual host that is unique over tests and processes."""
    return f"{kind}_{os.getpid()}_{next(_numbers)}"


def drop_idle_databases(nodes: Nodes) -> None:
    """Drops all idle databases that this process made."""
    for databases in _idle.values():
        while databases:
            nodes.postgres.drop_database(databases.pop().name)


@functools.cache
def _template(nodes: Nodes, service: str) -> str:
    """Returns a migrated database of the service to copy; makes it anew when tables or migrations have changed."""
    name = f"template_{service}_{_fingerprint(service)}"
    with (NODES_FOLDER / f"{service}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not nodes.postgres.has_database(name):
            in_making = f"{name}_in_making"
            nodes.postgres.drop_database(in_making)
            nodes.postgres.create_database(in_making)
            migrate.upgrade(service, nodes.postgres.url(in_making))
            nodes.postgres.rename_database(in_making, name)
    return name


@dataclass(frozen=True)
class _Database:
    name: str
    shape: str


def _make(nodes: Nodes, service: str) -> _Database:
    name = unique_name(service)
    nodes.postgres.create_database(name, template=_template(nodes, service))
    with _connect(nodes.postgres, name) as connection:
        return _Database(name, _shape(connection))


def _return(postgres: Postgres, service: str, database: _Database) -> None:
    """Empties the database for a later test, or drops it if its structure has changed."""
    _end_connections(postgres, database.name)
    try:
        with _connect(postgres, database.name) as connection:
            is_as_made = _shape(connection) == database.shape
            if is_as_made:
                _empty(connection)
    except psycopg.Error:
        is_as_made = False
    if is_as_made:
        _idle[(postgres, service)].append(database)
    else:
        postgres.drop_database(database.name)


def _connect(postgres: Postgres, name: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(postgres.url(name).replace("+psycopg", ""), autocommit=True)


def _end_connections(postgres: Postgres, name: str) -> None:
    """Ends all connections, such as those of a process that the test has just killed, and waits until they are gone."""
    with _connect(postgres) as connection:
        ended = "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s"
        connection.execute(ended, [name])


def _shape(connection: psycopg.Connection) -> str:
    """Returns a description of a database's tables, rights and migration."""
    row = connection.execute(_SHAPE).fetchone()
    return str(row and row[0])


def _empty(connection: psycopg.Connection) -> None:
    # Triggers protect the audit log, and foreign keys other rows; this session ignores both.
    connection.execute("set session_replication_role = replica")
    tables = connection.execute(_TABLES).fetchall()
    for name, size in tables:
        statement = "delete from {}" if size < _TRUNCATED_BYTES else "truncate {} cascade"
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
    connection.execute(
        "select setval(format('%I.%I', schemaname, sequencename), start_value, false) from pg_sequences"
        " where last_value is not null"
    )


def _fingerprint(service: str) -> str:
    sources = sorted((ROOT / "services" / service / "migrations").rglob("*.py"))
    shared = sorted((ROOT / "services" / "kit" / "data").glob("*.py"))
    month = f"{datetime.now(UTC):%Y-%m}".encode()  # tables have partitions of the months to come
    content = b"".join([month, *(path.read_bytes() for path in [*sources, *shared])])
    return hashlib.sha256(content).hexdigest()[:12]

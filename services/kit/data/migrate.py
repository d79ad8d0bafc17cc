"""Migrates one service's database to its newest revision: `python -m services.kit.data.migrate <service>`.

A service's `migrations/env.py` is one call of `run_migrations`; its `migrations/versions/` hold the steps. A revision
may have a function `prepare(connection)`, which runs before its `upgrade` outside of a transaction: for what takes long
on large tables (services/kit/data/schema/online_steps.py). It may be interrupted and run again. One after which former
code no longer works names the oldest code that does as `serves_from` (services/kit/data/schema/versions.py).
"""

import argparse
import re
import sys
import time
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text
from sqlalchemy.exc import OperationalError

from services.kit.data.primary import tool_engine
from services.kit.data.schema.versions import note_served, oldest_served, why_not_served
from services.kit.settings import database_address, run_program

SERVICES_FOLDER = Path(__file__).parents[2]


LOCK_SECONDS = 1
"""How long a migration waits for a table's lock. All who need the table, clerks included, wait behind it meanwhile."""

_PAUSE_SECONDS = 1
_PARTITION = re.compile(r"_\d{4}_\d\d$")
_LOCKED = ("55P03", "40P01")
"""SQLSTATEs: a lock that was not obtained in time, and a deadlock."""


class DatabaseIsNewer(Exception):
    """The database was migrated by a newer version of the service than this one."""


def upgrade(service: str, database_url: str, wait_seconds: float = 600) -> None:
    """Apply the outstanding migrations of a service to its database, all of them or none; those before a revision that
    prepares are one group, it begins the next.

    Two processes may do so at once: the second waits and finds nothing left to do. Where a table is locked for longer
    than LOCK_SECONDS the group is rolled back, so that others can proceed, and tried again.
    A database of a newer release stays as it is if it serves this code. Raises DatabaseIsNewer where it does not, and
    OperationalError when a table was not free within `wait_seconds`.
    """
    config = _configuration(service)
    engine = tool_engine(database_url)
    until = time.monotonic() + wait_seconds
    while True:
        try:
            _upgrade_in_groups(service, config, engine)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _LOCKED or time.monotonic() >= until:
                raise
            print(f"{service}: a table is in use; the migration gives way and tries again", file=sys.stderr)
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def check(service: str, database_url: str) -> None:
    """Raise alembic's CommandError where the service's models differ from its migrated database."""
    config = _configuration(service)
    engine = tool_engine(database_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.check(config)


def run_migrations(metadata: MetaData) -> None:
    """Run alembic's current command on its configured connection; called by each `migrations/env.py`."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=False,
        include_name=_is_no_partition,
    )
    with context.begin_transaction():
        context.run_migrations()


def _is_no_partition(name: str | None, of_type: str, _parents: object) -> bool:
    """Whether to compare a table with the models, which know a table as a whole and not its months."""
    return of_type != "table" or name is None or _PARTITION.search(name) is None


def _upgrade_in_groups(service: str, config: Config, engine: Engine) -> None:
    for revision in _preparing(config, engine):
        _upgrade_at_once(service, config, engine, str(revision.down_revision))
        _prepare(config, engine, revision)
    _upgrade_at_once(service, config, engine, "head")


def _preparing(config: Config, engine: Engine) -> list[Script]:
    """The outstanding revisions that prepare, oldest first."""
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    revisions = reversed(list(ScriptDirectory.from_config(config).walk_revisions()))
    return [one for one in revisions if _is_after(one, current) and hasattr(one.module, "prepare")]


def _is_after(revision: Script, current: str | None) -> bool:
    """Whether the database lacks it: a service's revisions are numbered."""
    return current is None or revision.revision > current


def _prepare(config: Config, engine: Engine, revision: Script) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Whoever builds an index waits for statements that wait, so none may wait here.
        while not connection.scalar(text("select pg_try_advisory_lock(hashtext('preparations'))")):
            time.sleep(_PAUSE_SECONDS)
        connection.execute(text(f"set lock_timeout = '{LOCK_SECONDS}s'"))
        try:
            if MigrationContext.configure(connection).get_current_revision() == revision.down_revision:
                revision.module.prepare(connection)
        finally:
            connection.execute(text("select pg_advisory_unlock(hashtext('preparations'))"))


def _upgrade_at_once(service: str, config: Config, engine: Engine, target: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtext('migrations'))"))
        if _is_newer(service, config, connection) or _is_reached(connection, target):
            return
        connection.execute(text(f"set local lock_timeout = '{LOCK_SECONDS}s'"))
        config.attributes["connection"] = connection
        command.upgrade(config, target)
        _note_served(config, connection)


def _note_served(config: Config, connection: Connection) -> None:
    """Remembers in the database which code its tables serve."""
    revision = str(MigrationContext.configure(connection).get_current_revision())
    reached = ScriptDirectory.from_config(config).iterate_revisions(revision, "base")
    note_served(connection, revision, oldest_served(getattr(one.module, "serves_from", None) for one in reached))


def _is_reached(connection: Connection, target: str) -> bool:
    """Whether the database is at the target or beyond it, as after another process."""
    current = MigrationContext.configure(connection).get_current_revision()
    return current is not None and target != "head" and current >= target


def _configuration(service: str) -> Config:
    folder = SERVICES_FOLDER / service / "migrations"
    if not folder.is_dir():
        raise ValueError(f"no service {service!r} with migrations in {SERVICES_FOLDER}")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _is_newer(service: str, config: Config, connection: Connection) -> bool:
    """Whether a newer release migrated the database, which serves this code. Raises DatabaseIsNewer if it does not."""
    known = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None or current in {script.revision for script in known.walk_revisions()}:
        return False
    if why_not_served(connection, str(known.get_current_head())) is None:
        return True
    raise DatabaseIsNewer(
        f"the database of {service} is at version {current}, which this code does not know and is not served by: "
        "start the newer version of the service"
    )


def _main() -> int:
    parser = argparse.ArgumentParser(description="Bring a service's database to the newest version.")
    parser.add_argument("service")
    parser.add_argument("--check", action="store_true", help="compare the models with the migrated database instead")
    arguments = parser.parse_args()
    variable = f"DATABASE_URL_{arguments.service.upper()}"
    database_url = database_address(variable)
    try:
        (check if arguments.check else upgrade)(arguments.service, database_url)
    except DatabaseIsNewer as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    run_program(_main)

"""Migrates one service's database to its newest revision: `python -m services.kit.data.migrate <service>`.

A service's `migrations/env.py` is one call of `run_migrations`; its `migrations/versions/` hold the steps.
"""

import argparse
import sys
import time
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text
from sqlalchemy.exc import OperationalError

from services.kit.data.primary import tool_engine
from services.kit.settings import database_address, run_program

SERVICES_FOLDER = Path(__file__).parents[2]


LOCK_SECONDS = 1
"""How long a migration waits for a table's lock. All who need the table, clerks included, wait behind it meanwhile."""

_PAUSE_SECONDS = 1
_LOCKED = ("55P03", "40P01")
"""SQLSTATEs: a lock that was not obtained in time, and a deadlock."""


class DatabaseIsNewer(Exception):
    """The database was migrated by a newer version of the service than this one."""


def upgrade(service: str, database_url: str, wait_seconds: float = 600) -> None:
    """Apply the outstanding migrations of a service to its database, all of them or none.

    Two processes may do so at once: the second waits and finds nothing left to do. Where a table is locked for longer
    than LOCK_SECONDS all is rolled back, so that others can proceed, and tried again.
    Raises DatabaseIsNewer when the database has a revision that this code does not know, and OperationalError when a
    table was not free within `wait_seconds`.
    """
    config = _configuration(service)
    engine = tool_engine(database_url)
    until = time.monotonic() + wait_seconds
    while True:
        try:
            _upgrade_at_once(service, config, engine)
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
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=False)
    with context.begin_transaction():
        context.run_migrations()


def _upgrade_at_once(service: str, config: Config, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtext('migrations'))"))
        _refuse_newer(service, config, connection)
        connection.execute(text(f"set local lock_timeout = '{LOCK_SECONDS}s'"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _configuration(service: str) -> Config:
    folder = SERVICES_FOLDER / service / "migrations"
    if not folder.is_dir():
        raise ValueError(f"no service {service!r} with migrations in {SERVICES_FOLDER}")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _refuse_newer(service: str, config: Config, connection: Connection) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise DatabaseIsNewer(
            f"the database of {service} is at version {', '.join(sorted(unknown))}, which this code does not know: "
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

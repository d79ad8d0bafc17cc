"""The fence around a restored database: it takes no changes until it is reconciled with the other services.

The database itself refuses changes, so that no process of the service can give out a number or an order, whatever
release it is: queries are answered, commands get `database_read_only`, consumers keep their messages, and the relay
publishes nothing. A comment on the database says why; /readyz and the operators' page show it.
"""

from datetime import datetime

from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

_MARK = "restored to "
_COMMENT = text("select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()")
_END_OTHERS = text(
    "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database()"
    " and usename = current_user and pid <> pg_backend_pid()"
)


def raise_fence(connection: Connection, restored_to: datetime) -> None:
    """Lets a restored database take no changes; the connection is its owner's. For connections that come later."""
    database = _database(connection)
    connection.execute(text(f"comment on database {database} is '{_MARK}{restored_to.isoformat()}'"))
    connection.execute(text(f"alter database {database} set default_transaction_read_only = on"))


def lift_fence(connection: Connection) -> None:
    """Lets the database take changes again; the connection is its owner's. For connections that come later."""
    connection.execute(text("set transaction read write"))
    database = _database(connection)
    connection.execute(text(f"alter database {database} reset default_transaction_read_only"))
    connection.execute(text(f"comment on database {database} is null"))


def restored_to(connection: Connection) -> datetime | None:
    """The moment to which a fenced database was restored; None for one without a fence."""
    comment = str(connection.scalar(_COMMENT) or "")
    return datetime.fromisoformat(comment.removeprefix(_MARK)) if comment.startswith(_MARK) else None


def pass_fence(session: Session) -> None:
    """Lets a session's transaction change a fenced database; it must be the first statement."""
    session.execute(text("set transaction read write"))


def end_other_connections(engine: Engine) -> int:
    """Ends the connections of the engine's role that began before the fence fell; pools make new ones."""
    with engine.connect() as connection:
        return int(connection.scalar(_END_OTHERS) or 0)


def _database(connection: Connection) -> str:
    return str(connection.scalar(text("select quote_ident(current_database())")))

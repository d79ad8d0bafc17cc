"""Steps of migrations that nobody waits for, although a table is large: for the `prepare` of an Alembic revision.

They commit one by one and find what an interrupted run has done already.
"""

from sqlalchemy import Connection, text

_INDEX = """
select am.amname as method, index.indisvalid as is_valid
from pg_class as class join pg_index as index on index.indexrelid = class.oid join pg_am as am on am.oid = class.relam
where class.relname = :name and class.relnamespace = 'public'::regnamespace
"""
_SORTED = (("inbox", "handled_at"), ("handled_request", "at"))


def add_index(connection: Connection, name: str, definition: str, *, unique: bool = False) -> None:
    """Builds an index while others write, unless there is one; `definition` is what follows `on`."""
    found = connection.execute(text(_INDEX), {"name": name}).first()
    if found is not None and found.is_valid:
        return
    # Building waits for all transactions that began before; nobody waits behind it.
    connection.execute(text("set lock_timeout = 0"))
    if found is not None:
        connection.execute(text(f"drop index concurrently {name}"))
    connection.execute(text(f"create {'unique ' if unique else ''}index concurrently {name} on {definition}"))


def sort_indexes_of_moments(connection: Connection) -> None:
    """Builds B-trees in place of the block ranges by which old rows of the kit's tables were found.

    A range that once held an old row counts as old for ever, so that more and more rows were read in vain.
    """
    for table, moment in _SORTED:
        if _method(connection, f"ix_{table}_{moment}") == "brin":
            add_index(connection, f"ix_{table}_{moment}_sorted", f"{table} ({moment})")


def swap_indexes_of_moments(connection: Connection) -> None:
    """Replaces the former indexes by those of `sort_indexes_of_moments`, in the revision itself."""
    for table, moment in _SORTED:
        name = f"ix_{table}_{moment}"
        if _method(connection, f"{name}_sorted") is not None:
            connection.execute(text(f"drop index {name}"))
            connection.execute(text(f"alter index {name}_sorted rename to {name}"))


def _method(connection: Connection, name: str) -> str | None:
    found = connection.execute(text(_INDEX), {"name": name}).first()
    return None if found is None else str(found.method)

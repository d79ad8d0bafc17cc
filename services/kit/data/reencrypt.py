"""Encrypts a service's encrypted columns anew with the current key, while the service works.

`python -m services.kit.data.reencrypt <service>`, on the database of DATABASE_URL_<SERVICE>. It skips values under the
current key, so it can be stopped at any moment and started again.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Row,
    Table,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
    update,
)

from services.kit.data.bulk import values_table
from services.kit.data.database import EncryptedBytes, EncryptedText, outbox
from services.kit.data.encryption import encrypted_prefix, keyring, token_prefix
from services.kit.data.primary import tool_engine
from services.kit.settings import SettingsError, database_address

CHUNK = 500
"""Rows in one transaction, so that others wait for a row some milliseconds at most."""

_WAIT_SECONDS = 60.0
_PAUSE_SECONDS = 0.2

Say = Callable[[str], None]


@dataclass(frozen=True)
class EncryptedTable:
    """A table and its encrypted columns."""

    table: Table
    columns: tuple[Column[Any], ...]

    @property
    def keys(self) -> tuple[Column[Any], ...]:
        """The primary key."""
        return tuple(self.table.primary_key.columns)


def encrypted_tables(metadata: MetaData) -> list[EncryptedTable]:
    """The tables that have encrypted columns."""
    found = []
    for table in metadata.sorted_tables:
        columns = tuple(one for one in table.columns if isinstance(one.type, (EncryptedText, EncryptedBytes)))
        if columns:
            found.append(EncryptedTable(table, columns))
    return found


def reencrypt(engine: Engine, metadata: MetaData, say: Say = print) -> int:
    """Encrypts all values anew with the current key; returns how many rows are left because others had them locked.

    Locked rows are skipped and tried again in the next round, and so are rows that are added meanwhile.
    """
    return sum(_reencrypt_table(engine, one, say) for one in encrypted_tables(metadata))


def uses_of_key(engine: Engine, metadata: MetaData, key_id: str) -> Counter[str]:
    """How many rows of each table need a key: in encrypted columns, within messages that wait in the outbox, or for
    something outside of the database, as columns with NAMES_KEYS say.
    """
    uses: Counter[str] = Counter()
    prefix = encrypted_prefix(key_id)
    for one in encrypted_tables(metadata):
        uses[one.table.name] += _count(engine, one.table, _is_under(one, prefix))
    for column in (one for table in metadata.sorted_tables for one in table.columns if one.info.get("names_keys")):
        uses[column.table.name] += _count(engine, column.table, column.contains([key_id]))
    token = token_prefix(key_id).encode()
    with engine.connect() as connection:
        bodies = connection.execution_options(yield_per=CHUNK).scalars(select(outbox.c.body))
        uses["outbox"] += sum(token in body for body in bodies)
    return +uses


def metadata_of(service: str) -> MetaData:
    """The tables of a service."""
    found: MetaData = import_module(f"services.{service}.models").Base.metadata
    return found


def _reencrypt_table(engine: Engine, one: EncryptedTable, say: Say) -> int:
    """Repeats rounds until only rows are left that others keep locked; returns how many."""
    begun = at_work = time.monotonic()
    changed = 0
    while True:
        in_this_round = _go_round(engine, one)
        changed += in_this_round
        left = 0 if in_this_round else _count(engine, one.table, _is_under_another_key(one))
        if in_this_round:
            at_work = time.monotonic()
        elif not left or time.monotonic() > at_work + _WAIT_SECONDS:
            break
        else:
            time.sleep(_PAUSE_SECONDS)
    seconds = time.monotonic() - begun
    say(f"  {one.table.name}: {changed} rows in {seconds:.1f} s, {changed / seconds:.0f} a second; {left} left")
    return left


def _go_round(engine: Engine, one: EncryptedTable) -> int:
    """Goes through a table once by its primary key, a chunk a transaction; returns how many rows it changed."""
    changed = 0
    after: ColumnElement[bool] = true()
    while True:
        with engine.begin() as connection:
            stale = select(*one.keys, *one.columns).where(_is_under_another_key(one), after).order_by(*one.keys)
            # Others wait for us no longer than a chunk takes, and we wait for nobody, so there is no deadlock.
            rows = connection.execute(stale.limit(CHUNK).with_for_update(key_share=True, skip_locked=True)).all()
            if not rows:
                return changed
            _write(connection, one, rows)
        changed += len(rows)
        last = (literal(value, key.type) for value, key in zip(rows[-1], one.keys, strict=False))
        after = tuple_(*one.keys) > tuple_(*last)


def _write(connection: Connection, one: EncryptedTable, rows: Sequence[Row[Any]]) -> None:
    """Writes the values back, which encrypts them with the current key."""
    columns = (*one.keys, *one.columns)
    fresh = values_table("fresh", {column.name: column.type for column in columns}, [tuple(row) for row in rows])
    connection.execute(
        update(one.table)
        .where(*(key == fresh.c[key.name] for key in one.keys))
        .values({column.name: fresh.c[column.name] for column in one.columns})
    )


def _is_under(one: EncryptedTable, prefix: bytes) -> ColumnElement[bool]:
    return or_(*(_beginning(column, len(prefix)) == prefix for column in one.columns))


def _is_under_another_key(one: EncryptedTable) -> ColumnElement[bool]:
    prefix = keyring().prefix()
    return or_(*(_beginning(column, len(prefix)) != prefix for column in one.columns))


def _beginning(column: Column[Any], length: int) -> ColumnElement[bytes]:
    return func.substring(type_coerce(column, LargeBinary), 1, length, type_=LargeBinary)


def _count(engine: Engine, table: Table, condition: ColumnElement[bool]) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table).where(condition)) or 0


def _main() -> int:
    parser = argparse.ArgumentParser(description="Bring a service's encrypted columns under the current key.")
    parser.add_argument("service")
    parser.add_argument("--needs", metavar="KEY", help="say instead what needs this key")
    arguments = parser.parse_args()
    service = arguments.service
    variable = f"DATABASE_URL_{service.upper()}"
    try:
        database_url = database_address(variable)
        if not database_url:
            print(f"{variable} is not set", file=sys.stderr)
            return 2
        engine, metadata = tool_engine(database_url), metadata_of(service)
        current = keyring().key_ids()[0]
    except (SettingsError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.needs:
        for table, count in uses_of_key(engine, metadata, arguments.needs).items():
            print(f"{count} rows of {service}.{table}")
        return 0
    print(f"{service}: key {current}", flush=True)
    left = reencrypt(engine, metadata)
    if left:
        print(f"{left} rows are held by others: run it again", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(_main())

"""Generates docs/databases/ from the models: an entity diagram and a list of tables for each service."""

from collections.abc import Iterator
from importlib import import_module

from sqlalchemy import Column, ForeignKeyConstraint, Index, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase

from deploy.permissions import SERVICES
from services.kit.data.database import EncryptedText

_HEAD = """# The database of {service}

Made from `services/{service}/models.py` by `make docs` (`deploy/databases_document.py`); do not edit. `PK` is a primary
key, `FK` a foreign key, `UK` unique by itself. An `encrypted` column holds AES-256-GCM text that the database cannot
read. `audit_head`, `handled_request`, `inbox` and `outbox` are the same in every database
([architecture.md](../architecture.md)).
"""

_OF_THE_KIT = {
    "audit_head": "The heads of the audit log that the service remembers, as membership signed them.",
    "handled_request": "A command that was answered, so that its repetition gets the same answer.",
    "inbox": "A message that a consumer has handled, so that its repetition has no effect.",
    "outbox": "A message that waits until the broker has confirmed each of its copies.",
}


def texts() -> dict[str, str]:
    """Returns each service's document by file name."""
    return {f"{service}.md": _text(service) for service in SERVICES}


def base_of(service: str) -> type[DeclarativeBase]:
    """Returns the base of a service's models, which knows all its tables."""
    base: type[DeclarativeBase] = import_module(f"services.{service}.models").Base
    return base


def meanings(base: type[DeclarativeBase]) -> dict[str, str]:
    """Returns what each table holds, by its name."""
    return _OF_THE_KIT | {str(mapper.local_table): _meaning(mapper.class_) for mapper in base.registry.mappers}


def _text(service: str) -> str:
    base = base_of(service)
    diagram = "\n".join(_diagram(base.metadata))
    return f"{_HEAD.format(service=service)}\n```mermaid\nerDiagram\n{diagram}\n```\n\n{_list_of_tables(base)}\n"


def _diagram(metadata: MetaData) -> Iterator[str]:
    """Yields the lines of a Mermaid diagram: each table with its columns, then each foreign key."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.name)
    for table in tables:
        yield f"    {table.name} {{"
        yield from (f"        {_type_of(column)} {column.name}{_keys_of(column)}" for column in table.columns)
        yield "    }"
    for table in tables:
        yield from (_relation(table, constraint) for constraint in _foreign_keys(table))


def _relation(table: Table, constraint: ForeignKeyConstraint) -> str:
    may_lack = any(column.nullable for column in constraint.columns)
    names = ", ".join(column.name for column in constraint.columns)
    return f'    {constraint.referred_table.name} {"|o" if may_lack else "||"}--o{{ {table.name} : "{names}"'


def _foreign_keys(table: Table) -> list[ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda one: (sorted(one.column_keys), one.referred_table.name))


def _type_of(column: "Column[object]") -> str:
    """Returns the column's type as one word, as Mermaid requires."""
    if isinstance(column.type, EncryptedText):
        return "encrypted"
    name = column.type.compile(postgresql.dialect()).lower().replace(" with time zone", "tz")
    return name.partition(" collate")[0].replace("double precision", "float").partition("(")[0].replace(" ", "_")


def _keys_of(column: "Column[object]") -> str:
    keys = [
        *(["PK"] if column.primary_key else []),
        *(["FK"] if column.foreign_keys else []),
        *(["UK"] if column.unique else []),
    ]
    return f" {', '.join(keys)}" if keys else ""


def _list_of_tables(base: type[DeclarativeBase]) -> str:
    holds = meanings(base)
    rows = (
        f"| `{table.name}` | {holds[table.name]} | {_indexes(table)} |"
        for table in sorted(base.metadata.tables.values(), key=lambda table: table.name)
    )
    return "\n".join(("| table | holds | indexes besides the primary key |", "|---|---|---|", *rows))


def _meaning(model: type[object]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _indexes(table: Table) -> str:
    return ", ".join(sorted(_index(index) for index in table.indexes)) or "–"


def _index(index: Index) -> str:
    columns = ", ".join(part.name if isinstance(part, Column) else str(part) for part in index.expressions)
    partial = " (partly)" if index.dialect_options["postgresql"]["where"] is not None else ""
    return f"{'unique ' if index.unique else ''}`{columns}`{partial}"

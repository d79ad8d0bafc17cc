"""Generates docs/operations/retention.md: how long each table keeps its rows, and why."""

from collections.abc import Sequence
from importlib import import_module

from deploy import databases_document
from deploy.permissions import SERVICES
from services.kit.data.retention import OF_THE_KIT, Days, Expiring, Monthly, Table, Transient
from services.kit.settings import settings_of

_HEAD = """# Retention

Made from `services/*/retention.py` by `make docs` (`deploy/retention_document.py`); do not edit. What each table holds,
how long, by which setting, and why. A table without a line here fails `make check`.

Each process of a service looks every hour (`RETENTION_MINUTES`) for rows whose term has passed, and one process at a
time deletes them: a thousand rows in one short transaction after another, found by an index, without waiting for rows
that somebody has locked. Each time it logs `retention_done` with the rows of each table, or `retention_failed`;
`retention_rows_deleted_total` and `retention_finished_timestamp_seconds` are its [metrics](../metrics.md),
`RetentionStopped` its [alert](runbooks/RetentionStopped.md). A term takes effect with the next start of the processes.
Change one only by a decision of the organization that answers for the data: what was deleted is in backups alone.

Deleted rows leave space that later rows of the table use. `vacuum full` or `pg_repack` give it back to the disk, which
is worth it only after the first deletion of years of data.
"""


def text() -> str:
    """Returns the document. Raises LookupError for a table without retention, or a retention without table."""
    return _HEAD + "".join(
        [
            _section("Every service", OF_THE_KIT, databases_document.meanings(databases_document.base_of(SERVICES[0]))),
            *(_section(service, _own(service), _holds(service)) for service in SERVICES),
        ]
    )


def retention_of(service: str) -> Sequence[Table]:
    """Returns the retention of all tables of a service."""
    tables: Sequence[Table] = import_module(f"services.{service}.retention").TABLES
    return tables


def _own(service: str) -> list[Table]:
    tables = retention_of(service)
    named, there = [one.table for one in tables], set(databases_document.base_of(service).metadata.tables)
    if len(named) != len(there) or set(named) != there:
        differing = ", ".join(sorted(set(named) ^ there)) or "a table is named twice"
        raise LookupError(f"services/{service}/retention.py and the tables of {service} differ: {differing}")
    return [one for one in tables if one not in OF_THE_KIT]


def _holds(service: str) -> dict[str, str]:
    return databases_document.meanings(databases_document.base_of(service))


def _section(title: str, tables: Sequence[Table], holds: dict[str, str]) -> str:
    rows = "".join(
        f"| `{one.table}` | {holds[one.table]} | {_term(one)} | {_setting(one)} | {one.why} |\n"
        for one in sorted(tables, key=lambda one: one.table)
    )
    return f"\n## {title}\n\n| table | holds | term | setting | reason |\n|---|---|---|---|---|\n{rows}"


def _term(one: Table) -> str:
    if isinstance(one, Transient):
        return f"until {one.until}"
    if isinstance(one, Monthly):
        return f"{_default_of(one.term):g} days after its month; then {one.then}"
    if not isinstance(one, Expiring):
        return "no end"
    days = _default_of(one.term) if isinstance(one.term, Days) else one.term
    if not days:
        return f"when {one.since}"
    return f"{days:g} {'day' if days == 1 else 'days'} after {one.since}"


def _setting(one: Table) -> str:
    return f"`{one.term.variable}`" if isinstance(one, (Expiring, Monthly)) and isinstance(one.term, Days) else "–"


def _default_of(term: Days) -> float:
    (default,) = (setting.default for setting in settings_of(term.settings) if setting.name == term.field)
    return float(default)

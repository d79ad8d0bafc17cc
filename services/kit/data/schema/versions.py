"""The version of a database's tables, and from which one on the code that works with it.

A revision's `serves_from` says which code still works with its tables: that of a revision from there on. Revisions that
only add say nothing. The database remembers it in a comment, so that code which is older than the tables knows
whether it is served: an upgrade can be taken back, and the tables stay.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, text

FIRST = "0001"
_COMMENT = re.compile(r"(\d{4}) serves code from (\d{4})")
_FOUND = text("select version_num, obj_description('alembic_version'::regclass, 'pg_class') from alembic_version")


@cache
def head_revision(service_folder: Path) -> str | None:
    """The newest revision of a service's migrations, by their file names; None where there are none.

    Alembic knows it too, but takes half as long to load as a service.
    """
    names = sorted(path.name for path in (service_folder / "migrations" / "versions").glob("v[0-9]*.py"))
    return names[-1][1:5] if names else None


def why_not_served(connection: Connection, code: str) -> str | None:
    """Why code of this revision cannot work with the database's tables; None where it can."""
    found, comment = _version_and_comment(connection)
    if found == code or serves(comment, found, code):
        return None
    return f"the database is at {found or 'no version'}, the code at {code}"


def serves(comment: str, found: str, code: str) -> bool:
    """Whether a comment says that a database which is found at a revision serves code of an older one."""
    said = _COMMENT.fullmatch(comment)
    return said is not None and said[1] == found and said[2] <= code < found


def note_served(connection: Connection, revision: str, oldest: str) -> None:
    """Remembers from which revision on code works with the tables of this one; the connection is their owner's.

    Changes nothing where that is known already, for a database may be read-only.
    """
    note = f"{int(revision):04} serves code from {int(oldest):04}"
    if _version_and_comment(connection)[1] != note:
        connection.execute(text(f"comment on table alembic_version is '{note}'"))


def oldest_served(declared: Iterable[str | None]) -> str:
    """From which revision on code works with tables whose revisions have declared this."""
    return max((one for one in declared if one), default=FIRST)


def _version_and_comment(connection: Connection) -> tuple[str, str]:
    """The revision that the database is at, empty if at none, and what it says of the code that it serves."""
    row = connection.execute(_FOUND).first()
    return (row[0], row[1] or "") if row else ("", "")

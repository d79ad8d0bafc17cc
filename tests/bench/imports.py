"""The import of a sheet of 100,000 members, compared with only reading the file and only copying the rows."""

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from openpyxl import Workbook, load_workbook
from python_calamine import CalamineWorkbook
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from deploy.local.client import ApiClient, wait_until
from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from services.membership.imports.headings import HEADINGS
from services.membership.imports.sheet_reader import Row as SheetRow
from services.membership.imports.sheet_reader import read_file
from services.membership.imports.sheets import DOCUMENT_TYPE_WORDS, SEX_WORDS
from tests.bench.clerks import add_clerk
from tests.bench.environment import Options, fresh_database, fresh_vhost, plain_url, running_service
from tests.bench.people import make_people
from tests.bench.report import Report, Row
from tests.unlimited import UNLIMITED

TITLE = "Imports"
ROWS = 100_000
_LONGEST_SECONDS = 900
_SHEET = "members.xlsx"


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Imports one sheet through the API, then reads it and copies its rows."""
    rows = 2_000 if options.quick else ROWS
    sheet = _sheet(rows)
    with fresh_database(on, "membership") as database_url:
        with _client(on, secrets, database_url) as client:
            began = time.monotonic()
            path = f"members/imports/{client.upload('members/imports', _SHEET, sheet)['import_id']}"
            wait_until(lambda: _has_left(client, path, "reading"), "the preview is there", _LONGEST_SECONDS)
            previewed = time.monotonic() - began
            client.post(f"{path}/confirm")
            done = wait_until(lambda: _has_left(client, path, "running"), "the import is done", _LONGEST_SECONDS)
            took = time.monotonic() - began
        accepted, rejected = done["rows_accepted"], done["rows_rejected"]
        if accepted + rejected != rows or rejected * 20 > rows:
            raise RuntimeError(f"Of {rows} rows {accepted} were accepted and {rejected} rejected.")
        parsing, reading = _time_to_parse(sheet, rows), _time_to_read(sheet, rows)
        former = _time_by_openpyxl(sheet, rows)
        copying = _time_to_copy(database_url, accepted)
    return Report(
        "imports",
        TITLE,
        [
            _row(f"Read {rows:,} rows of an .xlsx", f"floor: calamine alone {parsing:.1f} s", reading, parsing),
            _row(f"Read {rows:,} rows of an .xlsx", f"peer: openpyxl, read-only {former:.1f} s", reading, former),
            _row(f"Preview {rows:,} members of an .xlsx", f"floor: calamine alone {parsing:.1f} s", previewed, parsing),
            _row(f"Import {rows:,} members from an .xlsx", f"floor: calamine alone {parsing:.1f} s", took, parsing),
            _row(f"Import {rows:,} members from an .xlsx", f"floor: COPY of the rows {copying:.1f} s", took, copying),
        ],
        _HOW.format(size=f"{len(sheet) / 2**20:.1f}", speed=f"{rows / took:,.0f}"),
    )


def _row(what: str, floor: str, took: float, compared: float) -> Row:
    return Row(what, floor, f"{took:.1f} s", f"{took / compared:.1f} times", "–", None)


@contextmanager
def _client(on: Nodes, secrets: dict[str, str], database_url: str) -> Iterator[ApiClient]:
    engine = create_engine(database_url)
    with Session(engine) as session, session.begin():
        clerk = add_clerk(session, 1)
    engine.dispose()
    port = hold_port()
    with fresh_vhost(on) as amqp_uri:
        environment = {**secrets, **UNLIMITED, "AMQP_URI": amqp_uri, "ENVIRONMENT": "demo"}
        with (
            running_service("services.membership.service", {**environment, "DATABASE_URL": database_url}),
            running_service("gateway.service", {**environment, "GATEWAY_PORT": str(port)}),
        ):
            yield clerk.sign_in(f"http://{LOOPBACK}:{port}")


def _sheet(rows: int) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(list(HEADINGS))
    for person in make_people(0, rows):
        sheet.append([_cell(field, person) for field in HEADINGS.values()])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _cell(field: str, person: Mapping[str, Any]) -> str:
    words = {"document_type": DOCUMENT_TYPE_WORDS, "sex": SEX_WORDS}.get(field)
    value = person.get(field) or ""
    return words[value] if words else str(value)


def _has_left(client: ApiClient, path: str, state: str) -> dict[str, Any] | None:
    job: dict[str, Any] = client.get(path)
    return None if job["state"] == state else job


def _time_to_parse(sheet: bytes, rows: int) -> float:
    """Returns the seconds that the parser takes for all values."""
    began = time.monotonic()
    book = CalamineWorkbook.from_filelike(io.BytesIO(sheet))
    read = sum(1 for _ in book.get_sheet_by_index(0).iter_rows()) - 1
    return _since(began, read, rows)


def _time_by_openpyxl(sheet: bytes, rows: int) -> float:
    """Returns the seconds that the parser of former releases takes."""
    began = time.monotonic()
    book = load_workbook(io.BytesIO(sheet), read_only=True, data_only=True)
    read = sum(1 for _ in book.worksheets[0].iter_rows(values_only=True)) - 1
    return _since(began, read, rows)


def _time_to_read(sheet: bytes, rows: int) -> float:
    """Returns the seconds that the product takes, in a separate process with checks of the file, to make rows."""
    began = time.monotonic()
    read = sum(1 for found in read_file(sheet) if isinstance(found, SheetRow))
    return _since(began, read, rows)


def _since(began: float, read: int, rows: int) -> float:
    if read != rows:
        raise RuntimeError(f"{read} of {rows} rows were read.")
    return time.monotonic() - began


def _time_to_copy(database_url: str, rows: int) -> float:
    """Returns the seconds to copy the imported rows into an empty table with the same indexes, and to commit."""
    with psycopg.connect(plain_url(database_url)) as database, database.cursor() as cursor:
        with cursor.copy("copy member to stdout (format binary)") as copy:
            content = [bytes(part) for part in copy]
        cursor.execute("create table copied (like member including all)")
        database.commit()
        began = time.monotonic()
        with cursor.copy("copy copied from stdin (format binary)") as copy:
            for part in content:
                copy.write(part)
        database.commit()
        took = time.monotonic() - began
        copied = cursor.execute("select count(*) from copied").fetchall()[0][0]
    if copied != rows:
        raise RuntimeError(f"{copied} of {rows} rows were copied.")
    return took


_HOW = """
A clerk uploads an .xlsx of {size} MB through the HTTP API, confirms the preview as soon as it is ready, and polls until
the import is finished, when all its members have their numbers: {speed} rows a second. A gateway and a
membership service, one process each; one row in forty has a wrong check digit and is rejected. The service stores
the file, lets a separate process read it, stores its rows (so that a restarted import resumes at the last committed
part), checks each for the preview and again as a form is checked, encrypts it, finds duplicates, registers a thousand
a transaction, records audit events, publishes events, and assigns numbers meanwhile.

- **calamine alone** reads all values of the file and does nothing with them.
- **openpyxl, read-only** does the same: former releases used it.
- **COPY alone** is a binary COPY of the finished rows into an empty table like theirs with all its indexes, and the
  commit.

What bounds it: one process on one core, most of it Python: checking each row twice, and encrypting it.
"""

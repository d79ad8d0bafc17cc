"""The audit log by months: old ones go to files that the chain leads through, and nothing is lost on the way."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.script import Script
from sqlalchemy import Engine, create_engine, make_url, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from deploy.local import postgres
from deploy.local.client import wait_until
from deploy.local.nodes import Nodes
from services.kit.data import migrate, months
from services.kit.data.encryption import Keyring
from services.kit.data.reencrypt import reencrypt, uses_of_key
from services.kit.data.retention import RetentionError
from services.kit.secret_values import Key
from services.membership.audit import audit_archive, audit_log
from services.membership.audit.audit_archive import MONTHLY, NotArchived, archive_old, entries_of, maintain
from services.membership.audit.audit_chain import START, AuditKeys, AuditSettings, BrokenChain, Head
from services.membership.audit.audit_verify import LostRange, TimedHead, verify
from services.membership.models import AuditArchive, AuditEntry, AuditScope, Base
from services.membership.retention import AuditTerms
from tests.databases import ROOT, unique_name
from tests.integration.membership.office import Office
from tests.mothers import an_audit_event

KEYS = AuditKeys.from_text(os.environ["AUDIT_KEYS"])
JANUARY, FEBRUARY = date(2020, 1, 1), date(2020, 2, 1)
LATER = datetime(2021, 1, 1, tzinfo=UTC)
Connection = psycopg.Connection[Any]


class Log:
    """An audit log whose clock the test sets; January and February 2020 have partitions."""

    def __init__(self, office: Office, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.office, self.folder = office, folder
        self._monkeypatch = monkeypatch
        self.url = office.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with self.connect() as connection:
            for parent in MONTHLY:
                for month in (JANUARY, FEBRUARY):
                    connection.execute(
                        f"create table {months.partition_name(parent, month)} partition of {parent} for values from"
                        f" ('{month}') to ('{months.later(month)}')"
                    )

    def connect(self) -> Connection:
        return psycopg.connect(self.url, autocommit=True)

    def append(self, month: date | None, count: int = 3) -> list[Head]:
        """Appends entries in a month, or now; returns the heads."""
        heads = []
        with self._monkeypatch.context() as clock:
            if month is not None:
                clock.setattr(audit_log, "month_of", lambda _: month)
            for _ in range(count):
                with self.office.begin() as session:
                    event = an_audit_event(union_id=self.office.union.union_id)
                    heads.append(audit_log.append(session, KEYS, [(event, None)]))
        return [head for head in heads if head]

    def archive(self, before: datetime = LATER) -> list[str]:
        with self.connect() as connection:
            return archive_old(connection, KEYS, self.folder, before)

    def verified(self, *known: Head, files: bool = True, lost: tuple[LostRange, ...] = ()) -> Head:
        with self.office.begin() as session:
            return verify(session, KEYS, known, lost, self.folder if files else None)

    def why_broken(self, *known: Head, files: bool = True) -> str:
        with pytest.raises(BrokenChain) as broken:
            self.verified(*known, files=files)
        return str(broken.value)

    def positions(self) -> list[int]:
        with self.office.begin() as session:
            return list(session.scalars(select(AuditEntry.position).order_by(AuditEntry.position)))

    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    def as_superuser(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in ("set session_replication_role = replica", *statements):
                connection.execute(statement)


@pytest.fixture
def log(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    folder = tmp_path / "archives"
    folder.mkdir()
    return Log(office, folder, monkeypatch)


@pytest.fixture
def archived(log: Log) -> Log:
    """Entries 1 to 3 are in January's archive, 4 to 6 in February's, 7 to 9 in the database."""
    for month in (JANUARY, FEBRUARY, None):
        log.append(month)
    assert log.archive() == ["2020_01", "2020_02"]
    return log


def test_an_old_month_goes_to_a_file_and_the_chain_leads_on(log: Log) -> None:
    heads = [head for month in (JANUARY, FEBRUARY, None) for head in log.append(month)]
    before = log.verified()

    assert log.archive(datetime(2020, 2, 1, tzinfo=UTC)) == ["2020_01"]

    assert log.positions() == [4, 5, 6, 7, 8, 9]
    assert [file.name for file in log.files()] == ["audit-000000000001-000000000003.jsonl.gz"]
    assert log.verified(*heads) == log.verified(*heads, files=False) == before == heads[-1]
    with log.office.begin() as session:
        assert len(set(session.scalars(select(AuditScope.act_id)))) == 6


def test_a_month_that_has_not_ended_stays(log: Log) -> None:
    log.append(JANUARY)
    assert log.archive(datetime(2020, 1, 31, 23, 59, tzinfo=UTC)) == []
    assert log.archive(datetime(2020, 2, 1, tzinfo=UTC)) == ["2020_01"]


def test_the_file_holds_what_was_recorded(log: Log) -> None:
    log.append(JANUARY)
    with log.office.begin() as session:
        recorded = {one.position: one for one in session.scalars(select(AuditEntry))}
    log.archive()

    [file] = log.files()
    assert file.stat().st_mode & 0o777 == 0o600
    for position, entry in entries_of(file):
        assert entry["act_id"] == str(recorded[position].act_id)
        assert entry["unions"] == [str(one) for one in recorded[position].unions]
        assert entry["at"] == recorded[position].at.astimezone(UTC).isoformat()
        assert entry["hash"] == recorded[position].hash
    assert b"138****0000" not in gzip.decompress(file.read_bytes())


def test_a_month_without_entries_leaves_no_file(log: Log) -> None:
    log.append(FEBRUARY)
    assert log.archive() == ["2020_01", "2020_02"]
    assert [file.name for file in log.files()] == ["audit-000000000001-000000000003.jsonl.gz"]


def test_entries_follow_the_archive_where_the_database_has_none(log: Log) -> None:
    log.append(JANUARY)
    log.archive()
    assert log.positions() == []
    assert log.verified().position == 3
    log.append(None)
    assert log.positions() == [4, 5, 6]
    assert log.verified().position == 6


def test_nothing_goes_twice(archived: Log) -> None:
    files = {file: file.read_bytes() for file in archived.files()}
    assert archived.archive() == []
    assert {file: file.read_bytes() for file in archived.files()} == files


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _rewrite(file: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    entries = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    change(entries)
    file.write_bytes(gzip.compress("".join(f"{json.dumps(one)}\n" for one in entries).encode(), mtime=0))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (_flip, "was changed"),
        (Path.unlink, "is missing"),
        (lambda file: _rewrite(file, lambda entries: entries[1].update(account_name="nobody")), "was changed"),
        (lambda file: _rewrite(file, lambda entries: entries.pop()), "was changed"),
    ],
    ids=["bit", "removed", "entry changed", "entry removed"],
)
def test_a_tampered_file_is_named(archived: Log, number: int, tamper: Callable[[Path], Any], why: str) -> None:
    file = archived.files()[number]
    tamper(file)
    assert archived.why_broken() == f"the archive {file.name} {why}"
    assert archived.verified(files=False).position == 9


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("update audit_archive set last_hash = previous_hash", "what is remembered of the archive of entries 1 to 3"),
        ("update audit_archive set file_digest = '' where first_position = 4", "of the archive of entries 4 to 6"),
        ("update audit_archive set key_id = 'k9'", "what is remembered of the archive of entries 1 to 3"),
        ("delete from audit_archive where first_position = 1", "the archive of the entries from 1 on is missing"),
        ("delete from audit_archive where first_position = 4", "entries 4 to 6 are missing"),
        ("delete from audit_archive", "entries 1 to 6 are missing"),
        ("delete from audit_entry where position = 7", "entry 7 is missing"),
        ("update audit_entry set outcome = 'refused' where position = 7", "entry 7 was changed"),
    ],
)
def test_what_the_superuser_changes_at_the_border_is_named(archived: Log, statement: str, why: str) -> None:
    archived.as_superuser(statement)
    for files in (True, False):
        assert why in archived.why_broken(files=files)


def test_who_has_no_key_cannot_make_an_archive_of_fewer_entries(archived: Log) -> None:
    """An attacker with the database and the files, who drops a month and lets the archive before it lead on."""
    archived.files()[1].unlink()
    archived.as_superuser(
        "delete from audit_archive where first_position = 4",
        "update audit_archive set last_position = 6, last_hash = (select previous_hash from audit_entry where"
        " position = 7)",
    )
    for files in (True, False):
        assert "was changed" in archived.why_broken(files=files)


def test_the_command_verifies_the_files_or_says_that_it_did_not(archived: Log) -> None:
    def command(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "services.membership.audit.audit_verify", *arguments],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": archived.url, **settings},
            capture_output=True,
            text=True,
            check=False,
        )

    folder = str(archived.folder)
    without = command()
    assert (without.returncode, without.stdout.splitlines()[1]) == (
        0,
        "entries 1 to 6 are in 2 archives, whose files were not read",
    )
    for done in (command("--archives", folder), command(AUDIT_ARCHIVE_FOLDER=folder)):
        assert done.stdout.startswith("9 entries, chain intact to 9:")
        assert done.stdout.splitlines()[1] == "entries 1 to 6 are in 2 archives, verified as well"
    _flip(archived.files()[0])
    broken = command("--archives", folder)
    name = archived.files()[0].name
    assert (broken.returncode, broken.stderr) == (1, f"the audit log does not hold: the archive {name} was changed\n")


def test_a_head_that_was_written_down_is_found_in_the_archive(log: Log) -> None:
    heads = log.append(JANUARY) + log.append(None)
    log.archive()
    forged = Head(2, bytes(32))

    assert log.verified(*heads).position == 6
    assert log.why_broken(*heads, forged) == "entry 2 is not the one whose hash was written down"
    assert log.verified(*heads, forged, files=False).position == 6
    assert log.why_broken(Head(3, bytes(32)), files=False) == "entry 3 is not the one whose hash was written down"


def test_a_restored_log_leads_through_its_archives_and_lacks_only_what_is_named_as_lost(
    archived: Log, nodes: Nodes, tmp_path: Path
) -> None:
    """January and February are in files; what comes after the backup is lost."""
    with restored(archived, nodes, tmp_path / "dump") as again:
        lost = signed(archived.append(None))
        assert partitions(again) == partitions(archived.url)
        assert verified_of(again, archived.folder).position == 9
        with pytest.raises(BrokenChain, match="entries 10 to 12 are missing: the end was cut off"):
            verified_of(again, archived.folder, lost)
        assert verified_of(again, archived.folder, lost, (LostRange(10, 12),)).position == 9
        with pytest.raises(BrokenChain, match="entries 10 to 12 are missing"):
            verified_of(again, archived.folder, lost, (LostRange(10, 11),))
        archived.files()[1].unlink()
        with pytest.raises(BrokenChain, match=r"000000000006.jsonl.gz is missing"):
            verified_of(again, archived.folder)


def test_a_log_that_was_restored_to_before_an_archive_finds_its_file(log: Log, nodes: Nodes, tmp_path: Path) -> None:
    for month in (JANUARY, FEBRUARY, None):
        log.append(month)
    with restored(log, nodes, tmp_path / "dump") as again:
        log.archive()
        files = {file.name: file.stat().st_mtime_ns for file in log.files()}
        assert verified_of(again, log.folder).position == 9
        with psycopg.connect(again, autocommit=True) as connection:
            assert archive_old(connection, KEYS, log.folder, LATER) == ["2020_01", "2020_02"]
        assert {file.name: file.stat().st_mtime_ns for file in log.files()} == files
        assert verified_of(again, log.folder) == log.verified()


@contextmanager
def restored(log: Log, nodes: Nodes, dump: Path) -> Iterator[str]:
    """The address of a database with what the log's has now, by the programs with which a backup is copied."""
    binaries, name = postgres.binaries(), unique_name("restored")
    assert binaries
    again = make_url(log.url).set(database=name).render_as_string(hide_password=False)
    subprocess.run([binaries / "pg_dump", "--format=custom", f"--file={dump}", log.url], check=True)
    nodes.postgres.create_database(name)
    try:
        subprocess.run([binaries / "pg_restore", "--exit-on-error", f"--dbname={again}", dump], check=True)
        yield again
    finally:
        nodes.postgres.drop_database(name)


def verified_of(url: str, folder: Path, known: Sequence[Head] = (), lost: Sequence[LostRange] = ()) -> Head:
    """The head of the log in another database; raises BrokenChain."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with Session(engine) as session:
        return verify(session, KEYS, known, lost, folder)


def signed(heads: Sequence[Head]) -> list[Head]:
    """Heads as another service remembers them."""
    return [TimedHead(head.position, head.hash, datetime.now(UTC)) for head in heads]


def partitions(url: str) -> set[str]:
    """The names of the months of the log's tables."""
    with psycopg.connect(url) as connection:
        return {one.name for parent in MONTHLY for one in months.partitions_of(connection, parent)}


def test_a_month_whose_chain_is_broken_is_not_archived(log: Log) -> None:
    log.append(JANUARY)
    log.as_superuser("update audit_entry set account_name = 'nobody' where position = 2")
    with pytest.raises(BrokenChain, match="entry 2 was changed"):
        log.archive()
    assert log.positions() == [1, 2, 3]
    assert [file for file in log.files() if file.suffix == ".gz"] == []


def test_a_month_that_lacks_an_entry_is_not_dropped(log: Log) -> None:
    log.append(JANUARY)
    log.append(FEBRUARY)
    log.as_superuser("delete from audit_entry where position in (2, 6)")
    with pytest.raises(BrokenChain, match="entry 2 is missing"):
        log.archive()
    assert log.positions() == [1, 3, 4, 5]


def test_a_month_whose_last_entries_are_gone_does_not_let_the_next_one_go(log: Log) -> None:
    log.append(JANUARY)
    log.append(FEBRUARY)
    log.as_superuser("delete from audit_entry where position = 3")
    with pytest.raises(BrokenChain, match="entry 3 is missing"):
        log.archive()
    assert log.positions() == [4, 5, 6]


@pytest.mark.parametrize(
    ("months_name", "why"),
    [
        ("2020_01", "this month is not archived"),
        (f"{datetime.now(UTC):%Y_%m}", "audit events of the last 180 days stay"),
        ("2019_12", "no month of the audit log"),
        ("x; drop table member", "no month of the audit log"),
    ],
)
def test_the_database_drops_no_month_that_is_not_archived_or_young(log: Log, months_name: str, why: str) -> None:
    log.append(JANUARY)
    with log.connect() as connection, pytest.raises(psycopg.Error, match=why):
        connection.execute("select drop_archived_month(%s)", [months_name])
    assert log.positions() == [1, 2, 3]


def test_an_entry_that_came_after_the_archive_was_written_keeps_the_month(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(JANUARY)
    monkeypatch.setattr(audit_archive, "_check_digest", lambda *_: log.append(JANUARY, 1))
    with pytest.raises(psycopg.Error, match="this month is not archived"):
        log.archive()
    assert log.positions() == [1, 2, 3, 4]


def test_without_the_folder_everything_stays(log: Log) -> None:
    log.append(JANUARY)
    log.folder.rmdir()
    with pytest.raises(NotArchived, match="AUDIT_ARCHIVE_FOLDER is no folder"):
        log.archive()
    assert log.positions() == [1, 2, 3]


def test_a_process_that_lacks_the_file_does_not_drop_the_month(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one whose folder is another one than that of the process which wrote the file."""
    log.append(JANUARY)
    with monkeypatch.context() as killed:
        killed.setattr(audit_archive, "_check_digest", _kill)
        with pytest.raises(_KilledError):
            log.archive()
    [file] = log.files()
    file.unlink()
    with pytest.raises(BrokenChain, match="is missing"):
        log.archive()
    assert log.positions() == [1, 2, 3]


class _KilledError(BaseException):
    pass


def _kill(*_: Any) -> None:
    raise _KilledError


def test_a_file_that_an_interrupted_run_completed_is_not_written_again(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if personal data were encrypted anew since, which would make another file."""
    log.append(JANUARY)
    with monkeypatch.context() as killed:
        killed.setattr(audit_archive, "_remember", _kill)
        with pytest.raises(_KilledError):
            log.archive()
    [file] = log.files()
    content = file.read_bytes()
    both = Keyring.from_text(f"new1:{'A' * 43}=,{os.environ['PERSONAL_DATA_KEYS']}")
    for module in ("data.database", "data.encryption", "data.reencrypt"):
        monkeypatch.setattr(f"services.kit.{module}.keyring", lambda: both)
    assert reencrypt(log.office.engine, Base.metadata, lambda _: None) == 0

    assert log.archive() == ["2020_01", "2020_02"]
    assert (log.files(), file.read_bytes()) == ([file], content)
    assert log.verified().position == 3


def test_a_key_of_personal_data_that_an_archive_needs_is_named(archived: Log) -> None:
    key = os.environ["PERSONAL_DATA_KEYS"].partition(":")[0]
    assert uses_of_key(archived.office.engine, Base.metadata, key)["audit_archive"] == 2
    assert uses_of_key(archived.office.engine, Base.metadata, "another")["audit_archive"] == 0


def _runs_until_line(log: Log, number: int) -> bool:
    """Archives in a process of its own, which is killed at that line of audit_archive.py; False if it has fewer."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    lines = iter(range(number))

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != audit_archive.__file__:
            return None
        if event == "line" and next(lines, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    status = 1
    try:
        connection = psycopg.connect(log.url, autocommit=True)
        sys.settrace(trace)
        archive_old(connection, KEYS, log.folder, LATER)
        sys.settrace(None)
        status = 0
    finally:
        os._exit(status)


_STEP = 8


@pytest.mark.long("kills at every other line")
@pytest.mark.skipif(sys.gettrace() is not None, reason="coverage traces lines itself")
@pytest.mark.filterwarnings("ignore:Using fork")
@pytest.mark.parametrize("first", range(0, _STEP, 2))
def test_killed_at_any_line_nothing_is_lost_and_nothing_is_archived_twice(log: Log, first: int) -> None:
    """Each run is killed some lines later than the one before, and continued by one that is not; all together at
    every other line.
    """
    log.append(JANUARY, 2)
    end = log.append(None, 2)[-1]
    log.office.engine.dispose()
    backup = _rows(log)
    number = first
    while _runs_until_line(log, number):
        names = {file.name for file in log.files() if file.suffix == ".gz"}
        log.archive()
        assert log.verified() == end
        assert log.positions() == [3, 4]
        assert [file.name for file in log.files()] == ["audit-000000000001-000000000002.jsonl.gz"]
        assert names <= {file.name for file in log.files()}
        _restore(log, backup)
        number += _STEP
    assert number > 60
    assert log.verified() == end


def _rows(log: Log) -> dict[str, list[tuple[Any, ...]]]:
    with log.connect() as connection:
        return {parent: connection.execute(f"select * from {parent}").fetchall() for parent in MONTHLY}


def _restore(log: Log, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    """The database and the folder as before the first run."""
    shutil.rmtree(log.folder)
    log.folder.mkdir()
    month = f"for values from ('{JANUARY}') to ('{months.later(JANUARY)}')"
    statements = [f"create table {parent}_2020_01 partition of {parent} {month}" for parent in MONTHLY]
    february = f"for values from ('{FEBRUARY}') to ('{months.later(FEBRUARY)}')"
    statements += [
        f"create table if not exists {parent}_2020_02 partition of {parent} {february}" for parent in MONTHLY
    ]
    log.as_superuser("delete from audit_archive", "delete from audit_entry", "delete from audit_reach", *statements)
    with log.connect() as connection:
        connection.execute("set session_replication_role = replica")
        for parent, found in rows.items():
            places = ", ".join("%s" for _ in found[0])
            connection.cursor().executemany(f"insert into {parent} values ({places})", found)


def test_months_ahead_are_added_once_by_however_many_processes(log: Log) -> None:
    now = datetime.now(UTC)
    with log.connect() as connection:
        newest = months.months_ahead(now)[-1]
        for parent in MONTHLY:
            connection.execute(f"drop table {months.partition_name(parent, newest)}")
    with ThreadPoolExecutor(6) as processes:

        def add(_: int) -> list[str]:
            with log.connect() as connection:
                try:
                    return months.add_months(connection, MONTHLY, now)
                except psycopg.Error as error:
                    return [type(error).__name__]

        list(processes.map(add, range(6)))
    with log.connect() as connection:
        assert months.add_months(connection, MONTHLY, now) == []
        for parent in MONTHLY:
            names = {one.name for one in months.partitions_of(connection, parent)}
            assert {months.partition_name(parent, month) for month in months.months_ahead(now)} <= names


@pytest.mark.parametrize(
    ("parent", "month"),
    [("member", "2030-01-01"), ("audit_entry", "2020-05-01"), ("audit_entry", "2090-01-01"), ("audit_entry", "soon")],
)
def test_the_database_adds_no_other_tables(log: Log, parent: str, month: str) -> None:
    day = f"{months.later(months.month_of(datetime.now(UTC)), 6):%Y-%m}-17" if month == "soon" else month
    with log.connect() as connection, pytest.raises(psycopg.Error, match=r"has no months|no month from now"):
        connection.execute("select add_month(%s, %s)", [parent, day])


def test_without_a_folder_setting_months_are_added_and_none_goes(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUDIT_ARCHIVE_FOLDER", raising=False)
    log.append(JANUARY)
    with log.connect() as connection:
        maintain(connection, datetime.now(UTC))
    assert log.positions() == [1, 2, 3]


def test_why_a_month_stays_is_said_to_the_retention(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    terms = AuditTerms(audit_archive_folder=str(log.folder))
    monkeypatch.setattr(audit_archive, "read_settings", lambda kind: terms if kind is AuditTerms else _keys())
    log.append(JANUARY)
    log.as_superuser("update audit_entry set account_name = 'nobody' where position = 2")
    with log.connect() as connection, pytest.raises(RetentionError, match="not archived: entry 2 was changed"):
        maintain(connection, datetime.now(UTC))


def _keys() -> Any:
    return AuditSettings(Key(os.environ["AUDIT_KEYS"]))


# Upgrade from the release before


@pytest.fixture
def former_url(nodes: Nodes) -> Iterator[str]:
    """A database as the release before left it, with 50 entries."""
    name = unique_name("former")
    nodes.postgres.create_database(name)
    url = nodes.postgres.url(name)
    engine = create_engine(url)
    config = migrate._configuration("membership")
    step = _step(engine)
    for earlier in (one for one in migrate._preparing(config, engine) if one.revision < step.revision):
        migrate._upgrade_at_once("membership", config, engine, str(earlier.down_revision))
        migrate._prepare(config, engine, earlier)
    migrate._upgrade_at_once("membership", config, engine, str(step.down_revision))
    former = Former(url)
    former.append(50)
    yield url
    engine.dispose()
    nodes.postgres.drop_database(name)


def _step(engine: Engine) -> Script:
    """The revision that partitions the log."""
    outstanding = migrate._preparing(migrate._configuration("membership"), engine)
    return next(one for one in outstanding if one.path.endswith("_audit_log_by_month.py"))


class Former:
    """Appends as processes of the release before do, which know no months."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+psycopg", "")
        self.stopping = False
        self.appended = 0

    def append(self, count: int) -> None:
        with psycopg.connect(self._url) as connection:
            for _ in range(count):
                self._append(connection)
                connection.commit()

    def keep_appending(self) -> None:
        with psycopg.connect(self._url) as connection:
            while not self.stopping:
                self._append(connection)
                connection.commit()
                self.appended += 1

    def _append(self, connection: Connection) -> None:
        connection.execute("select pg_advisory_xact_lock(%s)", [0x61756469])
        newest = connection.execute("select position, hash from audit_entry order by position desc limit 1").fetchone()
        before = Head(*newest) if newest else START
        union_id = an_audit_event().act_id
        content = audit_log._content(an_audit_event(union_id=union_id), [union_id], None)
        digest = KEYS.digest(KEYS.current, before, content)
        row = {
            **content,
            "personal": Keyring.from_text(os.environ["PERSONAL_DATA_KEYS"]).encrypt(content["personal"]),
            "position": before.position + 1,
            "key_id": KEYS.current,
            "previous_hash": before.hash,
            "hash": digest,
        }
        names = ", ".join(row)
        connection.execute(
            f"insert into audit_entry ({names}) values ({', '.join(f'%({name})s' for name in row)})", row
        )
        connection.execute(
            "insert into audit_reach (union_id, act_id, action, outcome) values (%s, %s, %s, %s)",
            [union_id, content["act_id"], content["action"], content["outcome"]],
        )


def test_the_log_becomes_monthly_while_the_former_release_appends(former_url: str) -> None:
    former = Former(former_url)
    with ThreadPoolExecutor(2) as processes:
        appending = [processes.submit(former.keep_appending) for _ in range(2)]
        try:
            wait_until(lambda: former.appended > 20, "they append")
            migrate.upgrade("membership", former_url)
            migrated_at = former.appended
            wait_until(lambda: former.appended > migrated_at + 20, "they append to the new tables")
        finally:
            former.stopping = True
        for one in appending:
            one.result()
    migrate.check("membership", former_url)

    engine = create_engine(former_url)
    children = (
        "select relname from pg_inherits join pg_class on oid = inhrelid where inhparent = 'audit_entry'::regclass"
    )
    with Session(engine) as session:
        assert verify(session, KEYS).position == 50 + former.appended
        names = session.scalars(text(children), {"parent": "audit_entry"}).all()
    engine.dispose()
    assert f"audit_entry_until_{datetime.now(UTC):%Y_%m}" in names
    assert len(names) == 1 + months.AHEAD


def test_an_interrupted_preparation_is_continued_in_another_month(
    former_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine(former_url)
    step = _step(engine)
    monkeypatch.setattr(step.module, "month_of", lambda _: date(2026, 1, 1))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        step.module.prepare(connection)
    monkeypatch.undo()
    Former(former_url).append(2)
    migrate.upgrade("membership", former_url)
    Former(former_url).append(2)

    with Session(engine) as session:
        assert verify(session, KEYS).position == 54
        counts = session.execute(text("select count(*) filter (where month = '2026-01-01'), count(*) from audit_entry"))
        assert counts.one() == (52, 54)
    engine.dispose()


def test_the_log_becomes_one_table_again_by_a_downgrade(former_url: str) -> None:
    engine = create_engine(former_url)
    before = str(_step(engine).down_revision)
    migrate.upgrade("membership", former_url)
    config = migrate._configuration("membership")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, before)
    Former(former_url).append(1)
    migrate.upgrade("membership", former_url)

    with Session(engine) as session:
        assert verify(session, KEYS).position == 51
        assert session.scalars(select(AuditArchive)).all() == []
    engine.dispose()

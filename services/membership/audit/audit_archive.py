"""Archives of the audit log: the entries of an old month go to a file before the month is dropped from the database.

A file `audit-<first>-<last>.jsonl.gz` holds one entry a line as it was stored, its personal part still encrypted. It
gets its name when it is complete, on the disk, and its part of the chain holds; then it is remembered by a row of
AuditArchive with its digest, which a key of the audit log authenticates; and only while the file has that digest is the
month dropped. Each step finds what an interrupted run has done.
"""

import base64
import gzip
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import structlog
from psycopg.rows import dict_row

from services.kit.data.encryption import CannotDecrypt, key_id_of, keyring
from services.kit.data.months import Partition, add_months, partitions_of
from services.kit.data.retention import RetentionError
from services.kit.settings import read_settings
from services.membership.audit.audit_chain import (
    START,
    AuditKeys,
    AuditSettings,
    BrokenChain,
    Head,
    canonical,
    check_next,
)
from services.membership.audit.audit_log import HASHED_COLUMNS
from services.membership.retention import AuditTerms

log = structlog.get_logger()

MONTHLY = ("audit_entry", "audit_reach")
"""The tables of the audit log that have a partition for each month."""

_COLUMNS = ("position", *HASHED_COLUMNS, "key_id", "previous_hash", "hash")
_IN_BYTES = ("personal",)
_IN_HEX = ("previous_hash", "hash")
_AT_ONCE = 200
"""Entries between two moments at which the process does other work."""
_ARCHIVES = """
select first_position, last_position, months, previous_hash, last_hash, file_name, file_digest, personal_key_ids,
    archived_at, key_id, mac
from audit_archive order by first_position
"""
_REMEMBER = """
insert into audit_archive (first_position, last_position, months, previous_hash, last_hash, file_name, file_digest,
    personal_key_ids, archived_at, key_id, mac)
values (%(first_position)s, %(last_position)s, %(months)s, %(previous_hash)s, %(last_hash)s, %(file_name)s,
    %(file_digest)s, %(personal_key_ids)s, %(archived_at)s, %(key_id)s, %(mac)s)
"""


class NotArchived(RetentionError):
    """A month cannot be archived or dropped; the message says why."""


@dataclass(frozen=True)
class Archive:
    """An archive file: which entries it holds, and how the chain leads through it."""

    first_position: int
    last_position: int
    months: str
    previous_hash: bytes
    last_hash: bytes
    file_name: str
    file_digest: bytes
    personal_key_ids: list[str]
    archived_at: datetime

    @property
    def before(self) -> Head:
        """The head of the chain before its first entry."""
        return Head(self.first_position - 1, self.previous_hash)

    @property
    def head(self) -> Head:
        """The head of the chain after its last entry."""
        return Head(self.last_position, self.last_hash)

    def mac(self, keys: AuditKeys, key_id: str) -> bytes:
        """The HMAC of all that is known of it; raises KeyError for an unknown key."""
        texts = {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(self).items()}
        return keys.mac(key_id, {"archive": texts})


def maintain(connection: "psycopg.Connection[Any]", now: datetime) -> None:
    """Adds the months that are missing, and archives and drops those whose term has passed.

    Raises NotArchived for a month that stays.
    """
    add_months(connection, MONTHLY, now)
    terms = read_settings(AuditTerms)
    if not terms.audit_archive_folder:
        return
    keys = AuditKeys.from_text(read_settings(AuditSettings).audit_keys)
    try:
        archive_old(connection, keys, Path(terms.audit_archive_folder), now - timedelta(days=terms.audit_days))
    except (BrokenChain, OSError) as error:
        raise NotArchived(f"the audit log is not archived: {error}") from error


def archive_old(connection: "psycopg.Connection[Any]", keys: AuditKeys, folder: Path, before: datetime) -> list[str]:
    """Archives and drops all months that ended before this moment, the oldest first; returns their names.

    Raises NotArchived or BrokenChain for the first one that stays.
    """
    dropped = []
    for partition in partitions_of(connection, MONTHLY[0]):
        if partition.end > before.astimezone(UTC).date():
            break
        _archive(connection, keys, folder, partition)
        connection.execute("select drop_archived_month(%s)", [_months(partition)])
        log.info("audit_month_dropped", months=_months(partition))
        dropped.append(_months(partition))
    return dropped


def archives_of(rows: Iterable[dict[str, Any]], keys: AuditKeys) -> list[Archive]:
    """The archives that these rows describe, which are all and in order; raises BrokenChain where one was changed,
    forged or removed.
    """
    found, head = [], START
    for row in rows:
        key_id, mac = row.pop("key_id"), row.pop("mac")
        archive = Archive(**row)
        _check_row(keys, archive, key_id, mac)
        if archive.before != head:
            raise BrokenChain(f"the archive of the entries from {head.position + 1} on is missing")
        found.append(archive)
        head = archive.head
    return found


def entries_of(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Position and content of each entry in a file, with its hashes; raises BrokenChain where it cannot be read."""
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield _read(json.loads(line))
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise BrokenChain(f"the archive {file.name} cannot be read ({type(error).__name__})") from error


def check_file(keys: AuditKeys, folder: Path, archive: Archive) -> Iterator[Head]:
    """The head after each entry of an archive's file; raises BrokenChain unless it is the one that was archived."""
    file = folder / archive.file_name
    _check_digest(file, archive)
    head = archive.before
    for position, entry in entries_of(file):
        head = check_next(keys, head, position, decrypted(position, entry))
        yield head
    if head != archive.head:
        raise BrokenChain(f"the archive {file.name} ends at entry {head.position}")


def decrypted(position: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with its personal part in plain text, as it is hashed; raises BrokenChain."""
    try:
        return {**entry, "personal": keyring().decrypt(entry["personal"]).decode()}
    except (CannotDecrypt, ValueError) as error:
        raise BrokenChain(f"entry {position} was changed: its personal part cannot be decrypted") from error


def _archive(connection: "psycopg.Connection[Any]", keys: AuditKeys, folder: Path, partition: Partition) -> None:
    """Makes sure that a file holds the partition's entries, if it has any, and that this is remembered."""
    if not folder.is_dir():
        raise NotArchived("AUDIT_ARCHIVE_FOLDER is no folder")
    with connection.cursor(row_factory=dict_row) as cursor:
        known = archives_of(cursor.execute(_ARCHIVES).fetchall(), keys)
    archive = next((one for one in known if one.months == _months(partition)), None)
    if archive is None:
        before = known[-1].head if known else START
        last = _last_position(connection, partition)
        if last is None:
            return
        file = folder / f"audit-{before.position + 1:012}-{last:012}.jsonl.gz"
        if not file.exists():
            _store(file, _stored(connection, partition), lambda part: _describe(keys, part, before, partition))
        archive = _describe(keys, file, before, partition)
        _sync(folder)
        _remember(connection, keys, archive)
    _check_digest(folder / archive.file_name, archive)


def _last_position(connection: "psycopg.Connection[Any]", partition: Partition) -> int | None:
    (last,) = connection.execute(f'select max(position) from "{partition.name}"').fetchone() or (None,)  # noqa: S608
    return last


def _stored(connection: "psycopg.Connection[Any]", partition: Partition) -> Iterator[dict[str, Any]]:
    """The entries in order, as they are stored."""
    query = f'select {", ".join(_COLUMNS)} from "{partition.name}" order by position'  # noqa: S608
    with connection.transaction(), connection.cursor("entries", row_factory=dict_row) as cursor:
        cursor.itersize = _AT_ONCE
        yield from cursor.execute(query)


def _store(file: Path, entries: Iterator[dict[str, Any]], check: Callable[[Path], object]) -> None:
    """Writes the file under another name, and gives it its own when it is on the disk and `check` does not raise."""
    for left in file.parent.glob(f"{file.name}.*.part"):
        left.unlink()
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
    with open(part, "xb", opener=_private) as raw:
        with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
            for number, entry in enumerate(entries, 1):
                packed.write(canonical(_written(entry)) + b"\n")
                if number % _AT_ONCE == 0:
                    time.sleep(0)
        raw.flush()
        os.fsync(raw.fileno())
    check(part)
    part.replace(file)


def _describe(keys: AuditKeys, file: Path, before: Head, partition: Partition) -> Archive:
    """What the file on the disk holds; raises BrokenChain where its part of the chain does not hold."""
    head, key_ids = before, set()
    for number, (position, entry) in enumerate(entries_of(file), 1):
        head = check_next(keys, head, position, decrypted(position, entry))
        key_ids.add(key_id_of(entry["personal"]))
        if number % _AT_ONCE == 0:
            time.sleep(0)
    return Archive(
        first_position=before.position + 1,
        last_position=head.position,
        months=_months(partition),
        previous_hash=before.hash,
        last_hash=head.hash,
        file_name=file.name,
        file_digest=_digest(file),
        personal_key_ids=sorted(key_ids),
        archived_at=datetime.now(UTC).replace(microsecond=0),
    )


def _remember(connection: "psycopg.Connection[Any]", keys: AuditKeys, archive: Archive) -> None:
    signed = {"key_id": keys.current, "mac": archive.mac(keys, keys.current)}
    connection.execute(_REMEMBER, {**vars(archive), **signed})
    log.info("audit_month_archived", file=archive.file_name, sha256=archive.file_digest.hex(), head=str(archive.head))


def _check_row(keys: AuditKeys, archive: Archive, key_id: str, mac: bytes) -> None:
    is_ours = False
    with suppress(KeyError):
        is_ours = hmac.compare_digest(archive.mac(keys, key_id), mac)
    if not is_ours:
        raise BrokenChain(
            f"what is remembered of the archive of entries {archive.first_position} to {archive.last_position} was "
            "changed, or its key is not in AUDIT_KEYS"
        )


def _check_digest(file: Path, archive: Archive) -> None:
    if not file.is_file():
        raise BrokenChain(f"the archive {file.name} is missing")
    if _digest(file) != archive.file_digest:
        raise BrokenChain(f"the archive {file.name} was changed")


def _digest(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def _sync(folder: Path) -> None:
    """Writes the folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _written(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as JSON can hold it."""
    encoded = {name: base64.b64encode(entry[name]).decode() for name in _IN_BYTES}
    return {**entry, **encoded, **{name: entry[name].hex() for name in _IN_HEX}}


def _read(written: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Position and content of what `_written` returned."""
    decoded = {name: base64.b64decode(written[name], validate=True) for name in _IN_BYTES}
    entry = {**written, **decoded, **{name: bytes.fromhex(written[name]) for name in _IN_HEX}}
    return entry.pop("position"), entry


def _months(partition: Partition) -> str:
    return partition.name.removeprefix(f"{MONTHLY[0]}_")

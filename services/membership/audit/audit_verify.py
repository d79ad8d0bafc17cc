"""Verifies the audit log: `python -m services.membership.audit.audit_verify [--head position:hash] [--heads -]`.

`--heads` names a file of signed heads, one a line, `-` for standard input: those written with each chunk of entries, or
kept by the other services. `--lost A-B` names entries that a restored database legitimately lacks. `--archives` names
the folder of the files that hold older entries; without it their rows of AuditArchive, which a key authenticates, are
trusted.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary, Row, and_, func, select, type_coerce
from sqlalchemy.orm import Session

from services.kit.data.bulk import is_any_of
from services.kit.data.database import engine_for
from services.kit.operations.audit_heads import NotSigned, public_keys, verified
from services.kit.settings import DatabaseSettings, SettingsError, read_settings, settings_class
from services.membership.audit.audit_archive import Archive, archives_of, check_file, decrypted
from services.membership.audit.audit_chain import START, AuditKeys, AuditSettings, BrokenChain, Head, check_next
from services.membership.audit.audit_log import HASHED_COLUMNS
from services.membership.models import AuditArchive, AuditEntry, AuditScope
from services.membership.retention import AuditTerms

CHUNK = 2000
"""Entries that are read at once."""
_STATED_AT_ONCE = timedelta(seconds=5)
"""Processes that append one after another may sign their heads in another order within this time."""
_SHOWN = 40
"""Most characters that are shown of the source of an unsigned line."""


@dataclass(frozen=True)
class TimedHead(Head):
    """A head with the time at which membership signed it."""

    at: datetime


@dataclass(frozen=True)
class LostRange:
    """A range of entries that are legitimately lost, from the first to the last known one."""

    first: int
    last: int

    @classmethod
    def from_text(cls, text: str) -> "LostRange":
        """Reads a range `A-B`; raises ValueError."""
        first, _, last = text.strip().partition("-")
        lost_range = cls(int(first), int(last))
        if not 0 < lost_range.first <= lost_range.last:
            raise ValueError(f"No entries are from {first} to {last}.")
        return lost_range

    def contains(self, head: Head) -> bool:
        """Whether the head is one of these entries."""
        return self.first <= head.position <= self.last


@settings_class
class AuditLossSettings:
    """The entries of the audit log that are known to be lost."""

    audit_lost: str = ""
    """Entries that a restored database legitimately lacks, as `A-B`, several separated by commas; `audit_verify`
    excuses only the missing heads of these that were signed before the restore."""


@dataclass(frozen=True)
class Archived:
    """The archives of a log, and the folder of their files, if these are to be read."""

    archives: Sequence[Archive] = ()
    folder: Path | None = None

    @property
    def end(self) -> Head:
        """The head of the chain after the last archive."""
        return self.archives[-1].head if self.archives else START

    def heads(self, keys: AuditKeys) -> Iterator[Head]:
        """The heads of all archived entries; only those after each archive where the files are not read."""
        for archive in self.archives:
            yield from check_file(keys, self.folder, archive) if self.folder else [archive.head]

    def head_before(self, first: int) -> Head:
        """The head from which the chain is followed in the database, whose first entry this is.

        A month may be in an archive and not be dropped yet.
        """
        return max((one.head for one in self.archives if one.last_position < first), default=START, key=_position)


def verify(
    session: Session,
    keys: AuditKeys,
    known: Sequence[Head] = (),
    lost: Sequence[LostRange] = (),
    archives: Path | None = None,
) -> Head:
    """Verifies the whole chain and returns its head; raises BrokenChain for the first broken position.

    `known` are heads that were kept elsewhere; only they reveal that the end was cut off. Those of `lost` entries may
    be missing. `archives` is the folder of the archive files. Without it the rows that describe them are verified, and
    heads of archived entries are not looked for, but those at the end of an archive.
    """
    archived = Archived(read_archives(session, keys), archives)
    hashes: defaultdict[int, set[bytes]] = defaultdict(set)
    for one in _heads_to_find(session, keys, archived, known, lost):
        hashes[one.position].add(one.hash)
    for head in archived.heads(keys):
        _compare(head, hashes)
    end = _follow(session, keys, archived, hashes)
    furthest = max(hashes, default=0)
    if furthest > end.position:
        raise BrokenChain(f"entries {end.position + 1} to {furthest} are missing: the end was cut off")
    return end


def _follow(session: Session, keys: AuditKeys, archived: Archived, hashes: dict[int, set[bytes]]) -> Head:
    """Follows the chain through the database; returns its head."""
    first = session.scalar(select(func.min(AuditEntry.position)))
    if first is None:
        return archived.end
    end = archived.head_before(first)
    for entries in _chunks(session):
        first = end.position + 1
        for entry in entries:
            end = check_next(keys, end, entry.position, _as_hashed(entry))
            if end.position > archived.end.position:
                _compare(end, hashes)
            elif end.position == archived.end.position and end != archived.end:
                raise BrokenChain(f"entry {end.position} is not the one that was archived")
        _check_search(session, first, end.position)
    if end.position < archived.end.position:
        missing = f"entries {end.position + 1} to {archived.end.position} are missing"
        raise BrokenChain(f"{missing}: their month was not dropped, and they are in archives only")
    return end


def _compare(head: Head, hashes: dict[int, set[bytes]]) -> None:
    """Raises BrokenChain where another hash is known of this position."""
    if hashes.pop(head.position, {head.hash}) != {head.hash}:
        raise BrokenChain(f"entry {head.position} is not the one whose hash was written down")


def _heads_to_find(
    session: Session, keys: AuditKeys, archived: Archived, known: Sequence[Head], lost: Sequence[LostRange]
) -> Iterator[Head]:
    """The known heads that the log must have.

    In a lost range, missing heads are excused that were signed no later than its last one; heads that were signed
    after the restore must exist.
    """
    if not lost:
        yield from known
        return
    positions = {one.position for one in known if any(lost_range.contains(one) for lost_range in lost)}
    rows = session.execute(
        select(AuditEntry.position, AuditEntry.hash).where(is_any_of(AuditEntry.position, positions))
    )
    there = {(row.position, row.hash) for row in rows}
    there |= {(one.position, one.hash) for one in archived.heads(keys) if one.position in positions}
    gone = [one for one in known if isinstance(one, TimedHead) and (one.position, one.hash) not in there]
    until = {lost_range: _signed_before(lost_range, gone) for lost_range in lost}
    excused = {
        one for one in gone if any(lost_range.contains(one) and one.at <= until[lost_range] for lost_range in lost)
    }
    yield from (one for one in known if one not in excused)


def _signed_before(lost_range: LostRange, gone: Sequence[TimedHead]) -> datetime:
    """The time until which the last lost entry was signed as the head: the hash that was signed first."""
    last = sorted((one for one in gone if one.position == lost_range.last), key=lambda one: one.at)
    if not last:
        return datetime.min.replace(tzinfo=UTC)
    return max(one.at for one in last if one.hash == last[0].hash) + _STATED_AT_ONCE


def read_archives(session: Session, keys: AuditKeys) -> list[Archive]:
    """All archives in the order of the chain; raises BrokenChain where one was changed, forged or removed."""
    table = AuditArchive.__table__
    rows = session.execute(select(table).order_by(table.c.first_position)).mappings()
    return archives_of(map(dict, rows), keys)


def _chunks(session: Session) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
    names = ("position", *HASHED_COLUMNS, "key_id", "previous_hash", "hash")
    # Decrypted one by one, so that the position of a value that cannot be decrypted is known.
    columns = [
        type_coerce(AuditEntry.personal, LargeBinary).label(name) if name == "personal" else getattr(AuditEntry, name)
        for name in names
    ]
    in_order = select(*columns).order_by(AuditEntry.position)
    return session.execute(in_order.execution_options(yield_per=CHUNK)).partitions()


def _as_hashed(entry: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """An entry's row by column, without its position, with decrypted personal data; raises BrokenChain."""
    content = dict(entry._mapping)
    return decrypted(content.pop("position"), content)


def _position(head: Head) -> int:
    return head.position


def _check_search(session: Session, first: int, last: int) -> None:
    """Verifies that each union finds the audit events in its scope; a removed row of AuditScope would hide one."""
    facts = (AuditEntry.act_id, AuditEntry.action, AuditEntry.outcome, AuditEntry.account_id)
    concerned = (
        select(AuditEntry.position, *facts, func.unnest(AuditEntry.unions).label("union_id"))
        .where(AuditEntry.position.between(first, last))
        .subquery()
    )
    is_found = and_(
        *(getattr(AuditScope, name) == concerned.c[name] for name in ("union_id", "act_id", "action", "outcome")),
        AuditScope.account_id.is_not_distinct_from(concerned.c.account_id),
    )
    hidden = session.scalar(
        select(func.min(concerned.c.position)).outerjoin(AuditScope, is_found).where(AuditScope.act_id.is_(None))
    )
    if hidden is not None:
        raise BrokenChain(f"entry {hidden} is hidden from searches: its rows of audit_reach were changed")


def _signed_heads(source: str, unsigned: list[str]) -> Iterator[Head]:
    """The heads in a file; a message for each line that membership has not signed is added to `unsigned`.

    Raises SettingsError without keys.
    """
    keys = public_keys()
    if not keys:
        raise SettingsError("AUDIT_PUBLIC_KEYS is not set: signed heads cannot be distinguished from forged ones.")
    content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    seen = set()
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        told_by, _, statement = line.rpartition(" ")
        if statement in seen:
            continue
        seen.add(statement)
        try:
            head = verified(statement, keys)
        except NotSigned as error:
            whose = f" ({told_by[:_SHOWN]!a})" if told_by else ""
            unsigned.append(f"line {number} of the signed heads{whose} is not membership's: {error}")
        else:
            yield TimedHead(head.position, head.hash, head.at)


def _main() -> int:
    parser = argparse.ArgumentParser(description="Check the chain of the audit log in the database of DATABASE_URL.")
    parser.add_argument(
        "--head",
        action="append",
        default=[],
        help="position:hash, as printed by this command and logged as audit_head: shows whether the end was cut off",
    )
    parser.add_argument(
        "--heads", action="append", default=[], metavar="FILE", help="signed heads, one a line; - is standard input"
    )
    parser.add_argument(
        "--lost", action="append", default=[], metavar="A-B", help="entries that a restored database rightly lacks"
    )
    parser.add_argument(
        "--archives", metavar="FOLDER", help="the folder of the archive files; AUDIT_ARCHIVE_FOLDER unless it is named"
    )
    unsigned: list[str] = []
    started = time.monotonic()
    try:
        options = parser.parse_args()
        known = [Head.from_text(text) for text in options.head]
        known += [head for source in options.heads for head in _signed_heads(source, unsigned)]
        ranges = [*options.lost, *filter(None, read_settings(AuditLossSettings).audit_lost.split(","))]
        lost = [LostRange.from_text(text) for text in ranges]
        keys = AuditKeys.from_text(read_settings(AuditSettings).audit_keys)
        engine = engine_for(read_settings(DatabaseSettings), "audit_verify")
        with Session(engine.execution_options(isolation_level="REPEATABLE READ")) as session:
            folder = options.archives or read_settings(AuditTerms).audit_archive_folder
            end = verify(session, keys, known, lost, Path(folder) if folder else None)
            archived = read_archives(session, keys)
    except BrokenChain as broken:
        _print_errors(*unsigned, str(broken))
        return 1
    except (SettingsError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{end.position} entries, chain intact to {end} ({end.position / (time.monotonic() - started):.0f} a second)")
    if archived:
        how = "verified as well" if folder else "whose files were not read"
        print(f"entries 1 to {archived[-1].last_position} are in {len(archived)} archives, {how}")
    _print_errors(*unsigned)
    return 1 if unsigned else 0


def _print_errors(*errors: str) -> None:
    for error_text in errors:
        print(f"the audit log does not hold: {error_text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(_main())

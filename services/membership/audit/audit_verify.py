"""Verifies the audit log: `python -m services.membership.audit.audit_verify [--head position:hash] [--heads -]`.

`--heads` names a file of signed heads, one a line, `-` for standard input: those written with each chunk of entries, or
kept by the other services. `--lost A-B` names entries that a restored database legitimately lacks.
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
from services.kit.data.encryption import CannotDecrypt, keyring
from services.kit.operations.audit_heads import NotSigned, public_keys, verified
from services.kit.settings import DatabaseSettings, SettingsError, read_settings, settings_class
from services.membership.audit.audit_chain import START, AuditKeys, AuditSettings, BrokenChain, Head, check_next
from services.membership.audit.audit_log import HASHED_COLUMNS
from services.membership.models import AuditEntry, AuditScope

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


def verify(session: Session, keys: AuditKeys, known: Sequence[Head] = (), lost: Sequence[LostRange] = ()) -> Head:
    """Verifies the whole chain and returns its head; raises BrokenChain for the first broken position.

    `known` are heads that were kept elsewhere; only they reveal that the end was cut off. Those of `lost` entries may
    be missing.
    """
    hashes: defaultdict[int, set[bytes]] = defaultdict(set)
    for one in _heads_to_find(session, known, lost):
        hashes[one.position].add(one.hash)
    end = START
    for entries in _chunks(session):
        first = end.position + 1
        for entry in entries:
            end = check_next(keys, end, entry.position, _as_hashed(entry))
            if hashes.pop(end.position, {end.hash}) != {end.hash}:
                raise BrokenChain(f"entry {end.position} is not the one whose hash was written down")
        _check_search(session, first, end.position)
    furthest = max(hashes, default=0)
    if furthest > end.position:
        raise BrokenChain(f"entries {end.position + 1} to {furthest} are missing: the end was cut off")
    return end


def _heads_to_find(session: Session, known: Sequence[Head], lost: Sequence[LostRange]) -> Iterator[Head]:
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
    position = content.pop("position")
    try:
        return {**content, "personal": keyring().decrypt(content["personal"]).decode()}
    except (CannotDecrypt, ValueError) as error:
        raise BrokenChain(f"entry {position} was changed: its personal part cannot be decrypted") from error


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
            end = verify(session, keys, known, lost)
    except BrokenChain as broken:
        _print_errors(*unsigned, str(broken))
        return 1
    except (SettingsError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{end.position} entries, chain intact to {end} ({end.position / (time.monotonic() - started):.0f} a second)")
    _print_errors(*unsigned)
    return 1 if unsigned else 0


def _print_errors(*errors: str) -> None:
    for error_text in errors:
        print(f"the audit log does not hold: {error_text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(_main())

"""Checks the chain of the log of acts: `python -m services.membership.audit_verify [--head position:hash] [--heads -]`.

`--heads` names a file of signed heads, one a line, `-` for standard input: what was written down with each chunk of
entries, or what the other services remember.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary, Row, and_, func, select, type_coerce
from sqlalchemy.orm import Session

from services.common.audit_heads import NotSigned, public_keys, verified
from services.common.persistence import engine_for
from services.common.personal import CannotOpen, keyring
from services.common.settings import DatabaseSettings, SettingsError, read_settings
from services.membership.audit_chain import START, AuditKeys, AuditSettings, Broken, Head, check_next
from services.membership.audit_log import SEALED
from services.membership.models import AuditEntry, AuditReach

SET = 2000
"""Entries that are read at once."""


def verify(session: Session, keys: AuditKeys, known: Sequence[Head] = ()) -> Head:
    """The end of the chain, when all of it holds; raises Broken for the first position where it does not.

    `known` are heads that were written down elsewhere: only against them it shows that the end was cut off.
    """
    hashes: defaultdict[int, set[bytes]] = defaultdict(set)
    for one in known:
        hashes[one.position].add(one.hash)
    end = START
    for entries in _sets(session):
        first = end.position + 1
        for entry in entries:
            end = check_next(keys, end, entry.position, _as_sealed(entry))
            if hashes.pop(end.position, {end.hash}) != {end.hash}:
                raise Broken(f"entry {end.position} is not the one whose hash was written down")
        _check_search(session, first, end.position)
    furthest = max(hashes, default=0)
    if furthest > end.position:
        raise Broken(f"entries {end.position + 1} to {furthest} are missing: the end was cut off")
    return end


def _sets(session: Session) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
    names = ("position", *SEALED, "key_id", "previous_hash", "hash")
    # Opened one by one, so that a value that cannot be opened is known by its position.
    columns = [
        type_coerce(AuditEntry.personal, LargeBinary).label(name) if name == "personal" else getattr(AuditEntry, name)
        for name in names
    ]
    in_order = select(*columns).order_by(AuditEntry.position)
    return session.execute(in_order.execution_options(yield_per=SET)).partitions()


def _as_sealed(entry: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    content = dict(entry._mapping)
    position = content.pop("position")
    try:
        return {**content, "personal": keyring().decrypt(content["personal"]).decode()}
    except (CannotOpen, ValueError) as error:
        raise Broken(f"entry {position} was changed: its personal part cannot be opened") from error


def _check_search(session: Session, first: int, last: int) -> None:
    """That each union finds the acts in its reach: what is taken out there is hidden, though the chain still holds."""
    told = (AuditEntry.act_id, AuditEntry.action, AuditEntry.outcome, AuditEntry.account_id)
    concerned = (
        select(AuditEntry.position, *told, func.unnest(AuditEntry.unions).label("union_id"))
        .where(AuditEntry.position.between(first, last))
        .subquery()
    )
    is_found = and_(
        *(getattr(AuditReach, name) == concerned.c[name] for name in ("union_id", "act_id", "action", "outcome")),
        AuditReach.account_id.is_not_distinct_from(concerned.c.account_id),
    )
    hidden = session.scalar(
        select(func.min(concerned.c.position)).outerjoin(AuditReach, is_found).where(AuditReach.act_id.is_(None))
    )
    if hidden is not None:
        raise Broken(f"entry {hidden} is hidden from searches: its rows of audit_reach were changed")


def _signed_heads(source: str) -> Iterator[Head]:
    """The heads in a file. Raises Broken for a line that membership has not signed, SettingsError without keys."""
    keys = public_keys()
    if not keys:
        raise SettingsError("AUDIT_PUBLIC_KEYS is not set: signed heads cannot be told from forged ones.")
    lines = (sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")).splitlines()
    for number, line in enumerate(lines, 1):
        try:
            head = verified(line.rpartition(" ")[2], keys)
        except NotSigned as error:
            raise Broken(f"line {number} of the signed heads is not membership's: {error}") from error
        yield Head(head.position, head.hash)


def _main() -> int:
    parser = argparse.ArgumentParser(description="Check the chain of the log of acts in the database of DATABASE_URL.")
    parser.add_argument(
        "--head",
        action="append",
        default=[],
        help="position:hash, as printed by this command and logged as audit_head: shows whether the end was cut off",
    )
    parser.add_argument(
        "--heads", action="append", default=[], metavar="FILE", help="signed heads, one a line; - is standard input"
    )
    started = time.monotonic()
    try:
        asked = parser.parse_args()
        known = [Head.from_text(text) for text in asked.head]
        known += [head for source in asked.heads for head in _signed_heads(source)]
        keys = AuditKeys.from_text(read_settings(AuditSettings).audit_keys)
        engine = engine_for(read_settings(DatabaseSettings), "audit_verify")
        with Session(engine.execution_options(isolation_level="REPEATABLE READ")) as session:
            end = verify(session, keys, known)
    except Broken as broken:
        print(f"the log of acts does not hold: {broken}", file=sys.stderr)
        return 1
    except (SettingsError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{end.position} entries, chain intact to {end} ({end.position / (time.monotonic() - started):.0f} a second)")
    return 0


if __name__ == "__main__":
    sys.exit(_main())

"""Heads of the audit log that services and the file of heads remember; a truncated or restored log lacks some."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from joserfc.jwk import OKPKey

from deploy.invariants.system import Snapshots, System, Unreadable
from deploy.invariants.violations import Violation
from deploy.permissions import SERVICES
from services.kit.operations.audit_heads import NotSigned, public_keys, signing_keys, verified
from services.kit.secret_values import KeySet
from services.kit.settings import SettingsError

FILE = "AUDIT_HEAD_FILE"
_STATEMENTS = "select statement from audit_head order by position"
_SIGNS = "membership"
_UNCOVERED_MINUTES = 10
"""By then an audit event is covered by a head that all remember: it may arrive five minutes late, and each head is
published at once."""
_UNCOVERED = """
    select position from audit_entry
    where position > {after} and coalesce(recorded_at, at) < now() - interval '{minutes} minutes'
    order by position limit 1
"""


@dataclass(frozen=True)
class StoredHeads:
    """The remembered heads by source: each service, and the file if one is set.

    `is_signed` says whether membership has signing keys. `newest` is the position of the newest head that membership
    signed, 0 if there is none; services that cannot be read are missing. `unsigned` counts heads without a valid
    signature.
    """

    is_signed: bool
    statements: frozenset[str]
    newest: Mapping[str, int]
    unsigned: Mapping[str, int]


def signed_heads(system: System, snapshots: Snapshots) -> list[str]:
    """Returns all remembered heads, signed or not, each after its source; skips services that cannot be read."""
    return [f"{source} {line}" for source, lines in _lines(system, snapshots).items() for line in lines]


def stored_heads(system: System, snapshots: Snapshots) -> StoredHeads:
    """Returns the remembered heads, those that membership signed apart from forged ones."""
    keys = _public_keys(system)

    @cache
    def position_of(statement: str) -> int | None:
        with suppress(NotSigned):
            return verified(statement, keys).position if keys else None
        return None

    statements: set[str] = set()
    newest: dict[str, int] = {}
    unsigned: dict[str, int] = {}
    for source, lines in _lines(system, snapshots).items():
        position_by_line = {line.rpartition(" ")[2]: position_of(line.rpartition(" ")[2]) for line in lines}
        positions = [position for position in position_by_line.values() if position is not None]
        statements |= {statement for statement, position in position_by_line.items() if position is not None}
        newest[source] = max(positions, default=0)
        unsigned[source] = len(position_by_line) - len(positions)
    return StoredHeads(bool(keys), frozenset(statements), newest, unsigned)


def heads_are_signed(known: StoredHeads) -> Iterator[Violation]:
    """Membership signed every remembered head."""
    for source, count in known.unsigned.items():
        if count:
            yield Violation(
                "audit_head_signed", source, f"{count} of what it remembers no key of AUDIT_PUBLIC_KEYS signed"
            )


def stored_heads_are_in_log(snapshots: Snapshots, known: StoredHeads) -> Iterator[Violation]:
    """Each service remembers the newest head that membership published, and they and the file have a recent one.

    The second rule holds whatever membership's database says it has published.
    """
    for source, position in known.newest.items():
        if source != FILE and position < known.newest.get(_SIGNS, 0):
            detail = f"remembers the audit log up to entry {position}, membership told of {known.newest[_SIGNS]}"
            yield Violation("audit_head_remembered", source, detail)
        elif source != _SIGNS and known.is_signed:
            for row in snapshots.rows(_SIGNS, _UNCOVERED.format(after=position, minutes=_UNCOVERED_MINUTES)):
                detail = f"remembers the audit log up to entry {position}, entry {row['position']} is older than"
                yield Violation("audit_head_remembered", source, f"{detail} {_UNCOVERED_MINUTES} minutes")
    for service in set(SERVICES) - known.newest.keys():
        next(snapshots.rows(service, _STATEMENTS), None)  # raises Unreadable, as before


def _public_keys(system: System) -> Sequence[OKPKey]:
    """Returns the public keys; empty if they cannot be read, so that nothing counts as signed."""
    key_set = system.keys.get("AUDIT_PUBLIC_KEYS")
    with suppress(SettingsError):
        return signing_keys(KeySet(key_set), "AUDIT_PUBLIC_KEYS", private=False) if key_set else public_keys()
    return ()


def _lines(system: System, snapshots: Snapshots) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for service in SERVICES:
        with suppress(Unreadable):
            found[service] = [row["statement"] for row in snapshots.rows(service, _STATEMENTS)]
    if file := system.keys.get(FILE):
        found[FILE] = []
        with suppress(OSError):
            found[FILE] = Path(file).read_text("utf-8", errors="replace").splitlines()
    return found

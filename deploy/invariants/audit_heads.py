"""What all services and the file of heads remember of the audit log: a log that was cut or restored lacks it."""

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
_UNTOLD_MINUTES = 10
"""After so long an act is covered by an end that all remember: it may come five minutes late, and is told at once."""
_UNTOLD = """
    select position from audit_entry
    where position > {after} and coalesce(recorded_at, at) < now() - interval '{minutes} minutes'
    order by position limit 1
"""


@dataclass(frozen=True)
class Remembered:
    """What is remembered, by who does: a service, or the file where one is set.

    `is_signed` says whether there are keys by which membership signs. `newest` is the position of the newest end that
    membership signed, 0 where there is none; of a service that cannot be read there is nothing. `unsigned` counts what
    membership did not sign.
    """

    is_signed: bool
    statements: frozenset[str]
    newest: Mapping[str, int]
    unsigned: Mapping[str, int]


def signed_heads(system: System, snapshots: Snapshots) -> list[str]:
    """All that is remembered, signed or not, each after who remembers it; of a service that cannot be read, nothing."""
    return [f"{source} {line}" for source, lines in _lines(system, snapshots).items() for line in lines]


def remembered(system: System, snapshots: Snapshots) -> Remembered:
    """What is remembered, told from what somebody else put there."""
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
        said = {line.rpartition(" ")[2]: position_of(line.rpartition(" ")[2]) for line in lines}
        positions = [position for position in said.values() if position is not None]
        statements |= {statement for statement, position in said.items() if position is not None}
        newest[source] = max(positions, default=0)
        unsigned[source] = len(said) - len(positions)
    return Remembered(bool(keys), frozenset(statements), newest, unsigned)


def heads_are_signed(known: Remembered) -> Iterator[Violation]:
    """What is remembered is what membership signed."""
    for source, count in known.unsigned.items():
        if count:
            yield Violation(
                "audit_head_signed", source, f"{count} of what it remembers no key of AUDIT_PUBLIC_KEYS signed"
            )


def heads_are_remembered(snapshots: Snapshots, known: Remembered) -> Iterator[Violation]:
    """Each service has heard of the newest head that membership has told; they and the file know of an end of these
    minutes, whatever membership's database says that it has told.
    """
    for source, position in known.newest.items():
        if source != FILE and position < known.newest.get(_SIGNS, 0):
            detail = f"remembers the audit log up to entry {position}, membership told of {known.newest[_SIGNS]}"
            yield Violation("audit_head_remembered", source, detail)
        elif source != _SIGNS and known.is_signed:
            for row in snapshots.rows(_SIGNS, _UNTOLD.format(after=position, minutes=_UNTOLD_MINUTES)):
                detail = f"remembers the audit log up to entry {position}, entry {row['position']} is older than"
                yield Violation("audit_head_remembered", source, f"{detail} {_UNTOLD_MINUTES} minutes")
    for service in set(SERVICES) - known.newest.keys():
        next(snapshots.rows(service, _STATEMENTS), None)  # raises Unreadable, for it could not be read before


def _public_keys(system: System) -> Sequence[OKPKey]:
    """None where they cannot be read: then nothing counts as signed."""
    given = system.keys.get("AUDIT_PUBLIC_KEYS")
    with suppress(SettingsError):
        return signing_keys(KeySet(given), "AUDIT_PUBLIC_KEYS", private=False) if given else public_keys()
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

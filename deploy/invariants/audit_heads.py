"""What all services and the file of heads remember of the audit log: a log that was cut or restored lacks it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from deploy.invariants.system import Snapshots, System, Unreadable
from deploy.invariants.violations import Violation
from deploy.permissions import SERVICES

_STATEMENTS = "select statement from audit_head order by position"
_NEWEST = "select coalesce(max(position), 0) as position from audit_head"
_SIGNS = "membership"


def signed_heads(system: System, look: Snapshots) -> list[str]:
    """The statements that are remembered anywhere; of a service that cannot be read, none."""
    found = []
    for service in SERVICES:
        with suppress(Unreadable):
            found += [row["statement"] for row in look.rows(service, _STATEMENTS)]
    if file := system.keys.get("AUDIT_HEAD_FILE"):
        with suppress(FileNotFoundError):
            found += Path(file).read_text("utf-8").splitlines()
    return found


def heads_are_remembered(look: Snapshots) -> Iterator[Violation]:
    """Each service has heard of the newest head that membership has told."""
    newest = {service: row["position"] for service in SERVICES for row in look.rows(service, _NEWEST)}
    for service, position in newest.items():
        if position < newest[_SIGNS]:
            detail = f"remembers the audit log up to entry {position}, membership told of {newest[_SIGNS]}"
            yield Violation("audit_head_remembered", service, detail)

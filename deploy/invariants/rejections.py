"""Rejected lines of outside parties: each waits in its rejected queue, unless an operator has discarded it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import RowMapping

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Violation
from services.kit.operations.audit import referred_record

_DISCARDS = """
    select at, records from audit_entry
    where action in ('batching.discard_dead_letters', 'membership.discard_dead_letters') and outcome = 'done'
    order by at
"""


def rejected_lines_wait(
    snapshots: Snapshots, invariant: str, rejected: Iterable[RowMapping], waiting: frozenset[str], kind: str
) -> Iterator[Violation]:
    """Yields the messages whose rejected lines are lost, as violations of this invariant.

    `rejected` has of each message the id, how many of its lines were rejected, and when; a replayed message has a newer
    record. `waiting` are the ids in the rejected queue; `kind` is what the audit log calls such a message.
    """
    discarded = _discarded(snapshots, kind)
    for row in rejected:
        is_settled = row["id"] in discarded and discarded[row["id"]] > row["at"]
        if row["rejected"] and row["id"] not in waiting and not is_settled:
            detail = f"{row['rejected']} lines were rejected, the rejected queue does not hold them"
            yield Violation(invariant, row["id"], detail)


def _discarded(snapshots: Snapshots, kind: str) -> dict[str, datetime]:
    """The messages whose dead letters operators have discarded, with the newest time."""
    entries = snapshots.rows("membership", _DISCARDS)
    discards = ((row["at"], map(referred_record, row["records"])) for row in entries)
    return {record_id: at for at, records in discards for named, record_id in records if named == kind}

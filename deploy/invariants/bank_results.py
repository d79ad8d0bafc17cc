"""The bank's results: each is applied once, or waits in the rejected queue with its reason."""

from collections.abc import Iterator
from datetime import datetime

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Violation
from services.kit.operations.audit import referred_record

_SUMS = """
    select id, feedback_id, results, applied, repeated, rejected from bank_feedback
    where results <> applied + repeated + rejected or least(applied, repeated, rejected) < 0
"""
_APPLIED = """
    select batch_no, coalesce(applied, 0) as applied, coalesce(heard, 0) as heard, coalesce(most, 0) as most
    from (
        select batch_no, count(bank_outcome) as heard,
            sum(case bank_outcome when 'accepted' then 1 when 'made' then 2 when 'issued' then 3 when 'refused' then 3
                else 0 end) as most
        from application where batch_no is not null group by batch_no
    ) as spoken_of
    full join (
        select batch_no, sum(applied) as applied from bank_feedback where batch_no is not null group by batch_no
    ) as fed using (batch_no)
    where coalesce(applied, 0) not between coalesce(heard, 0) and coalesce(most, 0)
"""
_REJECTED = """
    select * from (
        select distinct on (feedback_id) feedback_id, rejected, at from bank_feedback order by feedback_id, id desc
    ) as newest where at > now() - interval '150 days'
"""
"""Who discarded older ones may be in an archive of the audit log."""
_DISCARDS = """
    select at, records from audit_entry where action = 'batching.discard_dead_letters' and outcome = 'done' order by at
"""


def feedback_adds_up(snapshots: Snapshots) -> Iterator[Violation]:
    """Each result of a message was applied, repeated or rejected."""
    for row in snapshots.rows("batching", _SUMS):
        counts = ", ".join(f"{name} {row[name]}" for name in ("results", "applied", "repeated", "rejected"))
        yield Violation("feedback_adds_up", row["feedback_id"], f"record {row['id']}: {counts}")


def results_are_applied_once(snapshots: Snapshots) -> Iterator[Violation]:
    """The results applied to a batch match its applications: at least one for each that the bank has answered, and no
    step twice.
    """
    for row in snapshots.rows("batching", _APPLIED):
        detail = f"{row['applied']} results applied; its applications show {row['heard']} to {row['most']}"
        yield Violation("result_applied_once", row["batch_no"], detail)


def rejected_results_wait(snapshots: Snapshots, waiting: frozenset[str]) -> Iterator[Violation]:
    """A rejected result is in the rejected queue, unless an operator has discarded it since.

    `waiting` are the ids of the feedbacks in that queue. A replayed feedback has a newer record.
    """
    discarded = _discarded_feedbacks(snapshots)
    for row in snapshots.rows("batching", _REJECTED):
        is_settled = row["feedback_id"] in discarded and discarded[row["feedback_id"]] > row["at"]
        if row["rejected"] and row["feedback_id"] not in waiting and not is_settled:
            detail = f"{row['rejected']} results were rejected in batching, the rejected queue does not hold them"
            yield Violation("rejected_result_waits", row["feedback_id"], detail)


def _discarded_feedbacks(snapshots: Snapshots) -> dict[str, datetime]:
    """Returns the feedbacks whose dead letters operators have discarded, with the newest time."""
    discards = ((row["at"], map(referred_record, row["records"])) for row in snapshots.rows("membership", _DISCARDS))
    return {record_id: at for at, records in discards for kind, record_id in records if kind == "feedback"}

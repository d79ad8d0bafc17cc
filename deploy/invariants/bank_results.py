"""The bank's results: each is applied once, or waits in the rejected queue with its reason."""

from collections.abc import Iterator

from deploy.invariants.rejections import rejected_lines_wait
from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Violation

_SUMS = """
    select id, feedback_id, results, applied, repeated, rejected from bank_feedback
    where results <> applied + repeated + rejected or least(applied, repeated, rejected) < 0
"""
_FILES = """
    select result_file_id, lines, applied + repeated + rejected + skipped as counted, applied + repeated as taken,
        coalesce(fed.taken, 0) as fed
    from bank_result_file
    left join (
        select result_file_id, sum(applied + repeated) as taken from bank_feedback
        where result_file_id is not null group by result_file_id
    ) as fed using (result_file_id)
    where lines <> applied + repeated + rejected + skipped or applied + repeated <> coalesce(fed.taken, 0)
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
    select feedback_id as id, rejected, at from (
        select distinct on (feedback_id) feedback_id, rejected, at from bank_feedback
        where result_file_id is null order by feedback_id, id desc
    ) as newest where at > now() - interval '150 days'
"""
"""Who discarded older ones may be in an archive of the audit log."""


def result_files_add_up(snapshots: Snapshots) -> Iterator[Violation]:
    """Each line of an uploaded file was applied, repeated, rejected or without a result, as its feedback says."""
    for row in snapshots.rows("batching", _FILES):
        detail = f"{row['lines']} lines, {row['counted']} counted, {row['taken']} of {row['fed']} in its feedback"
        yield Violation("result_file_adds_up", str(row["result_file_id"]), detail)


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
    """A rejected result is in the rejected queue, which holds these feedbacks, unless an operator has discarded it."""
    rejected = snapshots.rows("batching", _REJECTED)
    yield from rejected_lines_wait(snapshots, "rejected_result_waits", rejected, waiting, "feedback")

"""Enrolments: only members with a card have some, one of a year counts, and no reported one is lost."""

from collections.abc import Iterator

from deploy.invariants.rejections import rejected_lines_wait
from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Violation

_WITHOUT_CARD = """
    select enrolment_no, member_id from enrolment join member using (member_id) where card_state <> 'issued'
"""
_CURRENT = """
    select member_id, year, count(*) filter (where not superseded) as current from enrolment
    where state = 'active' group by member_id, year
    having count(*) filter (where not superseded) <> 1
        or (array_agg(superseded order by changed_at desc, enrolment_no collate "C" desc))[1]
"""
_IMPOSSIBLE = """
    select enrolment_no, way, covers_from, covers_to, state, ended_on from enrolment
    where covers_to <> make_date(year, 12, 31) or covers_from < make_date(year, 1, 1) or covers_from > covers_to
        or (way = 'collective') <> (covers_from = make_date(year, 1, 1)) or (state = 'ended') <> (ended_on is not null)
        or superseded and state <> 'active'
"""
_SUMS = """
    select id, report_id, enrolments, applied, repeated, rejected from enrolment_report
    where enrolments <> applied + repeated + rejected or least(applied, repeated, rejected) < 0
"""
_REJECTED = """
    select report_id as id, rejected, at from (
        select distinct on (report_id) report_id, rejected, at from enrolment_report order by report_id, id desc
    ) as newest where at > now() - interval '150 days'
"""
"""Who discarded older ones may be in an archive of the audit log."""


def only_holders_are_enrolled(snapshots: Snapshots) -> Iterator[Violation]:
    """Each enrolment is of a member who holds a card."""
    for row in snapshots.rows("membership", _WITHOUT_CARD):
        yield Violation("enrolled_with_card", row["enrolment_no"], f"member {row['member_id']} holds no card")


def one_enrolment_counts(snapshots: Snapshots) -> Iterator[Violation]:
    """Of a member's active enrolments of a year exactly one counts, the one that was changed last."""
    for row in snapshots.rows("membership", _CURRENT):
        detail = f"{row['current']} enrolments of {row['year']} count, or not the one that was changed last"
        yield Violation("one_enrolment_counts", str(row["member_id"]), detail)


def enrolments_are_possible(snapshots: Snapshots) -> Iterator[Violation]:
    """The days of each enrolment are those of its year, way and state."""
    for row in snapshots.rows("membership", _IMPOSSIBLE):
        detail = f"{row['way']}, {row['covers_from']} to {row['covers_to']}, {row['state']}, ended {row['ended_on']}"
        yield Violation("possible_enrolment", row["enrolment_no"], detail)


def reports_add_up(snapshots: Snapshots) -> Iterator[Violation]:
    """Each enrolment of a report was applied, repeated or rejected."""
    for row in snapshots.rows("membership", _SUMS):
        counts = ", ".join(f"{name} {row[name]}" for name in ("enrolments", "applied", "repeated", "rejected"))
        yield Violation("enrolments_add_up", row["report_id"], f"record {row['id']}: {counts}")


def rejected_enrolments_wait(snapshots: Snapshots, waiting: frozenset[str]) -> Iterator[Violation]:
    """A rejected enrolment is in the rejected queue, which holds these reports, unless an operator has discarded it."""
    rejected = snapshots.rows("membership", _REJECTED)
    yield from rejected_lines_wait(snapshots, "rejected_enrolment_waits", rejected, waiting, "enrolment_report")

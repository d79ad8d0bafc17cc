"""The reports: the counts of each union and month are the services' own, and sums over subordinates add up."""

from collections.abc import Iterable, Iterator

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Side, Violation, disagreements

_IN_BATCHING = """
    select (union_id::text || ':' || month) collate "C" as union_and_month, sum(queued)::bigint as queued,
        sum(submitted)::bigint as submitted, sum(issued)::bigint as issued, sum(refused)::bigint as refused,
        sum(revoked)::bigint as revoked, sum(waiting_submission)::bigint as waiting_submission,
        sum(waiting_bank)::bigint as waiting_bank, sum(days)::bigint as issued_after_days,
        sum(days)::bigint as issued_after_days_by
    from (
        select union_id, counted.* from (
            select application.union_id, listed_at, submitted_at, application.state, decided_at,
                coalesce(released_at, revocation_at, submitted_at) as released_at,
                coalesce(released_because, case revocation_state when 'approved' then 'revoked' end) as released_because
            from application left join batch using (batch_no)
        ) as application cross join lateral (values
            (listed_at, true, 1, 0, 0, 0, 0, 0),
            (submitted_at, true, 0, 1, 0, 0, 0, 0),
            (decided_at, state = 'issued', 0, 0, 1, 0, 0,
                least(greatest(floor(extract(epoch from decided_at - listed_at) / 86400), 0), 366)),
            (decided_at, state = 'refused', 0, 0, 0, 1, 0, 0),
            (released_at, state = 'released' and released_because = 'revoked', 0, 0, 0, 0, 1, 0)
        ) as happened (at, is_so, queued, submitted, issued, refused, revoked, days)
        cross join lateral (values (
            to_char(at at time zone 'Asia/Shanghai', 'YYYYMM'), queued, submitted, issued, refused, revoked, days, 0, 0
        )) as counted (
            month, queued, submitted, issued, refused, revoked, days, waiting_submission, waiting_bank
        )
        where is_so and at is not null
        union all
        select union_id, '0', 0, 0, 0, 0, 0, 0, (state = 'queued')::int, (state = 'submitted')::int
        from application where state in ('queued', 'submitted')
    ) as counted group by union_id, month order by 1
"""
_COUNTED = """
    select (union_id::text || ':' || month) collate "C" as union_and_month, {sums}
    from report_count where not is_below and measure in ({measures}) group by union_id, month
    having bool_or(count <> 0) order by 1
"""
_DAYS = ("issued_after_days", "issued_after_days_by")
_OF_BATCHING = ("queued", "submitted", "issued", "refused", "revoked", "waiting_submission", "waiting_bank")
_CHECKS = """
    select (union_id::text || ':' || month) collate "C" as union_and_month,
        sum((result = 'passed')::int)::bigint as passed, sum((result = 'failed')::int)::bigint as failed,
        sum(rules)::bigint as failed_by_rule
    from (
        select distinct on (application_id) coalesce(successor_union_id, union_id) as union_id, result,
            to_char(checked_at at time zone 'Asia/Shanghai', 'YYYYMM') as month,
            coalesce(cardinality(string_to_array(rules, ' ')), (
                select count(distinct rule) from check_finding
                where check_finding.application_id = application_check.application_id
                and check_finding.check_no = application_check.check_no and severity = 'error'
            )) as rules
        from application_check left join merged_union using (union_id)
        where result in ('passed', 'failed') and checked_at is not null
        order by application_id, check_no desc
    ) as newest group by union_id, month order by 1
"""
_OF_VALIDATION = ("passed", "failed", "failed_by_rule")
_MEMBERS = """
    select (union_id::text || ':' || month) collate "C" as union_and_month, sum(members)::bigint as members
    from (
        select union_id, to_char(at at time zone 'Asia/Shanghai', 'YYYYMM') as month, members
        from member cross join lateral (values (registered_at, 1), (left_at, -1)) as happened (at, members)
        where at is not null
    ) as member group by union_id, month having sum(members) <> 0 order by 1
"""
_OF_MEMBERSHIP = ("members",)
_UNIONS = """
    select union_id, code, name, kind, superior_union_id, superior_ids::text as superior_ids from {known}
    order by union_id
"""
_SUMS_DIFFER = """
    select union_id, measure, coalesce(below.count, 0) as below, coalesce(own.count, 0) as own
    from (
        select union_id, measure, month, kind, branch_code, channel, detail, count from report_count
        where is_below and count <> 0
    ) as below
    full join (
        select superior_id as union_id, measure, month, report_union.kind, branch_code, channel, detail,
            sum(count)::bigint as count
        from report_count join report_union using (union_id) cross join unnest(superior_ids) as superior_id
        where not is_below group by 1, 2, 3, 4, 5, 6, 7 having sum(count) <> 0
    ) as own using (union_id, measure, month, kind, branch_code, channel, detail)
    where below.count is distinct from own.count
"""


def counts_are_the_services_own(snapshots: Snapshots) -> Iterator[Violation]:
    """By union and month, the reports count what batching, validation and membership have."""
    of_batching = Side("batching", snapshots.rows("batching", _IN_BATCHING))
    yield from _disagreements(snapshots, of_batching, (*_OF_BATCHING, *_DAYS))
    yield from _disagreements(snapshots, Side("validation", snapshots.rows("validation", _CHECKS)), _OF_VALIDATION)
    yield from _disagreements(snapshots, Side("membership", snapshots.rows("membership", _MEMBERS)), _OF_MEMBERSHIP)


def unions_are_known(snapshots: Snapshots) -> Iterator[Violation]:
    """The reports know each union's name and place as membership does."""
    membership = Side("membership", snapshots.rows("membership", _UNIONS.format(known='"union"')))
    known = snapshots.rows("notification", _UNIONS.format(known="report_union where known_at is not null"))
    return disagreements("report_unions", membership, Side("notification", known))


def sums_add_up(snapshots: Snapshots) -> Iterator[Violation]:
    """What a union counts below it is the sum over all unions below it."""
    for row in snapshots.rows("notification", _SUMS_DIFFER):
        detail = f"{row['measure']}: {row['below']} below it, {row['own']} by these unions' own counts"
        yield Violation("report_sums", str(row["union_id"]), detail)


def _disagreements(snapshots: Snapshots, own: Side, measures: Iterable[str]) -> Iterator[Violation]:
    measures = list(measures)
    query = _COUNTED.format(
        sums=", ".join(map(_sum, measures)), measures=", ".join(f"'{measure}'" for measure in measures)
    )
    return disagreements("report_counts", own, Side("notification", snapshots.rows("notification", query)))


def _sum(measure: str) -> str:
    counted = "count * detail::int" if measure in _DAYS else "count"
    return f"coalesce(sum({counted}) filter (where measure = '{measure}'), 0)::bigint as {measure}"

"""SQL that fills notification's read model of the reports with what the made-up members and applications add to it."""

# ruff: noqa: S608 - nothing in the statements comes from outside
from collections.abc import Iterator

from deploy.growth.facts import union_id, unions

_MONTH = "to_char({at} at time zone 'Asia/Shanghai', 'YYYYMM')::int"
_OWN = f"""
    insert into report_count (union_id, measure, month, is_below, kind, branch_code, channel, detail, count)
    select union_id, measure, month, false, '', branch_code, channel, detail, count(*)
    from (
        select union_id, 'members' as measure, {_MONTH.format(at="registered_at")} as month, '' as branch_code,
            '' as channel, '' as detail
        from report_member
        union all
        select union_id, measure, coalesce({_MONTH.format(at="at")}, 0), case when by_all then '' else branch end,
            case when by_all then '' else channel end, detail
        from (
            select *, coalesce(branch_code, '') as branch,
                least(greatest(floor(extract(epoch from state_at - queued_at) / 86400), 0), 366)::int::text as days
            from report_application
        ) as application cross join lateral (values
            ('queued', queued_at, '', true, false),
            ('passed', checked_at, '', true, false),
            ('submitted', submitted_at, '', submitted_at is not null, false),
            ('issued', state_at, '', state = 'issued', false),
            ('issued_after_days', state_at, days, state = 'issued', true),
            ('issued_after_days_by', state_at, days, state = 'issued', false),
            ('refused', state_at, '', state = 'refused', false),
            ('refused_by_reason', state_at, reason_code, state = 'refused', false),
            ('waiting_submission', null, '', state = 'queued', false),
            ('waiting_bank', null, '', state = 'submitted', false)
        ) as counted (measure, at, detail, is_so, by_all)
        where is_so
    ) as counted
    group by union_id, measure, month, branch_code, channel, detail
"""
_BELOW = """
    insert into report_count (union_id, measure, month, is_below, kind, branch_code, channel, detail, count)
    select superior_id, measure, month, true, report_union.kind, branch_code, channel, detail, sum(count)
    from report_count join report_union using (union_id) cross join unnest(superior_ids) as superior_id
    group by superior_id, measure, month, report_union.kind, branch_code, channel, detail
"""


def read_model() -> Iterator[tuple[str, str]]:
    """The statements by the name of the table, in their order."""
    columns = "union_id, code, name, kind, superior_union_id, superior_ids"
    yield (
        "report_union",
        f"insert into report_union ({columns}, known_at) select {columns}, now() from ({unions()}) as made",
    )
    yield (
        "report_member",
        f"""
        insert into report_member (member_id, union_id, registered_at)
        select member_id, {union_id("union_no + 1")}, registered_at from person
    """,
    )
    yield (
        "report_application",
        f"""
        insert into report_application (application_id, union_id, queued_at, channel, channel_version, state, version,
            state_at, known_at, reason_code, branch_code, submitted_at, check_no, check_result, checked_at)
        select application_id, {union_id("union_no + 1")}, queued_at, 'ordinary', 0, state, version,
            case when state in ('issued', 'refused') then decided_at end, now(),
            case state when 'refused' then 'other' end, case when batch_no is not null then 'b1' end, submitted_at, 1,
            'passed', queued_at
        from applied
    """,
    )
    yield "report_name", "insert into report_name (kind, code, name) values ('branch', 'b1', '支行')"
    yield "report_count", _OWN
    yield "report_count of superiors", _BELOW

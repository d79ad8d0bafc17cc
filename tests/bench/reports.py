"""A page of the reports of a city with 20,000 unions and 10,000,000 members, and what counting an event takes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from deploy.local.client import ApiClient
from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from services.membership.accounts.accounts import new_account
from services.membership.unions import add_union
from services.notification.reports.counting import count_applications
from services.notification.reports.facts import ApplicationFacts
from tests.bench.environment import Options, fresh_database, fresh_vhost, running_service
from tests.bench.report import Report, Row
from tests.mothers import a_union_code
from tests.unlimited import UNLIMITED

TITLE = "Reports"
UNIONS, SUPERIORS, MEMBERS, MONTHS = 20_000, 120, 10_000_000, 24
LONGEST_MS = 1000
_LAST_MONTH = "2026-11"
_PASSWORD = "bench-2026"
_TIMES, _WARMING = 15, 3
_EVENT = 500
_PAGES: dict[str, dict[str, Any]] = {
    "a month, by subordinate union": {},
    "twelve months, by subordinate union": {"first_month": "2025-12"},
    "a month, by bank": {"by": "branch"},
    "a month, by channel": {"by": "channel"},
    "a month, by kind of union": {"by": "kind"},
    "twelve months, by month": {"first_month": "2025-12", "by": "month"},
    "a month, of one bank, by subordinate union": {"branch_code": "bank-1"},
}
_UNIONS = """
insert into report_union (union_id, code, name, kind, superior_union_id, superior_ids, known_at)
select :city, 'city', '上海市总工会', 'city', null, '{}', now()
union all
select md5('superior' || i)::uuid, to_char(i, 'FM000'), '第' || i || '区总工会', 'superior', :city, array[:city], now()
from generate_series(1, :superiors) as i
union all
select md5('union' || i)::uuid, to_char(i, 'FM000000'), '第' || i || '公司工会', 'grassroots',
    md5('superior' || 1 + i % :superiors)::uuid, array[:city, md5('superior' || 1 + i % :superiors)::uuid], now()
from generate_series(1, :unions) as i
"""
_OWN = """
insert into report_count (union_id, measure, month, is_below, kind, branch_code, channel, detail, count)
select md5('union' || i)::uuid, measure, month, false, '',
    case when measure in ('members', 'waiting_submission', 'issued_after_days') then ''
        else 'bank-' || 1 + abs(hashint4(i) % 4) end,
    case when measure in ('members', 'issued_after_days') then ''
        when drawn % 20 = 0 then 'special' else 'ordinary' end, detail,
    case when measure = 'members' then :members / :unions / :months else 1 + drawn % 20 end
from generate_series(1, :unions) as i
cross join (
    select extract(year from at)::int * 100 + extract(month from at)::int as month
    from generate_series(date '2024-12-01', date '2026-11-01', interval '1 month') as at
    union all select 0
) as months
cross join lateral (select abs(hashint4(i * 31 + month) % 100000) as drawn) as draw
cross join lateral (
    select measure, '' as detail from unnest(
        array['queued', 'passed', 'failed', 'submitted', 'issued', 'refused', 'revoked', 'members']
    ) as measure where month > 0
    union all
    select measure, (3 + (drawn + number * 11) % 60)::text
    from generate_series(1, 5) as number, unnest(array['issued_after_days', 'issued_after_days_by']) as measure
    where month > 0
    union all
    select 'failed_by_rule', 'rule-' || (drawn + number * 5) % 12 from generate_series(1, 2) as number where month > 0
    union all
    select 'refused_by_reason', 'reason-' || (drawn + number * 5) % 15
    from generate_series(1, 2) as number where month > 0
    union all
    select measure, '' from unnest(array['waiting_submission', 'waiting_bank']) as measure where month = 0
) as counted
"""
_BELOW = """
insert into report_count (union_id, measure, month, is_below, kind, branch_code, channel, detail, count)
select superior_id, measure, month, true, report_union.kind, branch_code, channel, detail, sum(count)
from report_count join report_union using (union_id) cross join unnest(superior_ids) as superior_id
group by 1, 2, 3, 5, 6, 7, 8
"""
_KEY = "union_id, measure, month, is_below, kind, branch_code, channel, detail"


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Measures each page of the city, one of a district, an export, and the counting of an event."""
    unions, times = (500, 3) if options.quick else (UNIONS, _TIMES)
    city = uuid4()
    with fresh_database(on, "notification") as database_url:
        rows = _fill(database_url, city, unions)
        with _running(on, secrets, database_url, city) as client:
            timed = [
                _row(f"The city's page: {name}", partial(_get, client, {"first_month": _LAST_MONTH, **query}), times)
                for name, query in _PAGES.items()
            ]
            district = _get(client, {"first_month": _LAST_MONTH})["items"][1]["union_id"]
            query = {"first_month": _LAST_MONTH, "union_id": district}
            timed.append(_row("A district's page: a month, by subordinate union", partial(_get, client, query), times))
            period = f"first_month={_LAST_MONTH}&last_month={_LAST_MONTH}"
            timed.append(
                _row(
                    "The city's report as .xlsx", lambda: client.download(f"reports/report.xlsx?{period}"), times, None
                )
            )
        timed.append(_counting(database_url, times))
    return Report("reports", TITLE, timed, _HOW.format(unions=f"{unions:,}", rows=f"{rows:,}", times=times))


def _get(client: ApiClient, query: dict[str, Any]) -> Any:
    return client.get("reports", size=200, last_month=_LAST_MONTH, **query)


def _row(what: str, ask: Callable[[], object], times: int, longest: int | None = LONGEST_MS) -> Row:
    for _ in range(_WARMING):
        ask()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    middle = median(took)
    span = f"{middle:.0f} ms ({min(took):.0f} to {max(took):.0f})"
    target = f"≤ {longest} ms" if longest else "–"
    return Row(what, "–", span, "–", target, middle <= longest if longest else None)


def _counting(database_url: str, times: int) -> Row:
    """An event of 500 issued cards of one union, counted for it, its district and the city."""
    engine = create_engine(database_url)
    now = datetime(2026, 11, 20, tzinfo=UTC)
    with engine.connect() as connection:
        union_id: UUID = connection.execute(
            text("select union_id from report_union where kind = 'grassroots' limit 1")
        ).scalar_one()

    def count() -> None:
        facts = [
            ApplicationFacts(
                uuid4(),
                union_id,
                queued_at=now,
                state="issued",
                version=2,
                state_at=now,
                branch_code="bank-1",
                submitted_at=now,
            )
            for _ in range(_EVENT)
        ]
        with Session(engine) as session, session.begin():
            count_applications(session, facts)

    row = _row(f"Counting an event of {_EVENT} applications", count, times, None)
    engine.dispose()
    return row


@contextmanager
def _running(on: Nodes, secrets: dict[str, str], database_url: str, city: UUID) -> Iterator[ApiClient]:
    """Runs notification with the counts, and membership and a gateway for a reviewer of the city."""
    with fresh_database(on, "membership") as membership_url, fresh_vhost(on) as amqp_uri:
        engine = create_engine(membership_url)
        with Session(engine) as session, session.begin():
            union = add_union(session, "上海市总工会", a_union_code(1), "city", None)
            union.union_id = city
            account = new_account(union, "bench", "陈静", ["reviewer"], _PASSWORD)
            account.must_change_password = False
            session.flush()
            session.add(account)
            session.execute(text("delete from outbox"))
        engine.dispose()
        port = hold_port()
        nobody = f"http://{LOOPBACK}:9"  # no SMS is sent
        environment = {**secrets, **UNLIMITED, "AMQP_URI": amqp_uri, "ENVIRONMENT": "demo", "SMS_URL": nobody}
        with (
            running_service("services.membership.service", {**environment, "DATABASE_URL": membership_url}),
            running_service("services.notification.service", {**environment, "DATABASE_URL": database_url}),
            running_service("gateway.service", {**environment, "GATEWAY_PORT": str(port)}),
        ):
            yield ApiClient(f"http://{LOOPBACK}:{port}").sign_in("bench", _PASSWORD)


def _fill(database_url: str, city: UUID, unions: int) -> int:
    """Makes the counts by SQL; returns how many rows there are."""
    engine = create_engine(database_url)
    values = {"city": city, "superiors": SUPERIORS, "unions": unions, "members": MEMBERS, "months": MONTHS}
    with Session(engine) as session, session.begin():
        session.execute(text("set local maintenance_work_mem = '1GB'"))
        session.execute(text("set local work_mem = '512MB'"))
        session.execute(text("alter table report_count drop constraint pk_report_count"))
        for statement in (_UNIONS, _OWN, _BELOW):
            session.execute(text(statement), values)
        session.execute(text(f"alter table report_count add constraint pk_report_count primary key ({_KEY})"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze report_count, report_union"))
        rows = int(connection.execute(text("select count(*) from report_count")).scalar_one())
    engine.dispose()
    return rows


_HOW = """
`GET /api/v1/reports` through the HTTP API, with a session of a reviewer of the city: gateway, RPC over RabbitMQ,
notification, PostgreSQL and back; {times} times after a warming, the median and the span. The read model has {unions}
unions below 120 superior ones below the city, 10,000,000 members, and 24 months of counts for each union: {rows} rows.
They are made by SQL (`tests/bench/reports.py`): the size of the read model is bounded by unions, months, banks,
channels, reasons and days, and does not grow with members or applications. A page holds the figures of a period and of
the one before, twelve months for the chart, reasons, and the rows: all subordinate unions at once, which is more than a
page usually shows.

What bounds the figures: counts are kept for each union and, added up, for each union above it, so that a page of the
city reads the rows of 121 unions. Medians and percentiles are read from counted days, which add up. An event is counted
with its facts, its union's counts and those of the two unions above it in one transaction.
"""

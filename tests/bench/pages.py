"""A page of 20 members, out of 10,000 and out of 10,000,000, for each search field, and deep pages."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from deploy.local.client import ApiClient
from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from services.kit.data.encryption import keyring
from services.membership.members.member_documents import document_digest
from tests.bench.clerks import add_clerk, sign_in_again
from tests.bench.environment import Options, fresh_vhost, kept_database, plain_url, running_service
from tests.bench.report import Report, Row
from tests.unlimited import UNLIMITED

TITLE = "Pages"
FEW = 10_000
_SIZE = 20
TIMES = 30
LARGEST_RATIO = 1.5
_WARMING = 5
_NUMBER_SEARCHED_FOR = "310115198506151234"
_A_HOUSE = "a house in which one of the few lives"
_SEARCHES: dict[str, dict[str, Any]] = {
    "no filter": {},
    "no filter, page 500": {"page": 500},
    "name": {"name": "王"},
    "name, page 10": {"name": "王", "page": 10},
    "document_number": {"document_number": _NUMBER_SEARCHED_FOR},
    "address, a road": {"address": "控江路"},
    "address, a house": {"address": _A_HOUSE},
    "address, number 1 of a road": {"address": "控江路1号"},
    "sex": {"sex": "male"},
    "sex, page 200": {"sex": "male", "page": 200},
    "applied_from, applied_to": {"applied_from": "2026-03-01", "applied_to": "2026-03-31"},
    "card_state": {"card_state": "pending"},
    "channel": {"channel": "special"},
    "all but the number": {
        "name": "王",
        "address": "杨浦区",
        "sex": "male",
        "applied_from": "2024-01-01",
        "applied_to": "2026-10-31",
        "card_state": "issued",
        "channel": "ordinary",
    },
}
_MEMBERS = """
insert into member (
    member_id, union_id, member_no, name, document_type, document_number, document_digest, document_expiry,
    document_issued, birth_date, sex, nationality, phone, phone_digest, address, retirement_category, affiliation,
    card_state, card_no, application_id, channel, applied_at
)
select
    (to_char(i, 'FM000000000000') || '70008000' || to_char(i, 'FM000000000000'))::uuid, :union_id,
    to_char(i, 'FM0000000000'),
    substr(
            '王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕',
            1 + floor(family * 40)::int, 1
        )
        || substr('伟芳娜秀英敏静丽强磊军洋勇艳杰涛明超霞平', 1 + floor(given * 20)::int, 1)
        || substr('刚桂兰辉玲丹萍鹏华红玉飞斌梅琳建文涛明超', 1 + floor(house * 20)::int, 1),
    'resident_id', :document_number, decode(md5(i::text), 'hex'), '2035-08-08', '2015-08-08', '1985-06-15',
    case when sex < 0.5 then 'male' else 'female' end, 'CHN', :phone, decode(md5('phone' || i), 'hex'),
    '上海市' || (array['杨浦区', '浦东新区'])[1 + floor(district * 2)::int]
        || (array['闸殷路', '黄兴路', '国定路', '控江路', '四平路', '长阳路', '平凉路', '翔殷路'])
            [1 + floor(road * 8)::int]
        || (1 + floor(house * 2000))::int || '号' || (1 + floor(given * 30))::int || '室',
    'M60', 'employer', state, case when state = 'issued' then cast(:card_no as bytea) end,
    case when state <> 'none' then gen_random_uuid() end,
    case when state <> 'none' then case when channel < 0.05 then 'special' else 'ordinary' end end,
    case when state <> 'none' then timestamptz '2023-11-01' + applied * interval '1095 days' end
from (
    select
        i, random() as family, random() as given, random() as house, random() as sex, random() as district,
        random() as road, random() as channel, random() as applied,
        (array['none', 'none', 'none', 'none', 'none', 'pending', 'submitted', 'issued', 'issued', 'issued'])
            [1 + floor(random() * 10)::int] as state
    from setseed(:seed), generate_series(cast(:first as int), cast(:last as int)) as i
    offset 0
) as drawn
"""
_AT_ONCE = os.cpu_count() or 1
_INDEXES = """
select indexdef from pg_indexes where tablename = 'member' order by indexdef not like '% gin %', indexname
"""
_BARE = """
select format('alter table %s drop constraint %I', conrelid::regclass, conname)
from pg_constraint where confrelid = 'member'::regclass
union all
select format('alter table %s drop constraint %I', conrelid::regclass, conname)
from pg_constraint where conrelid = 'member'::regclass and contype in ('p', 'u')
union all
select format('drop index %I', indexname) from pg_indexes where tablename = 'member' and indexname like 'ix%'
union all
select 'alter table member set unlogged'
"""
"""Removes what slows filling the table: keys, indexes, the write-ahead log. They are made again afterwards."""


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Measures both in turn for each search."""
    many, times = (20_000, 3) if options.quick else (options.members, TIMES)
    with ExitStack() as after:
        clients = [after.enter_context(_membership_of(on, secrets, number)) for number in (FEW, many)]
        house = _house(on)
        searches = {name: house if query == {"address": _A_HOUSE} else query for name, query in _SEARCHES.items()}
        rows = [_measure_search(name, query, clients, many, times) for name, query in searches.items()]
        sizes = f"{_gigabytes(on, many):.1f}"
    return Report("pages", TITLE, rows, _HOW.format(times=times, many=f"{many:,}", sizes=sizes))


def _measure_search(name: str, options: dict[str, Any], clients: list[ApiClient], many: int, times: int) -> Row:
    query = {"size": _SIZE, **options}
    for _ in range(_WARMING):
        found = [client.get("members", **query)["total"] for client in clients]
    took: list[list[float]] = [[], []]
    for _ in range(times):
        for client, so_far in zip(clients, took, strict=True):
            began = time.perf_counter()
            client.get("members", **query)
            so_far.append((time.perf_counter() - began) * 1000)
    few_took, many_took = (median(so_far) for so_far in took)
    return Row(
        f"A page of {_SIZE} members by {name}",
        f"out of {FEW:,}: {few_took:.1f} ms ({_counted(found[0])} match)",
        f"out of {many:,}: {many_took:.1f} ms ({_counted(found[1])} match)",
        f"{many_took / few_took:.2f} times",
        f"≤ {LARGEST_RATIO:g} times",
        many_took / few_took <= LARGEST_RATIO,
    )


def _counted(total: int) -> str:
    return f"{total:,}" if total < FEW else f"{FEW:,} or more"


@contextmanager
def _membership_of(on: Nodes, secrets: dict[str, str], number: int) -> Iterator[ApiClient]:
    """Runs a gateway and a membership service whose only union has this many members; yields its clerk's client."""
    with (
        kept_database(
            on, "membership", _name(number), lambda database_url: _fill(database_url, number)
        ) as database_url,
        fresh_vhost(on) as amqp_uri,
    ):
        port = hold_port()
        environment = {
            **secrets,
            **UNLIMITED,
            "NUMBER_SEARCHES_AN_HOUR": "1000000",
            "NUMBER_SEARCHES_A_DAY": "1000000",
            "AMQP_URI": amqp_uri,
            "ENVIRONMENT": "demo",
        }
        with (
            running_service("services.membership.service", {**environment, "DATABASE_URL": database_url}),
            running_service("gateway.service", {**environment, "GATEWAY_PORT": str(port)}),
        ):
            yield sign_in_again(1, f"http://{LOOPBACK}:{port}")


def _name(number: int) -> str:
    return f"bench_members_{number}"


def _house(on: Nodes) -> dict[str, str]:
    """Returns the address of a member in the middle of the smaller table."""
    with psycopg.connect(plain_url(on.postgres.url(_name(FEW)))) as database:
        found = database.execute("select substring(address from '区(.*号)') from member limit 1 offset %s", [FEW // 2])
        return {"address": str(found.fetchall()[0][0])}


def _gigabytes(on: Nodes, number: int) -> float:
    with psycopg.connect(plain_url(on.postgres.url(_name(number)))) as database:
        return float(database.execute("select pg_total_relation_size('member')").fetchall()[0][0]) / 2**30


def _fill(database_url: str, number: int) -> None:
    """Makes the members over one connection for each core, in an unlogged table, which does not affect reading."""
    engine = create_engine(database_url)
    with Session(engine) as session, session.begin():
        clerk = add_clerk(session, 1)
        session.flush()
        indexes = session.scalars(text(_INDEXES)).all()
        for statement in session.scalars(text(_BARE)).all():
            session.execute(text(statement))
        digest = document_digest("resident_id", _NUMBER_SEARCHED_FOR)
    shares = [(1 + number * one // _AT_ONCE, number * (one + 1) // _AT_ONCE) for one in range(_AT_ONCE)]
    made = {"union_id": clerk.union_id, **_encrypted()}
    _at_once(
        engine, [(_MEMBERS, {**made, "first": first, "last": last, "seed": first / number}) for first, last in shares]
    )
    _at_once(engine, [(statement, {}) for statement in indexes])
    with Session(engine) as session, session.begin():
        session.execute(
            text("update member set document_digest = :digest where member_no = to_char(:middle, 'FM0000000000')"),
            {"digest": digest, "middle": number // 2},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze member"))
    engine.dispose()


def _at_once(engine: Engine, statements: Sequence[tuple[str, dict[str, Any]]]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        list(workers.map(lambda one: _execute(engine, *one), statements))


def _execute(engine: Engine, statement: str, values: dict[str, Any]) -> None:
    with Session(engine) as session, session.begin():
        session.execute(text("set local maintenance_work_mem = '1GB'"))
        session.execute(text("set local max_parallel_maintenance_workers = 0"))
        session.execute(text(statement), values)


def _encrypted() -> dict[str, bytes]:
    """Returns the encrypted values, the same for each member: they are shown but never searched."""
    values = {"document_number": _NUMBER_SEARCHED_FOR, "phone": "13800000000", "card_no": "6224781234567891"}
    return {name: keyring().encrypt(value) for name, value in values.items()}


_HOW = """
`GET /api/v1/members?size=20` through the HTTP API, with a clerk's session: gateway, RPC over RabbitMQ, membership,
PostgreSQL and back. Two membership services with a gateway each, one whose only union has 10,000 members and one
whose only union has {many}, drawn from the same distribution; both are measured in turn, {times} times a search after a
warming, and the medians compared. One union that has them all is the hardest case: in reality twenty thousand unions
share them. An answer holds the page and the number of matches, counted to 10,000 at most, with an address to 1,000:
list, search and count are one answer. A search that matches fewer of 10,000 members than of {many} pays for the
counting too.

The members are made by one SQL statement (`tests/bench/pages.py`), the indexes as the migrations define them, built
after it; with them the larger table has {sizes} GB, which the system's cache may hold. Document number, phone and
card are the same encrypted values in each row, the digests are one for each member; only the one that is searched for
is correct. Indexes that have just been built are more compact than grown ones.

What bounds the figures: most of the time is HTTP and RPC, the same for both, which brings the ratio nearer to one. Deep
pages skip member by member, the same in both; in the larger table the members of a common name lie
further apart. Each matching address is read, and a large union has more of them to count.
"""

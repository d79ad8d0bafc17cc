"""Fills the databases, each by a few statements; the audit log by its own chain."""

# ruff: noqa: S608 - nothing in the statements comes from outside
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from deploy.growth.facts import id_of, people, superior, union_code, union_id, unions
from deploy.growth.later_work import after_batching, after_membership, after_revocation
from deploy.growth.reports import read_model
from services.batching.pending.persons import NO_FACTS
from services.kit.data.encryption import keyring
from services.kit.data.months import later, month_of, partition_name
from services.kit.data.primary import primary_of
from services.kit.settings import read_settings
from services.membership.audit.audit_chain import START, AuditKeys, AuditSettings, Head

Say = Callable[[str], None]
Connection = psycopg.Connection[Any]

_FIRST_TABLES = {
    "membership": "member",
    "batching": "application",
    "validation": "application_check",
    "revocation": "batch",
    "notification": "inbox_message",
}
_OTHER_FACTS = json.dumps({**json.loads(NO_FACTS), "phone": "13812345678", "address": "上海市某区某路1号"})
_STEPS = """
(values ('collected', 1, interval '5 days'), ('activated', 2, interval '6 days')) as one (step, version, after)
"""
"""The steps of a card that was collected, each with its version and the time after the issue."""
_INDEXES = """
select c.relname, replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ')
from pg_index i join pg_class c on c.oid = i.indexrelid
where c.relnamespace = 'public'::regnamespace and not c.relispartition
    and not exists (select from pg_constraint where conindid = c.oid)
order by c.relname
"""
"""The indexes that no constraint needs, of partitioned tables as a whole, each with its definition."""
_SIZES = """
select coalesce(parent.relname, c.relname) as name, sum(pg_total_relation_size(c.oid))::bigint as bytes,
    sum(greatest(c.reltuples, 0))::bigint as rows
from pg_class c left join pg_inherits i on i.inhrelid = c.oid left join pg_class parent on parent.oid = i.inhparent
where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace group by 1 having sum(c.relpages) > 0 order by 2 desc
"""


class NotEmpty(Exception):
    """A database holds data already."""


@dataclass(frozen=True)
class Size:
    """How much to make."""

    members: int
    unions: int
    months: int
    audit_events: int

    @property
    def days(self) -> int:
        """The days of registration; the last applications are still at the bank."""
        return self.months * 30


def fill(urls: Mapping[str, str], size: Size, say: Say) -> None:
    """Fills the databases. Raises NotEmpty and leaves all as it is where one holds data."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=size.days + 15)
    connections = {service: _connect(url) for service, url in urls.items()}
    try:
        for service, connection in connections.items():
            if connection.execute(f"select 1 from {_FIRST_TABLES[service]} limit 1").fetchone():
                raise NotEmpty(f"the database of {service} is not empty")
        for service, connection in connections.items():
            with connection.transaction(), _indexes_built_afterwards(connection):
                connection.execute(people(size.members, size.unions, start, size.days))
                for name, statement in _STATEMENTS[service](size):
                    rows = connection.execute(statement).rowcount
                    say(f"{service}.{name}: {rows}")
                if service == "membership":
                    say(f"membership.audit_entry: {_fill_audit_log(connection, size, start)}")
            connection.execute("vacuum analyze")
    finally:
        for connection in connections.values():
            connection.close()


def sizes(urls: Mapping[str, str]) -> Iterator[str]:
    """A line for each table with its megabytes, indexes included, and about how many rows it has."""
    for service, url in urls.items():
        with _connect(url) as connection:
            for name, size, rows in connection.execute(_SIZES).fetchall():
                yield f"{service}.{name:24} {size / 1e6:12.1f} MB {rows:14} rows"


def bytes_of(url: str) -> int:
    """The bytes of a database's tables and indexes on disk."""
    with _connect(url) as connection:
        return sum(size for _, size, _ in connection.execute(_SIZES).fetchall())


@contextmanager
def _indexes_built_afterwards(connection: Connection) -> Iterator[None]:
    """Drops the indexes that no constraint needs, and builds them when all rows are there, which takes less time."""
    found = connection.execute(_INDEXES).fetchall()
    for name, _ in found:
        connection.execute(f'drop index "{name}"')
    yield
    for _, definition in found:
        connection.execute(definition)


def _connect(url: str) -> Connection:
    return primary_of(url).connect(autocommit=True)


def _encrypted(plain: str) -> str:
    """SQL for an encrypted text: the same one everywhere, since only its size matters."""
    return f"'\\x{keyring().encrypt(plain).hex()}'::bytea"


def _digest(text: str) -> str:
    """SQL for a digest as a blind index has it, which finds nobody by a real number."""
    return f"decode(md5({text}), 'hex')"


def _membership(size: Size) -> Iterator[tuple[str, str]]:
    columns = "union_id, code, name, kind, superior_union_id, superior_ids"
    yield "union", f'insert into "union" ({columns}) select {columns} from ({unions()}) as made'
    yield (
        "account",
        f"""
        insert into account (account_id, union_id, account_name, display_name, roles, password_hash)
        select {id_of("account", "timestamptz '2020-01-01'", "no")}, {union_id("no + 1")}, 'clerk' || no, '经办人',
            '{{clerk}}', '!' from (select distinct union_no as no from person) as grassroots
    """,
    )
    yield (
        "member",
        f"""
        insert into member (member_id, union_id, member_no, name, document_type, document_number, document_digest,
            document_end, birth_date, sex, nationality, phone, phone_digest, address, affiliation, registered_at,
            card_state, card_no, card_status, card_version, application_id, channel, applied_at)
        select member_id, {union_id("union_no + 1")}, member_no,
            chr(19968 + (i % 900)::int) || chr(20000 + (i % 701)::int), 'resident_id',
            {_encrypted("310101199001011234")}, {_digest("'document' || i")}, {_digest("i % 5000 || ''")},
            date '1965-01-01' + (i % 14000)::int,
            case (i / {size.unions}) % 2 when 0 then 'male' else 'female' end, 'CHN',
            {_encrypted("13812345678")}, {_digest("'phone' || i")}, '上海市某区某路' || i % 999 || '号', 'employer',
            registered_at,
            case state when 'queued' then 'pending' when 'submitted' then 'submitted' when 'issued' then 'issued'
                else 'none' end,
            case state when 'issued' then {_encrypted("6224781234567891")} end,
            case when is_collected then 'active' end, case when is_collected then 2 else 0 end,
            case when state in ('queued', 'submitted', 'issued') then application_id end,
            case when state in ('queued', 'submitted', 'issued') then 'ordinary' end,
            case when state in ('queued', 'submitted', 'issued') then queued_at end
        from person
    """,
    )
    yield "member_no", "select setval('member_no', (select max(member_no::bigint) from person))"
    yield (
        "application",
        f"""
        insert into application (application_id, member_id, union_id, state, version, channel, batch_no, queued_by,
            queued_at)
        select application_id, member_id, {union_id("union_no + 1")}, state, version, 'ordinary', batch_no,
            {id_of("account", "timestamptz '2020-01-01'", "union_no")}, queued_at from applied
    """,
    )
    yield (
        "application_history",
        f"""
        insert into application_history (application_id, version, union_id, state, at)
        select application_id, step, {union_id("union_no + 1")},
            case step when 0 then 'queued' when 1 then 'submitted' else state end,
            case step when 0 then queued_at when 1 then submitted_at else decided_at end
        from applied, generate_series(0, version) as step
    """,
    )
    yield (
        "card_step",
        f"""
        insert into card_step (application_id, version, member_id, step, happened_at, by_union, card_no)
        select application_id, one.version, member_id, step, decided_at + after, false, {_encrypted("6224781234567891")}
        from applied, {_STEPS} where is_collected
    """,
    )
    yield from after_membership()


def _batching(_size: Size) -> Iterator[tuple[str, str]]:
    union, upper = union_id("union_no + 1"), union_id(superior("union_no"))
    yield "branch", "insert into branch (code, name, charset) values ('b1', '支行', 'gb18030')"
    yield (
        "outlet",
        """
        insert into outlet (code, branch_code, name, address, district, phone)
        values ('o1', 'b1', '网点', '上海市', '黄浦区', '63210000')
    """,
    )
    yield (
        "batch",
        f"""
        insert into batch (batch_no, union_id, union_code, union_name, superior_union_id, superior_ids, personal,
            channel, branch_code, outlet_code, outlet_name, outlet_address, contact_name, contact_phone, submitted_by,
            submitted_at, count_month, register_hash, total, issued, refused, feedback_at)
        select batch_no, {union}, {union_code("union_no + 1")}, '基层工会' || union_no, {upper},
            array[{union_id("0")}, {upper}], false, 'ordinary', 'b1', 'o1', '网点', '上海市', {_encrypted("王芳")},
            {_encrypted("13812345678")}, {id_of("account", "timestamptz '2020-01-01'", "union_no")}, submitted_at,
            to_char(submitted_at, 'YYYY-MM'), md5(batch_no), total, issued, refused, submitted_at + interval '10 days'
        from lot
    """,
    )
    yield (
        "application",
        f"""
        insert into application (application_id, member_id, member_no, union_id, listed_at, name, document_type,
            document_number, document_digest, other_facts, channel, state, version, check_state, check_no, checked_at,
            batch_no, bank_outcome, card_no, card_digest, reason_code, decided_at)
        select application_id, member_id, member_no, {union}, queued_at, '王芳', 'resident_id',
            {_encrypted("310101199001011234")}, {_digest("'document' || i")}, {_encrypted(_OTHER_FACTS)},
            'ordinary', state, version, 'passed', 1, queued_at, batch_no,
            case when state in ('issued', 'refused') then state end,
            case state when 'issued' then {_encrypted("6224781234567891")} end,
            case state when 'issued' then {_digest("'card' || i")} end,
            case state when 'refused' then 'other' end,
            case when state in ('issued', 'refused') then decided_at end
        from applied
    """,
    )
    yield (
        "card",
        f"""
        insert into card (application_id, member_id, union_id, union_name, superior_ids, status, version, card_no,
            card_digest, made_at, collected_at, activated_at)
        select application_id, member_id, {union}, '基层工会' || union_no, array[{union_id("0")}, {upper}],
            case when is_collected then 'active' else 'made' end,
            case when is_collected then 2 else 0 end, {_encrypted("6224781234567891")},
            {_digest("'card' || i")}, decided_at, case when is_collected then decided_at + interval '5 days' end,
            case when is_collected then decided_at + interval '6 days' end
        from applied where state = 'issued'
    """,
    )
    yield (
        "card_report",
        f"""
        insert into card_report (application_id, card_digest, step, happened_at, feedback_id, version, at)
        select application_id, {_digest("'card' || i")}, step, decided_at + after, 'cards-' || n, one.version,
            decided_at + after
        from applied join lot using (batch_no), {_STEPS} where is_collected
    """,
    )
    yield (
        "consent_receipt",
        """
        insert into consent_receipt (application_id, member_id, version, basis, given_at, recorded_by)
        select application_id, member_id, '2026', 'signed_form', queued_at, member_id from applied
        where batch_no is not null
    """,
    )
    yield (
        "batch_person",
        f"""
        insert into batch_person (batch_no, position, application_id, member_no, name, document_type, document_number)
        select batch_no, place, application_id, member_no, '王芳', 'resident_id', {_encrypted("310101199001011234")}
        from applied where batch_no is not null
    """,
    )
    yield (
        "batch_counter",
        f"""
        insert into batch_counter (union_code, day, last)
        select {union_code("union_no + 1")}, (submitted_at at time zone 'UTC')::date, count(*) from lot group by 1, 2
    """,
    )
    yield (
        "bank_feedback",
        """
        insert into bank_feedback (feedback_id, batch_no, content_digest, processed_at, results, applied, repeated,
            rejected, at)
        select 'feedback-' || n, batch_no, decode(md5(batch_no), 'hex'), submitted_at + interval '10 days',
            issued + refused, issued + refused, 0, 0, submitted_at + interval '10 days' from lot
        where issued + refused > 0
        union all select 'cards-' || n, null, decode(md5('cards' || batch_no), 'hex'), null, reports, reports, 0, 0,
            submitted_at + interval '16 days'
        from lot join (
            select batch_no, 2 * count(*) as reports from applied where is_collected group by batch_no
        ) as reported using (batch_no)
    """,
    )
    yield from after_batching()


def _validation(_size: Size) -> Iterator[tuple[str, str]]:
    yield (
        "application_check",
        f"""
        insert into application_check (application_id, check_no, union_id, result, taken_at, checked_at, rules)
        select application_id, 1, {union_id("union_no + 1")}, 'passed', queued_at, queued_at, '' from applied
    """,
    )
    yield (
        "check_finding",
        f"""
        insert into check_finding (application_id, check_no, position, rule, rule_version, code, severity, message,
            evidence, found_at)
        select application_id, 1, 0, 'document', '1', 'expires_soon', 'warning', {_encrypted("证件即将到期")},
            {_encrypted('{"document_expiry": "2026-12-31"}')}, queued_at from applied where i % 10 = 0
    """,
    )


def _revocation(_size: Size) -> Iterator[tuple[str, str]]:
    upper = union_id(superior("union_no"))
    yield (
        "batch",
        f"""
        insert into batch (batch_no, union_id, union_code, union_name, superior_union_id, superior_ids, channel,
            outlet_name, total, submitted_at)
        select batch_no, {union_id("union_no + 1")}, {union_code("union_no + 1")}, '基层工会' || union_no, {upper},
            array[{union_id("0")}, {upper}], 'ordinary', '网点', total, submitted_at from lot
    """,
    )
    yield (
        "application",
        """
        insert into application (application_id, batch_no, version, state)
        select application_id, batch_no, version, state from applied where batch_no is not null
    """,
    )
    yield from after_revocation(_encrypted("王芳"), _encrypted("13812345678"))


def _notification(_size: Size) -> Iterator[tuple[str, str]]:
    union = union_id("union_no + 1")
    yield (
        "inbox_message",
        f"""
        insert into inbox_message (message_id, union_id, role, kind, topic, count, title, body, link, created_at)
        select {id_of("message", "at", "3 * n + nth")}, {union}, 'clerk', kind,
            {union} || ':clerk:' || kind || ':' || batch_no, things, '办卡批次 ' || batch_no, '共 ' || things || ' 人',
            '/batches/' || batch_no, at
        from lot, lateral (values
            (0, 'batch_submitted', 1, submitted_at), (1, 'cards_issued', issued, submitted_at + interval '10 days'),
            (2, 'cards_refused', refused, submitted_at + interval '10 days')
        ) as message (nth, kind, things, at)
        where things > 0
    """,
    )
    yield (
        "read_mark",
        f"""
        insert into read_mark (message_id, account_id)
        select message_id, {id_of("account", "timestamptz '2020-01-01'", "0")} from inbox_message
        where created_at < now() - interval '7 days'
    """,
    )
    for month in _past_months(6):
        yield f"past_sms of {month:%Y-%m}", _partition("past_sms", month)
    yield (
        "past_sms",
        f"""
        insert into past_sms (sms_id, month, kind, topic, count, phone, text, state, attempts, due_at, created_at,
            sent_at)
        select {id_of("sms", "at", "2 * n + nth")}, date_trunc('month', at at time zone 'UTC')::date, kind,
            kind || ':' || batch_no, things, {_encrypted("13812345678")}, {_encrypted("您提交的批次已有制卡结果。")},
            'sent', 1, at, at, at
        from (select *, submitted_at + interval '10 days' as at from lot) as lot, lateral (values
            (0, 'cards_issued', issued), (1, 'cards_refused', refused)
        ) as message (nth, kind, things)
        where things > 0 and at >= date_trunc('month', now() at time zone 'UTC') - interval '6 months'
            and at < date_trunc('month', now() at time zone 'UTC') + interval '1 month'
    """,
    )
    yield from read_model()


_STATEMENTS: Mapping[str, Callable[[Size], Iterator[tuple[str, str]]]] = {
    "membership": _membership,
    "batching": _batching,
    "validation": _validation,
    "revocation": _revocation,
    "notification": _notification,
}


def _past_months(count: int) -> list[Any]:
    return [later(month_of(datetime.now(UTC)), -back) for back in range(count, 0, -1)]


def _partition(parent: str, month: Any) -> str:
    bounds = f"from ('{month}') to ('{later(month)}')"
    return f"create table if not exists {partition_name(parent, month)} partition of {parent} for values {bounds}"


def _fill_audit_log(connection: Connection, size: Size, start: datetime) -> int:
    """Appends events that are spread over the time; returns how many."""
    keys = AuditKeys.from_text(read_settings(AuditSettings).audit_keys)
    for month in _past_months(size.months + 1):
        for parent in ("audit_entry", "audit_reach"):
            connection.execute(_partition(parent, month))
    unions = connection.execute("select union_id, superior_ids from \"union\" where kind = 'grassroots'").fetchall()
    entries, reach = [], []
    head = START
    step = (datetime.now(UTC) - start) / max(1, size.audit_events)
    for number in range(size.audit_events):
        union, superiors = unions[number % len(unions)]
        entry, head = _entry(keys, head, start + number * step, number, (union, sorted([union, *superiors])))
        entries.append(entry)
        reach += [(one, entry["month"], entry["act_id"], entry["action"], "done", None) for one in entry["unions"]]
        if len(entries) == _AT_ONCE:
            _copy(connection, entries, reach)
    _copy(connection, entries, reach)
    return size.audit_events


_AT_ONCE = 5000


def _entry(
    keys: AuditKeys, before: Head, at: datetime, number: int, unions: tuple[UUID, list[UUID]]
) -> tuple[dict[str, Any], Head]:
    milliseconds = int(at.timestamp() * 1000)
    content = {
        "act_id": UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | number),
        "at": datetime.fromtimestamp(milliseconds / 1000, UTC),
        "action": "membership.update_member",
        "outcome": "done",
        "problem_code": None,
        "account_id": None,
        "account_name": None,
        "member_id": None,
        "union_id": unions[0],
        "roles": ["clerk"],
        "origin": "10.0.0.1",
        "request_id": f"{number:032x}",
        "correlation_id": f"{number:032x}",
        "records": [f"member:{number}"],
        "unions": unions[1],
        "personal": '{"display_name": "王芳", "new": {"phone": "138****0000"}, "old": null}',
        "recorded_at": None,
    }
    digest = keys.digest(keys.current, before, content)
    place = {"position": before.position + 1, "month": month_of(at), "key_id": keys.current}
    return {**content, **place, "previous_hash": before.hash, "hash": digest}, Head(before.position + 1, digest)


def _copy(connection: Connection, entries: list[dict[str, Any]], reach: list[tuple[Any, ...]]) -> None:
    """Copies the rows and empties the lists."""
    if not entries:
        return
    encrypted = keyring().encrypt(entries[0]["personal"])
    names = list(entries[0])
    with connection.cursor() as cursor:
        with cursor.copy(f"copy audit_entry ({', '.join(names)}) from stdin") as copy:
            for entry in entries:
                copy.write_row([encrypted if name == "personal" else entry[name] for name in names])
        cursor.execute("alter table audit_reach disable trigger audit_reach_has_the_account")
        with cursor.copy("copy audit_reach (union_id, month, act_id, action, outcome, account_id) from stdin") as copy:
            for row in reach:
                copy.write_row(row)
        cursor.execute("alter table audit_reach enable trigger audit_reach_has_the_account")
    entries.clear()
    reach.clear()

"""SQL for the facts of made-up members and applications, which are the same in each service's database.

A member's number decides on everything, so that the services agree without asking one another.
"""

# ruff: noqa: S608 - nothing in the statements comes from outside
from datetime import datetime

STATES = (
    "array['issued','issued','issued','issued','issued','issued','issued','issued','issued','issued','issued',"
    "'issued','refused','refused','submitted','submitted','queued','queued',null,null]"
)
"""The states of twenty members: twelve have a card, two each were refused, are at the bank, wait, never applied."""

KINDS = ("union", "account", "member", "application", "message", "sms")


def id_of(kind: str, moment: str, number: str) -> str:
    """SQL for the id of the number-th thing of a kind, a UUID version 7 of its moment."""
    milliseconds = f"lpad(to_hex((extract(epoch from {moment}) * 1000)::bigint), 12, '0')"
    return f"({milliseconds} || '7{KINDS.index(kind):03x}8' || lpad(to_hex(({number})::bigint), 15, '0'))::uuid"


def union_id(number: str) -> str:
    """SQL for the id of a union: 0 is the city's, negative ones are superiors."""
    return id_of("union", "timestamptz '2020-01-01'", f"1000000 + ({number})")


def union_code(number: str) -> str:
    """SQL for the code of a union."""
    return f"('81' || lpad((1000000 + ({number}))::text, 7, '0'))"


def superior(number: str) -> str:
    """SQL for the number of a grassroots union's superior."""
    return f"(-1 - ({number}) % 16)"


def unions() -> str:
    """SQL that selects all unions: the city's, sixteen superiors, and those of `person`."""
    return f"""
        select {union_id("0")} as union_id, {union_code("0")} as code, '市总工会' as name, 'city' as kind,
            null::uuid as superior_union_id, '{{}}'::uuid[] as superior_ids
        union all select {union_id("-no")}, {union_code("-no")}, '区总工会' || no, 'superior', {union_id("0")},
            array[{union_id("0")}] from generate_series(1, 16) as no
        union all select {union_id("no + 1")}, {union_code("no + 1")}, '基层工会' || no, 'grassroots',
            {union_id(superior("no"))}, array[{union_id("0")}, {union_id(superior("no"))}]
        from (select distinct union_no as no from person) as grassroots
    """


def people(members: int, unions: int, start: datetime, days: int) -> str:
    """SQL that makes the temporary tables `person`, one row for each member, and `lot`, one for each batch."""
    per_union = max(1, -(-members // unions))
    batch = min(100, per_union)
    return f"""
create temporary table person as
select i, union_no, lot_no, state, registered_at, registered_at + interval '1 day' as queued_at,
    {id_of("member", "registered_at", "i")} as member_id,
    case when state is not null then {id_of("application", "registered_at + interval '1 day'", "i")} end
        as application_id,
    (70000000 + i)::text as member_no, coalesce(state, '') = 'issued' and i % 10 < 8 as is_collected
from (
    select i, i % {unions} as union_no, i / {unions} / {batch} as lot_no,
        ({STATES})[1 + ((i / {unions}) * 7 + i % {unions}) % 20] as state,
        timestamptz '{start.isoformat()}' + (i / {unions})::float / {per_union} * interval '{days} days'
            as registered_at
    from generate_series(0, {members - 1}) as i
) as numbered;
create temporary table lot as
select *, row_number() over (order by union_no, lot_no) as n,
    'cbc' || {union_code("union_no + 1")} || to_char(submitted_at at time zone 'UTC', 'YYYYMMDD')
        || lpad(row_number() over (
            partition by union_no, (submitted_at at time zone 'UTC')::date order by lot_no
        )::text, 3, '0') as batch_no
from (
    select union_no, lot_no, max(queued_at) + interval '1 day' as submitted_at, count(*) as total,
        count(*) filter (where state = 'issued') as issued, count(*) filter (where state = 'refused') as refused
    from person where state in ('issued', 'refused', 'submitted') group by union_no, lot_no
) as grouped;
create temporary table applied as
select person.*, lot.batch_no, lot.submitted_at, lot.submitted_at + interval '10 days' as decided_at,
    case state when 'queued' then 0 when 'submitted' then 1 else 2 end as version,
    row_number() over (partition by lot.batch_no order by member_no) as place
from person left join lot on lot.union_no = person.union_no and lot.lot_no = person.lot_no
    and state in ('issued', 'refused', 'submitted')
where state is not null;
analyze person; analyze lot; analyze applied;
"""

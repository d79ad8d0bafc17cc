"""SQL for what follows from tables that are filled: enrolments, unions with a pending list, requests for revocation."""

# ruff: noqa: S608 - nothing in the statements comes from outside
from collections.abc import Iterator

_REVOKED = "hashtext(batch_no) % 25 = 0"
"""One batch in 25 has a request for revocation: open if it was submitted in the last 30 days, otherwise rejected."""
_REVOCATION_STATE = "case when submitted_at > now() - interval '30 days' then 'requested' else 'rejected' end"
_PLACE = "union_id, code, name, superior_union_id, superior_ids"
_OF_BATCHES = """
    select distinct on (union_id) union_id, union_code as code, union_name as name, superior_union_id, superior_ids
    from batch order by union_id
"""


def after_membership() -> Iterator[tuple[str, str]]:
    """Three in four who hold a card are insured for the whole year, the others from July on."""
    yield (
        "enrolment",
        """
        insert into enrolment (enrolment_no, member_id, year, way, kinds, covers_from, covers_to, state, changed_at)
        select 'E' || year || member_no, member_id, year, case when is_whole then 'collective' else 'immediate' end,
            'hospital illness', make_date(year, case when is_whole then 1 else 7 end, 1), make_date(year, 12, 31),
            'active', applied_at
        from (
            select *, extract(year from now())::int as year, member_no::bigint % 4 > 0 as is_whole
            from member where card_state = 'issued'
        ) as holder
    """,
    )


def after_batching() -> Iterator[tuple[str, str]]:
    """Each union has a pending list and a known place; batches know of their requests."""
    yield (
        "listed_union",
        f"insert into listed_union ({_PLACE}, queued_at) select {_PLACE}, now() from ({_OF_BATCHES}) as listed",
    )
    yield (
        "known_union",
        f"insert into known_union ({_PLACE}, known_at) select {_PLACE}, now() from ({_OF_BATCHES}) as known",
    )
    yield "batch with a request", f"update batch set revocation_state = {_REVOCATION_STATE} where {_REVOKED}"


def after_revocation(encrypted_name: str, encrypted_phone: str) -> Iterator[tuple[str, str]]:
    """The requests, by an applicant with this name and telephone, in SQL."""
    yield (
        "known_union",
        f"insert into known_union ({_PLACE}, known_at) select {_PLACE}, now() from ({_OF_BATCHES}) as known",
    )
    yield (
        "revocation",
        f"""
        insert into revocation (revocation_id, batch_no, union_id, reviewer_union_id, applicant_name, applicant_phone,
            reason_code, requested_by, requested_at, state, decided_by, decided_at)
        select md5(batch_no)::uuid, batch_no, union_id, superior_union_id, {encrypted_name}, {encrypted_phone},
            'members', union_id, submitted_at + interval '1 day', state,
            case when state = 'rejected' then superior_union_id end,
            case when state = 'rejected' then submitted_at + interval '2 days' end
        from (select *, {_REVOCATION_STATE} as state from batch where {_REVOKED}) as asked
    """,
    )

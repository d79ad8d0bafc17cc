"""What the questions are about: unions, people, batches and numbers of filled databases."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from psycopg.rows import namedtuple_row

from services.kit.data.primary import primary_of
from services.kit.rpc.request import Caller
from services.membership.members.member_documents import document_digest, document_end_digest, phone_digest

DOCUMENT_NUMBER = "310101199001011234"
PHONE = "13812345678"

_UNIONS = """
    select distinct on (kind) union_id, code, name, superior_union_id, superior_ids from "union" order by kind, code
"""
_MEMBER = """
    select member_id, member_no, name, address, application_id, document_digest, document_end, phone_digest,
        (registered_at at time zone 'Asia/Shanghai')::date as day
    from member where union_id = %s and affiliation = 'employer' and card_state = 'issued'
    order by member_id desc limit 1
"""
_FREE = """
    select member_id from member where union_id = %s and affiliation = 'employer' and card_state = 'none'
    order by member_id limit 100
"""
_ACCOUNT = "select account_id, account_name from account where union_id = %s limit 1"
_ACT = "select act_id from audit_reach where union_id = %s order by act_id desc limit 1"
_BATCH = """
    select batch_no, (submitted_at at time zone 'Asia/Shanghai')::date as day from batch
    where union_id = %s order by total > issued + refused + released desc, submitted_at desc limit 1
"""
_AT_BANK = "select application_id, member_no from application where batch_no = %s and state = 'submitted' limit 100"
_QUEUED = "select application_id from application where union_id = %s and state = 'queued' limit 1"


class NotFilled(Exception):
    """A database has nothing of the kind that a question is about."""


@dataclass(frozen=True)
class Sample:
    """A grassroots union, its superior and the city's, and some of what is theirs."""

    clerk: Caller
    reviewer: Caller
    city: Caller
    """The city's administrator."""
    operator: Caller
    phone_holder: Caller
    """The member on the phone."""
    member: Any
    """A member with a card: ids, name, address, digests, and the day of registration."""
    free: list[str]
    """Members who can be queued."""
    act_id: str
    batch_no: str
    batch_day: date
    at_bank: list[Any]
    """The batch's applications on which the bank has not decided, with the member's number."""
    queued: str
    """An application on the pending list."""

    @property
    def stand_ins(self) -> Mapping[bytes, bytes]:
        """The made-up digests by those of real numbers, which nobody has."""
        return {
            document_digest("resident_id", DOCUMENT_NUMBER): self.member.document_digest,
            document_end_digest(DOCUMENT_NUMBER): self.member.document_end,
            phone_digest(PHONE): self.member.phone_digest,
        }


def take_sample(urls: Mapping[str, str]) -> Sample:
    """Looks up what to ask about; raises NotFilled."""
    with primary_of(urls["membership"]).connect(row_factory=namedtuple_row) as connection:
        unions = connection.execute(_UNIONS).fetchall()
        if len(unions) < 3:
            raise NotFilled("membership has no unions")
        city, union, _ = unions
        superior = connection.execute('select * from "union" where union_id = %s', [union.superior_union_id]).fetchone()
        account, member, act = (_first(connection, query, union.union_id) for query in (_ACCOUNT, _MEMBER, _ACT))
        free = [str(row.member_id) for row in connection.execute(_FREE, [union.union_id])]
    with primary_of(urls["batching"]).connect(row_factory=namedtuple_row) as connection:
        batch = _first(connection, _BATCH, union.union_id)
        at_bank = connection.execute(_AT_BANK, [batch.batch_no]).fetchall()
        queued = _first(connection, _QUEUED, union.union_id)
    clerk = replace(_caller(union, "clerk", account.account_id), account_name=account.account_name)
    return Sample(
        clerk=clerk,
        reviewer=_caller(superior, "reviewer", account.account_id),
        city=_caller(city, "administrator", account.account_id),
        operator=_caller(city, "operator", account.account_id),
        phone_holder=Caller(member_id=str(member.member_id), roles=frozenset({"member"}), union_id=str(union.union_id)),
        member=member,
        free=free,
        act_id=str(act.act_id),
        batch_no=batch.batch_no,
        batch_day=batch.day,
        at_bank=at_bank,
        queued=str(queued.application_id),
    )


def _first(connection: Any, query: str, union_id: UUID) -> Any:
    row = connection.execute(query, [union_id]).fetchone()
    if row is None:
        raise NotFilled(f"union {union_id} has nothing that this finds: {' '.join(query.split())}")
    return row


def _caller(union: Any, role: str, account_id: UUID) -> Caller:
    return Caller(
        account_id=str(account_id),
        account_name=role,
        display_name=role,
        roles=frozenset({role}),
        union_id=str(union.union_id),
        union_code=union.code,
        union_name=union.name,
        superior_union_id=str(union.superior_union_id) if union.superior_union_id else None,
        superior_ids=tuple(map(str, union.superior_ids)),
    )

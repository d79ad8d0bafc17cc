"""Questions to membership: searches, one member, workbench, audit log, enrolments, accounts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from deploy.growth.questions import Question, call
from deploy.growth.sample import DOCUMENT_NUMBER, PHONE, Sample
from services.contracts.operations import audit
from services.contracts.operations.membership import accounts, enrolments, members, transfers, union_changes
from services.kit.rpc.request import Caller

_COUNTS_ALL = "it counts every member of its unions, and each step of the last thirty days"
_MANY_ENDED = "it looks at all who were refused, who are a tenth of the members here and far fewer where people work"
_REASONS = {
    "members whose card waits for collection": "one member in eight is found, so that it stops soon",
    "members who were refused": _MANY_ENDED,
    "men who were refused": _MANY_ENDED,
}
_BELOW: dict[str, Any] = {"with_subordinates": True}


def member_questions(sample: Sample) -> Iterator[Question]:
    """All questions to membership that people ask."""
    yield from _lists(sample)
    yield from _searches(sample)
    yield from _of_one_member(sample)
    yield from _overviews(sample)
    yield from _acts(sample)
    yield from _accounts(sample)


def _callers(sample: Sample) -> Iterator[tuple[str, Caller, dict[str, Any]]]:
    yield "one union", sample.clerk, {}
    yield "a district", sample.reviewer, _BELOW
    yield "the city", sample.city, _BELOW


def _lists(sample: Sample) -> Iterator[Question]:
    filters: dict[str, dict[str, Any]] = {
        "members, page 1": {},
        "members, the deepest page": {"page": 500},
        "members without a card": {"card_state": "none"},
        "members at the bank": {"card_state": "submitted"},
        "members with a card": {"card_state": "issued"},
        "members whose card waits for collection": {"card_status": "made"},
        "members whose card is lost": {"card_status": "lost"},
        "members in the special channel": {"channel": "special"},
        "members who were refused": {"last_outcome": "refused"},
        "men among the members": {"sex": "male"},
        "members who have left": {"has_left": True},
        "members who applied in a week": {
            "applied_from": str(sample.member.day),
            "applied_to": str(sample.member.day + timedelta(days=7)),
        },
        "men who were refused": {"last_outcome": "refused", "sex": "male"},
        "members at the bank in the special channel": {"card_state": "submitted", "channel": "special"},
    }
    for title, data in filters.items():
        reason = _REASONS.get(title)
        for where, caller, below in _callers(sample):
            yield call(f"{title}, {where}", members.LIST_MEMBERS, caller, reason, **data, **below)
    for order in ("name", "-name", "member_no", "-applied_at"):
        yield call(f"members in the order {order}, one union", members.LIST_MEMBERS, sample.clerk, sort=order)
    for where, caller, below in _callers(sample):
        yield call(f"enrolments, {where}", enrolments.LIST_ENROLMENTS, caller, **below)
        yield call(f"enrolments that have ended, {where}", enrolments.LIST_ENROLMENTS, caller, status="ended", **below)
    yield call("members as a sheet, one union", members.EXPORT_MEMBERS, sample.clerk, filter={})
    yield call("members to queue by filter", members.QUEUE_MEMBERS, sample.clerk, filter={})
    queued = call("members to queue by choice", members.QUEUE_MEMBERS, sample.clerk, member_ids=sample.free)
    yield replace(queued, is_heard=True)


def _searches(sample: Sample) -> Iterator[Question]:
    one_name, surname = sample.member.name, sample.member.name[:1]
    for where, caller, below in _callers(sample):
        for title, data in {
            "a member by document number": {"document_number": DOCUMENT_NUMBER},
            "members by telephone": {"phone": PHONE},
            "members by name": {"name": one_name},
            "members by surname": {"name": surname},
            "members by surname who were refused": {"name": surname, "last_outcome": "refused"},
        }.items():
            yield call(f"{title}, {where}", members.LIST_MEMBERS, caller, **data, **below)
    searched = {"members by the end of a document number": {"document_end": DOCUMENT_NUMBER[-4:]}}
    searched["members by part of an address that many have"] = {"address": sample.member.address[:6]}
    searched["members by part of an address that few have"] = {"address": sample.member.address[-6:]}
    for title, data in searched.items():
        yield call(f"{title}, one union", members.LIST_MEMBERS, sample.clerk, **data)
    yield call(
        "a person by document number, a district", members.FIND_PERSON, sample.reviewer, document_number=DOCUMENT_NUMBER
    )


def _of_one_member(sample: Sample) -> Iterator[Question]:
    member_id = str(sample.member.member_id)
    yield call("a member's detail with applications", members.GET_MEMBER, sample.clerk, member_id=member_id)
    yield call("a member's whole numbers", members.REVEAL_MEMBER, sample.clerk, member_id=member_id, reason="核对")
    yield call("on the phone: own data", members.GET_PERSONAL_PROFILE, sample.phone_holder)
    yield call("on the phone: own applications", members.GET_PERSONAL_APPLICATIONS, sample.phone_holder)
    yield call("on the phone: own enrolments", enrolments.GET_PERSONAL_ENROLMENTS, sample.phone_holder)


def _overviews(sample: Sample) -> Iterator[Question]:
    for where, caller, _ in _callers(sample):
        yield call(f"workbench: members by card state, {where}", members.GET_MEMBER_SUMMARY, caller, _COUNTS_ALL)
    yield call("transfers, a union", transfers.LIST_TRANSFERS, sample.clerk)
    yield call("transfers, the city", transfers.LIST_TRANSFERS, sample.city)


def _acts(sample: Sample) -> Iterator[Question]:
    day = sample.member.day
    month = {"acted_from": str(day - timedelta(days=30)), "acted_to": str(day)}
    record = {"record_kind": "member", "record_id": str(sample.member.member_id)}
    filters: dict[str, dict[str, Any]] = {
        "audit log, newest": {},
        "audit log by month": month,
        "audit log by a frequent action": {"action": "membership.update_member"},
        "audit log by a rare action": {"action": "membership.export_members"},
        "audit log, what was refused": {"outcome": "refused"},
        "audit log of one member": record,
        "audit log of one member in a month": {**record, **month},
        "audit log by document number": {"document_number": DOCUMENT_NUMBER},
        "audit log by account": {"account_name": sample.clerk.account_name},
    }
    for where, caller in (("a union", _administrator(sample.clerk)), ("the city", sample.city)):
        for title, data in filters.items():
            yield call(f"{title}, {where}", audit.SEARCH_ACTS, caller, **data)
    yield call("one act of the audit log", audit.GET_ACT, _administrator(sample.clerk), act_id=sample.act_id)
    yield call("operators' interventions", audit.LIST_INTERVENTIONS, sample.operator)


def _administrator(of: Caller) -> Caller:
    return Caller.from_dict({**of.to_dict(), "roles": ["administrator"]})


def _accounts(sample: Sample) -> Iterator[Question]:
    account = sample.clerk.account_id
    yield call("one account", accounts.GET_ACCOUNT, sample.city, account_id=account)
    yield call("accounts, page 1, the city", accounts.LIST_ACCOUNTS, sample.city)
    yield call("accounts by part of a name, the city", accounts.LIST_ACCOUNTS, sample.city, q="clerk1")
    yield call("unions, page 1, the city", accounts.LIST_UNIONS, sample.city)
    yield call("unions by part of a name, the city", accounts.LIST_UNIONS, sample.city, q="工会12")
    yield call("changes of unions, the city", union_changes.LIST_UNION_CHANGES, sample.city)

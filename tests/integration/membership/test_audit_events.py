"""Audit events of membership's commands: the records, and what was changed, masked."""

from typing import Any
from uuid import UUID

import pytest

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.membership import IMPORT_CONTINUED
from services.contracts.operations.membership.accounts import CreateUnionRequest, UpdateAccountRequest
from services.contracts.operations.membership.identity import ChangePasswordRequest
from services.contracts.operations.membership.imports import StartImportRequest
from services.contracts.operations.membership.members import (
    QueueMembersRequest,
    RegisterMemberRequest,
    UpdateMemberRequest,
)
from services.kit.operations import audit
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.membership import unions
from services.membership.accounts import accounts
from services.membership.applications import queueing
from services.membership.identity import own_account
from services.membership.identity.sign_in import sign_in, unknown_name
from services.membership.imports import import_parts, imports
from services.membership.members import members
from services.membership.models import Account
from tests.documents import read
from tests.integration.membership.holder import PASSWORD, a_sign_in, work_of
from tests.integration.membership.office import Office, a_caller
from tests.mothers import a_member_form, a_union_code


def audit_event_of(office: Office, command: Any, *arguments: Any, caller: Caller | None = None) -> audit.AuditEvent:
    """The audit event of a command, done or refused."""
    audit_event = audit.AuditEvent("test", caller or office.clerk)
    try:
        with office.begin() as session:
            audit.begin(session, audit_event)
            command(session, *arguments)
    except Problem:
        pass
    return audit_event


def of_clerk(office: Office, use_case: Any, request: Any, clerk: Caller | None = None) -> audit.AuditEvent:
    """The audit event of a clerk's call."""
    return audit_event_of(office, lambda session: use_case(office.work(session, clerk), request))


def test_a_registered_and_changed_member_is_noted_with_masked_numbers(office: Office) -> None:
    form = {**a_member_form(phone="13800000000"), "affiliation": "employer"}
    audit_event = of_clerk(office, members.register_member, read(RegisterMemberRequest, form))
    [record] = audit_event.records
    assert audit_event.new["phone"] == "138****0000"
    assert form["document_number"] not in audit_event.new.values()

    member_id = UUID(record.removeprefix("member:"))
    audit_event = of_clerk(office, members.update_member, UpdateMemberRequest(member_id=member_id, phone="13911111111"))
    assert (audit_event.records, audit_event.old, audit_event.new) == (
        [record],
        {"phone": "138****0000"},
        {"phone": "139****1111"},
    )


def test_a_try_at_another_unions_member_is_noted_by_its_id(office: Office) -> None:
    member_id = office.register()
    foreigner = a_caller(office.other, "clerk")
    audit_event = of_clerk(
        office, members.update_member, UpdateMemberRequest(member_id=member_id, address="x"), foreigner
    )
    assert (audit_event.records, audit_event.new) == ([f"member:{member_id}"], {})


def test_all_queued_members_are_noted(office: Office) -> None:
    member_ids = office.numbered(3)
    audit_event = of_clerk(office, queueing.queue_members, QueueMembersRequest(member_ids=member_ids))
    assert set(audit_event.records) == {f"member:{member_id}" for member_id in member_ids}
    assert audit_event.new == {"queued": 3}


def test_more_records_than_an_event_holds_are_published_as_several_audit_events(office: Office) -> None:
    audit_event = audit.AuditEvent("test", office.clerk, records=[f"member:{number}" for number in range(1001)])
    with office.begin() as session:
        audit.publish_audit_event(session, "membership", audit_event)
    published = office.published(ACTS_RECORDED["membership"])
    assert [len(one["records"]) for one in published] == [500, 500, 1]
    assert len({one["act_id"] for one in published}) == 3


def test_an_import_is_recorded_as_done_by_its_uploader_with_all_its_members(office: Office, account: Account) -> None:
    clerk = Caller(account_id=str(account.account_id), union_id=str(office.union.union_id))
    request = StartImportRequest(file_name="members.csv", content="77u/5aeT5ZCN")  # a heading alone
    audit_event = audit_event_of(office, lambda session: imports.start_import(Work(session, clerk), request))
    [record] = audit_event.records
    import_id = UUID(record.removeprefix("import:"))
    with office.begin() as session:
        job = session.get_one(imports.ImportJob, import_id)
        members_of_part = [office.register()]
        import_parts._record(session, job, members_of_part, 2, 1)
    [published] = office.published(ACTS_RECORDED["membership"])
    assert published["account_name"] == "jianlang"
    assert published["records"] == [record, f"member:{members_of_part[0]}"]
    assert published["personal"]["new"] == {"registered": 1, "rejected": 2, "known": 1}
    assert office.published(IMPORT_CONTINUED) == []


def test_a_new_union_is_recorded_in_its_own_scope(office: Office) -> None:
    administrator = a_caller(office.city, "administrator")
    request = CreateUnionRequest(name="静安区总工会", code=a_union_code(77), superior_union_id=office.city.union_id)
    audit_event = audit_event_of(office, lambda session: unions.create_union(Work(session, administrator), request))
    assert audit_event.records == [f"union:{union_id}" for union_id in audit_event.union_ids]
    assert audit_event.new["name"] == "静安区总工会"


def test_a_changed_account_is_recorded_in_the_scope_of_its_union(office: Office, account: Account) -> None:
    administrator = a_caller(office.superior, "administrator")
    request = UpdateAccountRequest(account_id=account.account_id, display_name="王小芳")
    audit_event = audit_event_of(office, lambda session: accounts.update_account(Work(session, administrator), request))
    assert audit_event.records == [f"account:{account.account_id}"]
    assert audit_event.union_ids == {str(office.union.union_id)}
    assert (audit_event.old, audit_event.new) == ({"display_name": "王芳"}, {"display_name": "王小芳"})


@pytest.mark.parametrize(("name", "password"), [("jianlang", PASSWORD), ("jianlang", "wrong"), ("nobody", "wrong")])
def test_signing_in_is_noted_whether_it_succeeds_or_not(
    office: Office, account: Account, name: str, password: str
) -> None:
    visitor, request = Caller(origin="10.8.3.21"), a_sign_in(name, password)
    audit_event = audit_event_of(
        office, lambda session: sign_in(work_of(office, session, visitor), request), caller=visitor
    )
    known, right = name == "jianlang", password == PASSWORD
    assert audit_event.is_recordable
    unknown = audit.record_reference(*unknown_name(name))
    assert set(audit_event.records) == {f"account:{account.account_id}" if known else unknown}
    assert (audit_event.caller.account_id, audit_event.caller.origin) == (
        str(account.account_id) if right else None,
        "10.8.3.21",
    )
    assert password not in str(vars(audit_event))
    assert "nobody" not in str(vars(audit_event))


def test_passwords_are_not_noted(office: Office, account: Account) -> None:
    caller = Caller(account_id=str(account.account_id), union_id=str(office.union.union_id))
    request = ChangePasswordRequest(current_password="wrong", new_password="another good password")
    audit_event = audit_event_of(
        office, lambda session: own_account.change_password(work_of(office, session, caller), request)
    )
    assert audit_event.records == [f"account:{account.account_id}"]
    assert (audit_event.old, audit_event.new) == ({}, {})

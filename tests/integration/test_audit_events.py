"""Audit events of batching, revocation and notification: the records, and what was changed, masked."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from services.batching.batches import submission
from services.batching.pending import checks, pending
from services.batching.register import registers
from services.batching.seed import seed
from services.contracts.events.batching import BATCH_SUBMITTED
from services.contracts.examples import wire_example
from services.contracts.operations.batching import (
    BatchRequest,
    CheckPendingRequest,
    GetRegisterRequest,
    RemovePendingRequest,
    SubmitBatchRequest,
    UpdatePendingRequest,
)
from services.contracts.operations.notification import (
    CreateAnnouncementRequest,
    MarkMessageReadRequest,
    WithdrawAnnouncementRequest,
)
from services.contracts.operations.revocation import RejectRevocation, RequestRevocation
from services.kit.data.database import Database
from services.kit.operations import audit
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.notification import announcements, message_inbox
from services.revocation import batches, requests
from tests.databases import DatabaseFactory
from tests.documents import an_event, event_data, read
from tests.integration.batching.desk import CONSENT, CONTACT, OUTLET, Desk
from tests.mothers import an_applicant

SUBMITTED = event_data(BATCH_SUBMITTED, wire_example(BATCH_SUBMITTED))
CITY = Caller(account_id=str(uuid4()), roles=frozenset({"administrator"}), union_id=str(uuid4()))


@pytest.fixture
def engine_of(database: DatabaseFactory) -> Callable[[str], Engine]:
    return lambda service: create_engine(database(service).replace("postgresql://", "postgresql+psycopg://"))


def audit_event_of(engine: Engine, command: Any, caller: Caller, request: Any) -> audit.AuditEvent:
    """The audit event of a command, done or refused."""
    database = Database()
    database.engine = engine
    audit_event = audit.AuditEvent("test", CITY)
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            audit.begin(session, audit_event)
            command(Work(session, caller, database), request)
    except Problem:
        pass
    return audit_event


def test_audit_events_on_the_pending_list_and_its_batch(engine_of: Callable[[str], Engine]) -> None:
    engine = engine_of("batching")
    desk = Desk(engine)
    with desk.begin() as session:
        seed(session)
    first, second = desk.queue(an_applicant(), an_applicant())

    change = UpdatePendingRequest(application_id=first, document_expiry=date(2041, 2, 3))
    audit_event = audit_event_of(engine, pending.update_pending, desk.clerk, change)
    assert (audit_event.records, audit_event.new) == ([f"application:{first}"], {"document_expiry": "2041-02-03"})
    audit_event = audit_event_of(engine, checks.check_pending, desk.clerk, CheckPendingRequest())
    assert (set(audit_event.records), audit_event.new) == (
        {f"application:{one}" for one in (first, second)},
        {"checking": 2},
    )
    audit_event = audit_event_of(
        engine, pending.remove_pending, desk.clerk, RemovePendingRequest(application_id=second)
    )
    assert (audit_event.records, audit_event.new) == ([f"application:{second}"], {"removed": 1, "reason": "by_clerk"})

    desk.validate({first: "passed"})
    asked = read(SubmitBatchRequest, {"channel": "ordinary", **OUTLET, **CONTACT, **CONSENT})
    audit_event = audit_event_of(engine, submission.submit_batch, desk.clerk, asked)
    batch, application = audit_event.records
    assert (application, audit_event.new["contact_phone"]) == (f"application:{first}", "138****0000")
    batch_no = batch.removeprefix("batch:")
    audit_event = audit_event_of(
        engine, registers.print_register, desk.clerk, GetRegisterRequest(batch_no=batch_no, format="xlsx")
    )
    assert (audit_event.records, audit_event.new["format"]) == ([batch], "xlsx")
    assert audit_event_of(engine, registers.get_attachments, desk.clerk, BatchRequest(batch_no=batch_no)).records == [
        batch
    ]
    foreigner = Desk(engine).clerk
    assert audit_event_of(engine, registers.get_attachments, foreigner, BatchRequest(batch_no=batch_no)).records == [
        batch
    ]


def test_audit_events_on_a_revocation_are_in_the_scope_of_the_batchs_union(engine_of: Callable[[str], Engine]) -> None:
    engine = engine_of("revocation")
    union_id, superior_id = (SUBMITTED["union"][name] for name in ("union_id", "superior_union_id"))
    with Session(engine) as session, session.begin():
        batches.batch_submitted(session, an_event(BATCH_SUBMITTED.read(wire_example(BATCH_SUBMITTED))))
    clerk = Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(union_id))
    asked = RequestRevocation(
        batch_no=SUBMITTED["batch_no"],
        applicant_name="王芳",
        applicant_phone="13800000000",
        reason_code="information",
        reason="3 人的证件到期日填错",
    )
    audit_event = audit_event_of(engine, requests.request_revocation, clerk, asked)
    batch, revocation = audit_event.records
    assert batch == f"batch:{SUBMITTED['batch_no']}"
    assert audit_event.new == {
        "applicant_name": "王芳",
        "applicant_phone": "138****0000",
        "reason_code": "information",
        "reason": "3 人的证件到期日填错",
    }

    reviewer = Caller(
        account_id=str(uuid4()), roles=frozenset({"reviewer"}), union_id=str(superior_id), scope=Scope.SUBORDINATES
    )
    decision = RejectRevocation(revocation_id=UUID(revocation.removeprefix("revocation:")), remark="请打 13800000000")
    audit_event = audit_event_of(engine, requests.reject, reviewer, decision)
    assert (set(audit_event.records), audit_event.union_ids) == ({revocation, batch}, {str(union_id)})
    assert (audit_event.old, audit_event.new) == (
        {"state": "requested"},
        {"state": "rejected", "remark": "请打 138****0000"},
    )


def test_audit_events_on_announcements_and_messages(engine_of: Callable[[str], Engine]) -> None:
    engine = engine_of("notification")
    given = CreateAnnouncementRequest(title="办卡通知", body="正文", places=["workbench"])
    audit_event = audit_event_of(engine, announcements.create_announcement, CITY, given)
    [record] = audit_event.records
    assert audit_event.new["title"] == "办卡通知"
    withdrawal = WithdrawAnnouncementRequest(announcement_id=UUID(record.removeprefix("announcement:")))
    assert audit_event_of(engine, announcements.withdraw_announcement, CITY, withdrawal).records == [record]
    message_id = uuid4()
    assert audit_event_of(
        engine, message_inbox.mark_read, CITY, MarkMessageReadRequest(message_id=message_id)
    ).records == [f"message:{message_id}"]

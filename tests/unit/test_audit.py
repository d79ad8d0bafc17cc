"""Audit events: records and changes added by use cases, numbers masked, secrets left out."""

from datetime import date
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from services.contracts.events.audit import ActRecordedData
from services.kit.operations import audit
from services.kit.operations.audit import record_reference, referred_record
from services.kit.rpc.request import Caller
from services.kit.schemas import schema_of

MEMBER = UUID(int=7)


def audit_event_of(session: Session, caller: Caller | None = None) -> audit.AuditEvent:
    audit_event = audit.AuditEvent("membership.update_member", caller or Caller(origin="10.8.3.21"))
    audit.begin(session, audit_event)
    return audit_event


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("document_number", "31010119750308002X", "31010***********2X"),
        ("card_no", "6224781234567891", "622478******7891"),
        ("phone", "13800000000", "138****0000"),
        ("contact_phone", "13800000000", "138****0000"),
        ("remark", "请打 13800000000 联系", "请打 138****0000 联系"),
        ("address", "证件31010119750308002X", "证件31010***********2X"),
        ("batch_no", "cbc81310000000000017P20261124001", "cbc81310000000000017P20261124001"),
        ("member_no", "0070000139", "0070000139"),
        ("document_expiry", date(2035, 8, 8), "2035-08-08"),
        ("disabled", True, True),
        ("roles", ["clerk", "reviewer"], ["clerk", "reviewer"]),
        ("contact", {"name": "王芳", "phone": "13800000000"}, {"name": "王芳", "phone": "138****0000"}),
        ("address", None, None),
    ],
)
def test_values_are_masked_by_their_names(name: str, value: object, shown: object) -> None:
    assert audit.masked({name: value}) == {name: shown}


@pytest.mark.parametrize("name", ["password", "new_password", "one_time_password", "totp_secret", "otp", "reset_token"])
def test_secrets_are_left_out(name: str) -> None:
    assert audit.masked({name: "Demo-2026-card", "account": {name: "Demo-2026-card"}}) == {"account": {}}


def test_only_what_differs_is_kept_though_its_mask_does_not_show_it() -> None:
    with Session() as session:
        audit_event = audit_event_of(session)
        old = {"name": "王芳", "phone": "13800000000", "address": None}
        audit.record(session, ("member", MEMBER), old=old, new={**old, "phone": "13811110000"})
    assert (audit_event.old, audit_event.new) == ({"phone": "138****0000"}, {"phone": "138****0000"})


def test_notes_add_up() -> None:
    with Session() as session:
        audit_event = audit_event_of(session)
        audit.record(session, ("batch", "cbc1"), new={"total": 1}, union_id=MEMBER)
        audit.record(session, *audit.references("application", [1, 2]), new={"channel": "ordinary"})
    assert audit_event.records == ["batch:cbc1", "application:1", "application:2"]
    assert audit_event.new == {"total": 1, "channel": "ordinary"}
    assert audit_event.union_ids == {str(MEMBER)}


@pytest.mark.parametrize("asked_for", ["cbc 1", "cbc1\n", "\x00", "", "批次/1", "\ud800", "x" * 5000])
def test_an_audit_event_with_any_requested_id_can_be_stored(asked_for: str) -> None:
    with Session() as session:
        audit_event = audit_event_of(session)
        audit.record(session, ("batch", asked_for))
    references = schema_of(ActRecordedData)().fields["records"].deserialize(audit_event.records)
    assert len(references[0]) <= 1000
    assert "\x00" not in references[0]


def test_a_record_is_read_as_it_was_written() -> None:
    assert referred_record(record_reference("batch", "批次 1:2\n")) == ("batch", "批次 1:2\n")


def test_a_record_of_a_kind_without_a_name_is_a_mistake() -> None:
    with Session() as session:
        audit_event_of(session)
        with pytest.raises(LookupError, match="unheard_of"):
            audit.record(session, ("unheard_of", 1))


def test_without_a_command_at_work_nothing_is_noted() -> None:
    with Session() as session:
        audit.record(session, ("member", MEMBER))
        audit.record_actor(session, Caller(account_id="a1"))
        assert session.info == {}


def test_anonymous_events_are_recorded_if_the_use_case_adds_something() -> None:
    with Session() as session:
        assert audit_event_of(session, Caller(account_id="a1")).is_recordable
        audit_event = audit_event_of(session)
        assert not audit_event.is_recordable
        audit.record_actor(session, Caller(account_id="a1"))
    assert audit_event.is_recordable
    assert (audit_event.caller.account_id, audit_event.caller.origin) == ("a1", "10.8.3.21")

"""Searches in the audit log by person, record and time, within the reader's scope."""

import os
from base64 import b64decode
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from openpyxl import load_workbook
from sqlalchemy import select
from uuid_utils.compat import uuid7

from services.contracts.operations.audit import (
    MOST_SEARCHES,
    ActAnswer,
    ActDetailAnswer,
    ActionName,
    ActsAnswer,
    ExportActsRequest,
    GetActRequest,
    InterventionsAnswer,
    KeptFilter,
    ListActNamesRequest,
    ListInterventionsRequest,
    ListSearchesRequest,
    RecordKindName,
    RenameSearchRequest,
    SaveSearchRequest,
    SearchActsRequest,
    SearchRequest,
)
from services.kit.operations import audit
from services.kit.operations.audit import AuditEvent, record_reference
from services.kit.problems import Forbidden, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import schema_of
from services.membership.accounts.accounts import new_account
from services.membership.audit import audit_export, audit_log, audit_search, saved_searches
from services.membership.audit.audit_chain import AuditKeys
from services.membership.identity.sign_in import unknown_name
from services.membership.models import Disclosure, Union
from tests.documents import loaded
from tests.integration.membership.holder import work_of
from tests.integration.membership.office import Office, a_caller, an_account
from tests.mothers import an_audit_event
from tests.statements import statements_on

KEYS = AuditKeys.from_text(os.environ["AUDIT_KEYS"])


def keep(office: Office, **changes: Any) -> UUID:
    act = an_audit_event(**{"union_id": office.union.union_id, **changes})
    with office.begin() as session:
        audit_log.append(session, KEYS, [(act, None)])
    return act.act_id


def search(office: Office, union: Union | None = None, role: str = "administrator", **asked: Any) -> ActsAnswer:
    return search_as(office, a_caller(union or office.city, role), **asked)


def search_as(office: Office, caller: Caller, **asked: Any) -> ActsAnswer:
    with office.begin() as session:
        answer = audit_search.search(work_of(office, session, caller), SearchActsRequest(**asked))
    assert loaded(ActsAnswer, schema_of(ActsAnswer)().dump(answer))
    return answer


def found(office: Office, union: Union | None = None, **asked: Any) -> list[UUID]:
    return [one.act_id for one in search(office, union, **asked).items]


def found_by_number(office: Office, number: str) -> list[UUID]:
    """What the city's administrator finds of the member with this document number."""
    administrator = an_account(office, office.city, "administrator")
    return [one.act_id for one in search_as(office, administrator, document_number=number).items]


def an_id_of(moment: datetime) -> UUID:
    """The id of an audit event of another time: its first 48 bits are the milliseconds."""
    return UUID(int=int(moment.timestamp() * 1000) << 80 | uuid7().int & (1 << 80) - 1)


def test_the_newest_audit_events_come_first_page_by_page(office: Office) -> None:
    ids = [keep(office) for _ in range(5)]
    first = search(office, size=2)
    second = search(office, size=2, before=first.before)
    last = search(office, size=2, before=second.before)
    pages = [one.act_id for page in (first, second, last) for one in page.items]
    assert pages == list(reversed(ids))
    assert last.before is None


def test_audit_events_are_found_by_caller(office: Office) -> None:
    account_id = uuid4()
    act_id = keep(office, account_id=account_id)
    keep(office)
    assert found(office, account_id=account_id) == [act_id]


def test_an_account_is_found_by_its_whole_name(office: Office) -> None:
    account = new_account(office.union, "wangfang", "王芳", ["clerk"], "a password of the tests")
    with office.begin() as session:
        session.add(account)
    act_id = keep(office, account_id=account.account_id)
    keep(office, account_id=None)
    assert found(office, account_name=" WangFang ") == [act_id]
    assert found(office, account_name="nobody") == []


def test_audit_events_on_a_member_are_found_by_the_whole_document_number(office: Office) -> None:
    member_id, application_id = office.queued(document_number="31010119750308002X")
    ids = [
        keep(office, records=[f"member:{member_id}"]),
        keep(office, records=["batch:cbc1", f"application:{application_id}"], action="batching.submit_batch"),
    ]
    keep(office, records=[f"member:{uuid4()}"])
    newest_first = list(reversed(ids))
    assert found_by_number(office, "31010119750308002x") == newest_first
    assert found(office, record_kind="member", record_id=str(member_id)) == newest_first
    assert found(office, record_kind="application", record_id=str(application_id)) == [ids[1]]
    assert found_by_number(office, "310101197503080038") == []
    assert found(office, record_kind="member", record_id="no id") == []


def test_a_search_by_record_can_not_read_the_log_in_order_until_it_has_a_page(office: Office) -> None:
    keep(office, records=[f"member:{uuid4()}"])
    of_member: dict[str, Any] = {"record_kind": "member", "record_id": str(uuid4())}
    of_name: dict[str, Any] = {"account_name": "nobody"}
    with statements_on(office.engine) as sent:
        assert found(office, **of_member) == found(office, **of_name) == []
    by_record = [statement for statement, _ in sent if "records &&" in statement]
    assert len(by_record) == 2
    assert [one for one in by_record if "ORDER BY" in one or "LIMIT" in one] == []


def test_audit_events_are_found_by_days_in_shanghai(office: Office) -> None:
    last_of_day = keep(office, act_id=an_id_of(datetime(2026, 11, 24, 15, 59, 59, 999000, UTC)))
    first_of_next = keep(office, act_id=an_id_of(datetime(2026, 11, 24, 16, tzinfo=UTC)))
    day, next_day = date(2026, 11, 24), date(2026, 11, 25)
    assert found(office, acted_to=day) == [last_of_day]
    assert found(office, acted_from=next_day, acted_to=next_day) == [first_of_next]
    assert found(office, acted_from=day, acted_to=next_day) == [first_of_next, last_of_day]
    assert found(office, acted_from=next_day + timedelta(days=1)) == []
    assert found(office, acted_from=date.min, acted_to=date.max) == found(office)
    assert found(office, acted_to=date.min) == found(office, acted_from=date.max) == []


def test_audit_events_are_found_by_action_and_outcome(office: Office) -> None:
    refused = keep(office, action="membership.sign_in", outcome="refused", problem_code="sign_in_failed")
    done = keep(office, action="membership.sign_in")
    keep(office)
    assert found(office, action="membership.sign_in") == [done, refused]
    assert found(office, outcome="refused") == [refused]
    assert found(office, action="membership.sign_in", outcome="done") == [done]


def test_each_union_sees_its_own_audit_events_and_those_of_its_subordinates(office: Office) -> None:
    own = keep(office)
    elsewhere = keep(office, union_id=office.other.union_id)
    on_its_account = keep(office, union_id=office.city.union_id, union_ids=[office.union.union_id])
    assert found(office, office.city) == [on_its_account, elsewhere, own]
    assert found(office, office.superior) == [on_its_account, own]
    assert found(office, office.union) == [on_its_account, own]
    assert found(office, office.other) == [elsewhere]


def test_administrators_see_masked_values_and_operators_none(office: Office) -> None:
    keep(office)
    [seen] = search(office).items
    assert (seen.display_name, seen.old) == ("王芳", {"phone": "138****0000"})
    assert (seen.label, seen.union_name) == ("修改会员信息", office.union.name)
    [seen] = search(office, role="operator").items
    assert (seen.display_name, seen.old, seen.new) == (None, None, None)
    assert seen.account_name == "jianlang"


def test_operators_see_why_others_intervened_the_newest_first(office: Office) -> None:
    def told(new: dict[str, str]) -> dict[str, Any]:
        return {"display_name": "林涛", "old": {}, "new": new}

    why = {"queue": "batching.members_queued.dead", "reason": "测试时发送"}
    discarded = keep(office, action="batching.discard_dead_letters", personal=told(why))
    keep(office)
    resent = keep(office, action="batching.resend_to_bank", personal=told({"reason": "银行未收到"}))
    elsewhere = keep(office, action="batching.repair", union_id=office.other.union_id, personal=told({}))

    def interventions(union: Union, size: int = 20) -> list[ActAnswer]:
        with office.begin() as session:
            work = Work(session, a_caller(union, "operator"))
            answer = audit_search.interventions(work, ListInterventionsRequest(size=size))
        assert loaded(InterventionsAnswer, schema_of(InterventionsAnswer)().dump(answer))
        return answer.items

    seen = interventions(office.city)
    assert [act.act_id for act in seen] == [elsewhere, resent, discarded]
    assert (seen[2].label, seen[2].new, seen[2].display_name) == ("丢弃死信", why, None)
    assert [act.act_id for act in interventions(office.city, size=2)] == [elsewhere, resent]
    assert [act.act_id for act in interventions(office.union)] == [resent, discarded]


def test_a_search_by_document_number_is_counted_and_not_for_operators(office: Office) -> None:
    number = "31010119750308002X"
    assert found_by_number(office, number) == []
    with pytest.raises(Forbidden, match="number_search"):
        search(office, role="operator", document_number=number)
    with office.begin() as session:
        assert session.scalars(select(Disclosure.reason)).all() == ["membership.search_acts"]


def test_one_audit_event_is_shown_with_its_place_in_the_chain_within_scope_only(office: Office) -> None:
    request = GetActRequest(act_id=keep(office))
    with office.begin() as session:
        act = audit_search.get_act(Work(session, a_caller(office.superior, "administrator")), request)
        assert (act.position, len(act.hash), act.previous_hash) == (1, 64, "0" * 64)
        assert loaded(ActDetailAnswer, schema_of(ActDetailAnswer)().dump(act))
        with pytest.raises(NotFound):
            audit_search.get_act(Work(session, a_caller(office.other, "administrator")), request)


def test_the_names_to_search_by_are_told_in_chinese(office: Office) -> None:
    with office.begin() as session:
        names = audit_search.names(Work(session, a_caller(office.city, "operator")), ListActNamesRequest())
    assert ActionName(action="batching.submit_batch", label="提交办卡") in names.actions
    assert RecordKindName(kind="member", label="会员") in names.record_kinds


SIGN_IN = {"action": "membership.sign_in", "account_id": None, "account_name": None, "union_id": None}
FAILED = {**SIGN_IN, "outcome": "refused", "problem_code": "sign_in_failed"}


def test_failed_sign_ins_are_found_by_the_name_beside_what_its_account_did(office: Office) -> None:
    account = new_account(office.union, "wangfang", "王芳", ["clerk"], "a password of the tests")
    with office.begin() as session:
        session.add(account)
    own = keep(office, account_id=account.account_id)
    of_account = {"records": [f"account:{account.account_id}"], "union_ids": [office.union.union_id]}
    failed = keep(office, **FAILED, **of_account)
    keep(office, **{**FAILED, "action": "membership.update_account"}, **of_account)
    keep(office, **FAILED, records=[f"account:{uuid4()}"])
    later = keep(office, account_id=account.account_id)

    assert found(office, account_name="WangFang") == [later, failed, own]
    assert found(office, account_name="wangfang", outcome="refused") == [failed]
    assert found(office, office.superior, account_name="wangfang") == [later, failed, own]
    assert found(office, office.other, account_name="wangfang") == []
    first = search(office, account_name="wangfang", size=2)
    assert [one.act_id for one in search(office, account_name="wangfang", size=2, before=first.before).items] == [own]


def test_failed_sign_ins_at_a_name_without_account_are_found_by_the_city_alone(office: Office) -> None:
    failed = keep(office, **FAILED, records=[record_reference(*unknown_name("zhangsan"))])
    keep(office, **FAILED, records=[record_reference(*unknown_name("lisi"))])
    assert found(office, account_name=" ZhangSan") == [failed]
    assert found(office, office.superior, account_name="zhangsan") == []
    (shown,) = search(office, account_name="zhangsan").items
    assert "zhangsan" not in str(shown)


def exported(office: Office, caller: Caller, **asked: Any) -> tuple[list[Any], AuditEvent]:
    """The rows of an exported sheet, and the audit event of the export."""
    event = AuditEvent("membership.export_acts", caller)
    with office.begin() as session:
        audit.begin(session, event)
        file = audit_export.export_acts(work_of(office, session, caller), ExportActsRequest(**asked))
    sheet = load_workbook(BytesIO(b64decode(file.content))).worksheets[0]
    return list(sheet.iter_rows()), event


def test_an_export_has_the_rows_of_the_search_without_formulas_and_is_recorded(office: Office) -> None:
    administrator = an_account(office, office.city, "administrator")
    formula = {"display_name": "=cmd()", "old": {}, "new": {"remark": "@SUM(1)"}}
    keep(office, personal=formula, action="membership.update_account")
    keep(office, action="membership.register_member")

    (heading, row), event = exported(office, administrator, action="membership.update_account")

    assert [cell.value for cell in heading] == list(audit_export.HEADINGS)
    name = row[audit_export.HEADINGS.index("姓名")]
    assert (name.value, name.data_type, name.quotePrefix) == ("=cmd()", "s", True)
    assert (event.new["rows"], event.new["action"]) == (1, "membership.update_account")
    assert event.union_ids == {administrator.union_id}
    (_, of_operator), _ = exported(office, a_caller(office.city, "operator"), action="membership.update_account")
    assert of_operator[audit_export.HEADINGS.index("姓名")].value in (None, "")


def test_an_export_by_number_masks_it_in_its_record_and_is_not_for_operators(office: Office) -> None:
    number = "31010119750308002X"
    _, event = exported(office, an_account(office, office.city, "administrator"), document_number=number)
    assert number not in str(event.new)
    with pytest.raises(Forbidden):
        exported(office, a_caller(office.city, "operator"), document_number=number)


def test_an_export_of_too_many_is_refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_export, "LARGEST_EXPORT", 1)
    for _ in range(2):
        keep(office, action="membership.queue_members")
    with pytest.raises(Problem, match="export_too_large"):
        exported(office, an_account(office, office.city, "administrator"), action="membership.queue_members")


def test_searches_are_saved_renamed_and_deleted_for_one_account(office: Office) -> None:
    own, other = (an_account(office, office.city, "administrator") for _ in range(2))

    def act(use_case: Any, caller: Caller, request: Any) -> Any:
        with office.begin() as session:
            return use_case(work_of(office, session, caller), request)

    def listed(caller: Caller) -> list[tuple[str, dict[str, str]]]:
        answer = act(saved_searches.list_searches, caller, ListSearchesRequest())
        return [(one.name, one.filter) for one in answer.items]

    failures = KeptFilter(action="membership.sign_in", outcome="refused", acted_from=date(2026, 11, 1))
    kept = {"action": "membership.sign_in", "outcome": "refused", "acted_from": "2026-11-01"}
    saved = act(saved_searches.save_search, own, SaveSearchRequest(name="登录失败", filter=failures))
    with pytest.raises(Problem, match="search_name_taken"):
        act(saved_searches.save_search, own, SaveSearchRequest(name="登录失败", filter=KeptFilter()))
    act(saved_searches.save_search, other, SaveSearchRequest(name="登录失败", filter=KeptFilter()))
    assert listed(own) == [("登录失败", kept)]

    renamed = RenameSearchRequest(search_id=saved.search_id, name="本月登录失败")
    with pytest.raises(NotFound):
        act(saved_searches.rename_search, other, renamed)
    act(saved_searches.rename_search, own, renamed)
    assert listed(own) == [("本月登录失败", kept)]
    act(saved_searches.delete_search, own, SearchRequest(search_id=saved.search_id))
    assert (listed(own), len(listed(other))) == ([], 1)

    for number in range(MOST_SEARCHES):
        act(saved_searches.save_search, own, SaveSearchRequest(name=str(number), filter=KeptFilter()))
    with pytest.raises(Problem, match="too_many_searches"):
        act(saved_searches.save_search, own, SaveSearchRequest(name="更多", filter=KeptFilter()))

"""Disclosure of whole numbers: with a reason, limited; exports are masked unless an administrator gives a reason."""

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from openpyxl import load_workbook
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_ISSUED
from services.contracts.operations.membership.members import ExportMembersRequest, RevealedNumbers, RevealMemberRequest
from services.kit.problems import Forbidden, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import operation_of
from services.kit.settings import read_settings
from services.membership.members import disclosures, exports
from services.membership.models import Disclosure, Member
from tests.documents import errors_in, read
from tests.integration.membership.office import CARD_NO, Office, a_caller, an_account

PHONE = "13900000009"
WHY = "会员来电核对"


@pytest.fixture(autouse=True)
def _two_an_hour(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REVEALS_AN_HOUR", "2")
    read_settings.cache_clear()
    yield
    read_settings.cache_clear()


def reveal(office: Office, caller: Caller, member_id: UUID) -> RevealedNumbers:
    request = RevealMemberRequest(member_id=member_id, reason=WHY)
    with office.begin() as session:
        return disclosures.reveal_member(office.work(session, authorized(caller, "membership.reveal_member")), request)


def authorized(caller: Caller, name: str) -> Caller:
    """The caller with the scope that the policy gives it."""
    return replace(caller, scope=operation_of(name).allow.scope_of(caller.roles))


def kept(office: Office) -> list[Disclosure]:
    """What was disclosed, besides what each registration holds and releases."""
    of_others = select(Disclosure).where(Disclosure.account_id != UUID(office.registrar.account_id))
    with office.begin() as session:
        return list(session.scalars(of_others.order_by(Disclosure.disclosure_id)))


def export(office: Office, caller: Caller, **asked: Any) -> list[dict[str, Any]]:
    """The rows of the sheet, by heading."""
    with office.begin() as session:
        bound = authorized(caller, "membership.export_members")
        answer = exports.export_members(office.work(session, bound), read(ExportMembersRequest, asked))
    sheet = load_workbook(io.BytesIO(base64.b64decode(answer.content))).worksheets[0]
    headings, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, headings), row, strict=True)) for row in rows]


def a_holder_of_a_card(office: Office) -> UUID:
    member_id, application_id = office.queued(phone=PHONE, document_number="31010119750308002X")
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    return member_id


def test_a_clerk_is_shown_the_numbers_of_a_member_and_it_is_kept_who_and_why(office: Office) -> None:
    member_id = a_holder_of_a_card(office)
    clerk = an_account(office, office.union, "clerk")
    shown = reveal(office, clerk, member_id)
    assert shown == RevealedNumbers(
        document_number="31010119750308002X",
        birth_date=date(1975, 3, 8),
        sex="female",
        phone=PHONE,
        card_no=CARD_NO,
    )
    [disclosure] = kept(office)
    assert (str(disclosure.account_id), disclosure.member_id, disclosure.kind, disclosure.reason) == (
        clerk.account_id,
        member_id,
        "reveal",
        WHY,
    )


def test_members_of_other_unions_are_shown_to_administrators_above_alone(office: Office) -> None:
    member_id = office.register()
    above = an_account(office, office.superior, "administrator")
    assert reveal(office, above, member_id).document_number
    for stranger in (
        an_account(office, office.superior, "clerk", "reviewer"),
        an_account(office, office.other, "administrator"),
    ):
        with pytest.raises(NotFound):
            reveal(office, stranger, member_id)
    with pytest.raises(NotFound):
        reveal(office, above, uuid4())
    assert len(kept(office)) == 1


def test_an_account_is_shown_so_many_an_hour_and_no_more(office: Office) -> None:
    members = [office.register() for _ in range(3)]
    clerk = an_account(office, office.union, "clerk")
    for member_id in members[:2]:
        reveal(office, clerk, member_id)
    with pytest.raises(Problem, match="too_many_reveals") as refusal:
        reveal(office, clerk, members[2])
    assert (refusal.value.status, 3500 < (refusal.value.retry_after or 0) <= 3600) == (429, True)
    assert reveal(office, an_account(office, office.union, "clerk"), members[2])
    with office.begin() as session:
        session.execute(text("alter table disclosure disable trigger user"))
        session.execute(text("update disclosure set at = at - make_interval(hours => 1)"))
    assert reveal(office, clerk, members[2])


def test_what_was_disclosed_stays_on_record(office: Office) -> None:
    reveal(office, an_account(office, office.union, "clerk"), office.register())
    for change in ("update disclosure set members = 0", "delete from disclosure"):
        with pytest.raises(DBAPIError, match="never changes"), office.engine.begin() as connection:
            connection.execute(text(change))


def test_a_sheet_of_members_is_masked(office: Office) -> None:
    a_holder_of_a_card(office)
    [row] = export(office, an_account(office, office.union, "clerk"))
    assert (row["证件号码"], row["联系电话"], row["银行卡号"]) == (
        "31010***********2X",
        "139****0009",
        "622478******7891",
    )
    assert (row["姓名"], row["证件类型"], row["状态"]) == ("王建国", "居民身份证", "已办卡")
    assert "性别" not in row
    assert kept(office) == []


def test_an_administrator_who_says_why_gets_whole_numbers_and_it_is_kept(office: Office) -> None:
    a_holder_of_a_card(office)
    office.register()
    administrator = an_account(office, office.superior, "administrator")
    asked = {"filter": {"union_id": str(office.union.union_id)}, "whole_numbers": True, "reason": WHY}
    rows = export(office, administrator, **asked)
    assert (rows[0]["证件号码"], rows[0]["性别"]) == ("31010119750308002X", "女")
    assert rows[0]["银行卡号"] == CARD_NO
    [disclosure] = kept(office)
    assert (disclosure.kind, disclosure.members, disclosure.reason) == ("export", 2, WHY)


def test_whole_numbers_are_for_administrators(office: Office) -> None:
    with pytest.raises(Forbidden, match="whole_numbers"):
        export(office, an_account(office, office.union, "clerk", "reviewer"), whole_numbers=True, reason=WHY)
    assert errors_in(ExportMembersRequest, {"whole_numbers": True}) == {"reason": ["导出完整号码须填写理由"]}


def test_a_sheet_holds_those_of_the_filter_and_what_looks_like_a_formula_is_text(office: Office) -> None:
    office.register(name="王芳", address="=1+1")
    office.register(name="李四")
    clerk = an_account(office, office.union, "clerk")
    assert [row["姓名"] for row in export(office, clerk, filter={"name": "王"})] == ["王芳"]
    assert len(export(office, clerk)) == 2
    with pytest.raises(NotFound):
        export(office, clerk, filter={"union_id": str(office.other.union_id)})


def test_a_sheet_follows_the_member_numbers_and_ends_with_who_has_none(office: Office) -> None:
    last = office.numbered(name="王芳")[0]
    office.numbered(name="李四")
    with office.begin() as session:
        session.get_one(Member, last).member_no = "0079999999"
    office.register(name="韩梅")
    rows = export(office, an_account(office, office.union, "clerk"))
    assert [row["姓名"] for row in rows] == ["李四", "王芳", "韩梅"]


def test_too_many_members_are_to_be_exported_by_narrower_filters(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "LARGEST_EXPORT", 1)
    office.register()
    assert len(export(office, a_caller(office.union, "clerk"))) == 1
    office.register()
    with pytest.raises(Problem, match="export_too_large"):
        export(office, a_caller(office.union, "clerk"))

"""Object mothers: valid objects of the field that tests start from and change."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from openpyxl import Workbook
from stdnum import luhn
from stdnum.cn import ric, uscc
from uuid_utils.compat import uuid7

from services.contracts.consent import CURRENT_CONSENT
from services.contracts.events.audit import ACTS_RECORDED, ActRecordedData
from services.kit.documents.sheet_cells import saved
from services.kit.rpc.methods import Caller
from services.kit.schemas import as_dict
from services.membership.union_imports.workbook import ACCOUNTS, UNIONS
from services.validation.rules import Person


def a_resident_number(
    birth_date: date = date(1985, 6, 15), sex: str = "male", region: str = "310115", sequence: int = 1
) -> str:
    """Returns a valid resident ID number, with the check digit by python-stdnum; `sequence` is from 0 to 499."""
    first_seventeen = f"{region}{birth_date:%Y%m%d}{sequence * 2 + (sex == 'male'):03}"
    return f"{first_seventeen}{ric.calc_check_digit(first_seventeen + '0')}"


def a_person(**changes: Any) -> Person:
    """Returns a working man born in 1985 with a resident ID, for whom no rule has a finding on 2026-03-01."""
    facts: dict[str, Any] = {
        "name": "王建国",
        "document_type": "resident_id",
        "document_number": a_resident_number(),
        "document_expiry": date(2035, 8, 8),
        "document_issued": date(2015, 8, 8),
        "birth_date": date(1985, 6, 15),
        "sex": "male",
        "retirement_category": "M60",
        "special_retirement_month": None,
        "nationality": "CHN",
    }
    return Person(**(facts | changes))


def a_validation_request(
    *persons: Person, check_no: int = 1, union_id: UUID | None = None, application_ids: Sequence[UUID] = ()
) -> dict[str, Any]:
    """Returns the data of a `validation_requested` for these persons, in their order; missing ids are new."""
    ids = list(application_ids) or [uuid4() for _ in persons]
    return {
        "union_id": union_id or uuid4(),
        "applications": [{"application_id": application_id, "check_no": check_no} for application_id in ids],
        "persons": [
            {"application_id": application_id, **asdict(person)}
            for application_id, person in zip(ids, persons, strict=True)
        ],
    }


def a_union_workbook(unions: Sequence[Sequence[str]] = (), accounts: Sequence[Sequence[str]] = ()) -> bytes:
    """A workbook of unions and accounts, with a title above the headings, as people fill it in."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for form, rows in ((UNIONS, unions), (ACCOUNTS, accounts)):
        sheet = book.create_sheet(form.title)
        sheet.append(["2026 年新建"])
        sheet.append([form.written(name) for name in form.headings])
        for row in rows:
            sheet.append(list(row))
    return saved(book)


def a_union_code(serial: int) -> str:
    """Returns a valid 统一社会信用代码 of a union."""
    first_seventeen = f"81310000{serial:09}"
    return f"{first_seventeen}{uscc.calc_check_digit(first_seventeen)}"


_births = itertools.count()


def a_member_form(**changes: Any) -> dict[str, Any]:
    """Returns a clerk's form to register a man, with `changes`; each form has its own resident ID."""
    serial = next(_births)
    birth_date = changes.get("birth_date") or date(1960 + serial // 500 % 40, 6, 15)
    number = a_resident_number(date.fromisoformat(str(birth_date)), changes.get("sex") or "male", sequence=serial % 500)
    return {"name": "王建国", "document_type": "resident_id", "document_number": number, **changes}


_numbers = itertools.count(1)


def a_union(**changes: Any) -> dict[str, Any]:
    """Returns UnionFacts of a grassroots union with a unique code, under a superior union under the city's."""
    superior = uuid4()
    facts = {
        "union_id": uuid4(),
        "code": a_union_code(next(_numbers)),
        "name": "上海建朗信息科技有限公司工会",
        "superior_union_id": superior,
        "superior_ids": [uuid4(), superior],
    }
    return facts | changes


def a_clerk_of(union: Mapping[str, Any]) -> Caller:
    """Returns a clerk of the union of these UnionFacts."""
    return Caller(
        account_id=str(uuid4()),
        roles=frozenset({"clerk"}),
        union_id=str(union["union_id"]),
        union_code=union["code"],
        union_name=union["name"],
        superior_union_id=str(union["superior_union_id"]),
        superior_ids=tuple(str(superior) for superior in union["superior_ids"]),
    )


def an_applicant(**changes: Any) -> dict[str, Any]:
    """Returns PersonFacts of a member for the ordinary channel, with a unique document number."""
    number = next(_numbers)
    birth_date = date(1980 + number % 20, 1 + number // 20 % 12, 1 + number // 240 % 28)
    facts = {
        **asdict(a_person(birth_date=birth_date)),
        "document_number": a_resident_number(birth_date, sequence=number // 6720 % 500),
        "application_id": uuid4(),
        "phone": "13800000001",
        "address": "上海市杨浦区闸殷路1555号",
    }
    return facts | changes


def a_queueing(*applicants: dict[str, Any], union: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Returns the data of a `members_queued` for these applicants, each another member with a number."""
    data = {
        "union": union,
        "queued_by": uuid4(),
        "queued_at": datetime.now(UTC),
        "applications": [
            {"application_id": one["application_id"], "member_id": uuid4(), "member_no": f"{next(_numbers):010}"}
            for one in applicants
        ],
        "persons": list(applicants),
        "consent": a_consent() if changes.get("personal_application") else None,
    }
    return data | changes


def a_consent(**changes: Any) -> dict[str, Any]:
    """Returns GivenConsent of a member on the phone, to the text in force."""
    facts = {"version": CURRENT_CONSENT.version, "given_at": datetime.now(UTC), "origin": "203.0.113.7"}
    return facts | changes


def a_card_number() -> str:
    """Returns a unique synthetic card number of 16 digits, the last one by Luhn."""
    first_fifteen = f"622478{next(_numbers):09}"
    return f"{first_fifteen}{luhn.calc_check_digit(first_fifteen)}"


def an_act(**changes: Any) -> dict[str, Any]:
    """Returns `an_audit_event` as a dict."""
    act: dict[str, Any] = as_dict(an_audit_event(**changes))
    return act


def an_audit_event(**changes: Any) -> ActRecordedData:
    """Returns the audit event of a clerk who changed a member's telephone number."""
    personal = {"display_name": "王芳", "old": {"phone": "138****0000"}, "new": {"phone": "139****1111"}}
    facts = {
        "act_id": uuid7(),
        "action": "membership.update_member",
        "outcome": "done",
        "account_id": uuid4(),
        "account_name": "jianlang",
        "union_id": None,
        "roles": ["clerk"],
        "origin": "10.8.3.21",
        "request_id": str(uuid4()),
        "correlation_id": str(uuid4()),
        "records": [f"member:{uuid4()}"],
        "personal": personal,
    }
    contract = ACTS_RECORDED["membership"]
    return contract.read(contract.dump(facts | changes))

"""Who is reminded of overdue work: who can act on it, and the next superior of what has waited too long."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from services.contracts.events.membership import REMINDERS_DUE
from services.contracts.events.overdue import WORK_OVERDUE
from services.contracts.overdue import today
from services.kit.data.database import outbox
from services.membership import reminders
from services.membership.accounts import accounts
from services.membership.members.member_documents import phone_digest
from services.membership.models import Account, Delegation, Union
from tests.integration.membership.holder import PASSWORD
from tests.integration.membership.office import Office, an_event

SINCE = datetime(2026, 3, 2, 2, tzinfo=UTC)


@pytest.fixture
def people(office: Office) -> dict[str, Account]:
    """A clerk of the company, a reviewer of the district, an administrator of the city."""
    return {
        "clerk": hire(office, office.union, "clerk", "13800000001"),
        "reviewer": hire(office, office.superior, "reviewer", "13800000002"),
        "city": hire(office, office.city, "administrator", "13800000003"),
    }


def hire(office: Office, union: Union, role: str, phone: str | None = None, disabled: bool = False) -> Account:
    account = accounts.new_account(union, f"a{phone}{role}{union.code[-4:]}", "王芳", [role], PASSWORD)
    account.phone, account.phone_digest = phone, phone_digest(phone) if phone else None
    account.disabled = disabled
    with office.begin() as session:
        session.add(account)
    return account


def a_work(union: Union, level: str = "overdue", kind: str = "unchecked", count: int = 2) -> dict[str, Any]:
    return {"kind": kind, "union_id": union.union_id, "level": level, "count": count, "since": SINCE}


def remind(office: Office, *works: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the reminders, each with the telephones."""
    event = an_event(WORK_OVERDUE["batching"], {"day": date(2026, 3, 9), "works": list(works)})
    with office.begin() as session:
        reminders.work_overdue(session, event)
    found = []
    for data in office.published(REMINDERS_DUE):
        phones = {(one["union_id"], one["role"]): one["phones"] for one in data["recipients"]}
        found += [{**one, "phones": phones[one["union_id"], one["role"]]} for one in data["reminders"]]
    return found


def told(found: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {(one["union_id"], one["role"], one["of_subordinates"], tuple(one["phones"])) for one in found}


def test_the_role_that_can_act_is_reminded_and_nobody_else(office: Office, people: dict[str, Account]) -> None:
    found = remind(office, a_work(office.union))
    assert told(found) == {(office.union.union_id, "clerk", 0, ("13800000001",))}
    [count] = found[0]["works"]
    assert (count["kind"], count["count"], count["since"]) == ("unchecked", 2, SINCE)


def test_a_request_is_its_reviewer_s(office: Office, people: dict[str, Account]) -> None:
    found = remind(office, a_work(office.superior, kind="revocation"))
    assert told(found) == {(office.superior.union_id, "reviewer", 0, ("13800000002",))}


def test_what_has_waited_too_long_is_told_to_the_next_superior_besides(
    office: Office, people: dict[str, Account]
) -> None:
    found = remind(office, a_work(office.union), a_work(office.union, "escalated", count=1))
    assert told(found) == {
        (office.union.union_id, "clerk", 0, ("13800000001",)),
        (office.superior.union_id, "reviewer", 1, ("13800000002",)),
    }


def test_a_request_that_a_district_leaves_is_told_to_the_city(office: Office, people: dict[str, Account]) -> None:
    found = remind(office, a_work(office.superior, "escalated", kind="revocation"))
    assert told(found) == {(office.city.union_id, "administrator", 1, ("13800000003",))}


def test_where_nobody_can_act_the_next_superior_is_told_at_once(office: Office) -> None:
    hire(office, office.union, "clerk", "13800000009", disabled=True)
    hire(office, office.superior, "reviewer", "13800000002")
    found = remind(office, a_work(office.union), a_work(office.union, "escalated", count=1))
    assert told(found) == {(office.superior.union_id, "reviewer", 1, ("13800000002",))}
    assert [count["count"] for count in found[0]["works"]] == [2]


def test_an_administrator_of_the_union_comes_before_its_superior(office: Office, people: dict[str, Account]) -> None:
    hire(office, office.other, "administrator", "13800000004")
    found = remind(office, a_work(office.other, kind="revocation"))
    assert told(found) == {(office.other.union_id, "administrator", 0, ("13800000004",))}


def test_several_unions_are_one_reminder_for_their_superior(office: Office, people: dict[str, Account]) -> None:
    works = (a_work(office.union, "escalated", count=3), a_work(office.superior, "escalated", kind="failed", count=4))
    found = remind(office, *works, a_work(office.union, "escalated", kind="failed", count=5))
    of_the_district = [one for one in found if one["union_id"] == office.superior.union_id]
    assert [one["of_subordinates"] for one in of_the_district] == [1]
    assert {count["kind"]: count["count"] for count in of_the_district[0]["works"]} == {"unchecked": 3, "failed": 5}


def test_telephones_are_encrypted_in_the_event(office: Office, people: dict[str, Account]) -> None:
    remind(office, a_work(office.union))
    with office.begin() as session:
        bodies = [bytes(body).decode() for body in session.scalars(select(outbox.c.body))]
    assert any('"recipients":"v1.' in body for body in bodies)
    assert not any("13800000001" in body for body in bodies)


def test_a_deputy_is_reminded_with_the_reviewers(office: Office, people: dict[str, Account]) -> None:
    deputy = hire(office, office.superior, "clerk", "13800000007")
    with office.begin() as session:
        session.add(
            Delegation(
                delegation_id=uuid4(),
                principal_id=people["reviewer"].account_id,
                deputy_id=deputy.account_id,
                union_id=office.superior.union_id,
                first_day=today(),
                last_day=today(),
                reason="出差",
                made_by=people["reviewer"].account_id,
                made_at=SINCE,
            )
        )
    found = remind(office, a_work(office.superior, kind="revocation"))
    assert told(found) == {(office.superior.union_id, "reviewer", 0, ("13800000002", "13800000007"))}


def test_of_a_district_without_reviewer_the_city_s_is_reminded_of_work_that_it_may_do(office: Office) -> None:
    hire(office, office.superior, "administrator", "13800000002")
    hire(office, office.city, "reviewer", "13800000003")
    found = remind(office, a_work(office.superior, kind="revocation"))
    assert told(found) == {(office.city.union_id, "reviewer", 0, ("13800000003",))}

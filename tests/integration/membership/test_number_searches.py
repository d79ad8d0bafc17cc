"""Limits of searches by document number: each account, hits and misses, all of them recorded."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from services.kit.problems import Conflict, Problem
from services.kit.rpc.methods import Caller
from services.kit.settings import read_settings
from services.membership.members import number_searches
from services.membership.models import Disclosure
from tests.integration.membership.office import Office, an_account
from tests.mothers import a_resident_number

PLACE = "membership.list_members"


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NUMBER_SEARCHES_AN_HOUR", "3")
    monkeypatch.setenv("NUMBER_SEARCHES_A_DAY", "5")
    read_settings.cache_clear()
    yield
    read_settings.cache_clear()


def search(office: Office, caller: Caller, **sought: Any) -> None:
    with office.begin() as session:
        number_searches.count_search(session, caller, sought, PLACE)


def registering(office: Any, caller: Caller, number: str) -> AbstractContextManager[None]:
    """An office begins transactions as a database does."""
    return number_searches.count_if_member_exists(office, caller, number, "membership.register_member")


def an_hour_passes(office: Office) -> None:
    with office.begin() as session:
        session.execute(text("alter table disclosure disable trigger user"))
        session.execute(text("update disclosure set at = at - make_interval(hours => 1)"))


def test_hits_and_misses_count_together_until_an_hour_has_passed(office: Office) -> None:
    clerk, colleague = (an_account(office, office.union, "clerk") for _ in range(2))
    number = a_resident_number()
    member_id = office.register(document_number=number)
    search(office, clerk, document_number=number)
    search(office, clerk, document_number="11010519491231002X")
    search(office, clerk, document_end="0011")
    with pytest.raises(Problem, match="too_many_number_searches") as refusal:
        search(office, clerk, document_end="0011")
    assert (refusal.value.status, 3500 < (refusal.value.retry_after or 0) <= 3600) == (429, True)
    search(office, colleague, document_number=number)
    with office.begin() as session:
        of_others = select(Disclosure).where(Disclosure.account_id != UUID(office.registrar.account_id))
        kept = session.scalars(of_others.order_by(Disclosure.disclosure_id)).all()
        assert [(one.kind, one.member_id, one.members) for one in kept] == [
            ("search", member_id, 1),
            ("search", None, 0),
            ("search", None, 0),
            ("search", member_id, 1),
        ]
    an_hour_passes(office)
    search(office, clerk, document_number=number)


def test_a_day_has_fewer_searches_than_its_hours(office: Office) -> None:
    clerk = an_account(office, office.union, "clerk")
    for searches in (3, 2):
        for _ in range(searches):
            search(office, clerk, document_end="0011")
        an_hour_passes(office)
    with pytest.raises(Problem, match="too_many_number_searches") as refusal:
        search(office, clerk, document_end="0011")
    assert 21 * 3600 < (refusal.value.retry_after or 0) <= 22 * 3600
    assert re.search(r"每天最多 5 次.*请在 (\d+月\d+日 )?\d\d:\d\d 后再试", refusal.value.detail or "")


def test_registrations_at_once_are_told_of_no_more_members_than_searches_are_left(office: Office) -> None:
    clerk, number = an_account(office, office.union, "clerk"), a_resident_number()
    member_id = office.register(document_number=number)
    asked = [registering(office, clerk, number) for _ in range(4)]
    for one in asked[:3]:
        one.__enter__()
    with pytest.raises(Problem, match="too_many_number_searches"):
        asked[3].__enter__()
    exists = Conflict("member_exists", "已登记过")
    assert not any(one.__exit__(Conflict, exists, None) for one in asked[:3])
    with office.begin() as session:
        kept = session.scalars(select(Disclosure.member_id).where(Disclosure.kind == "search")).all()
    assert kept == [member_id] * 3


def test_a_search_is_given_back_for_who_was_not_a_member(office: Office) -> None:
    clerk = an_account(office, office.union, "clerk")
    number = a_resident_number()
    office.register(document_number=number)
    for _ in range(4):
        with registering(office, clerk, a_resident_number()):
            pass
    for _ in range(3):
        with pytest.raises(Conflict), registering(office, clerk, number):
            raise Conflict("member_exists", "已登记过")
    with pytest.raises(Problem, match="too_many_number_searches"):
        search(office, clerk, document_end="0011")
    an_hour_passes(office)
    search(office, clerk, document_end="0011")

"""Searches by document number are counted for each account, hits and misses, and kept with who has the number."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from uuid_utils.compat import uuid7

from services.common.messaging.rpc import Caller
from services.common.problems import Problem
from services.common.settings import read_settings
from services.membership import number_searches
from services.membership.models import Disclosure, ImportJob
from tests.integration.membership.office import Office, an_account
from tests.mothers import a_resident_number

PLACE = "membership.list_members"


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NUMBER_SEARCHES_AN_HOUR", "22")
    monkeypatch.setenv("IMPORT_ROWS_COMPARED_A_DAY", "100")
    read_settings.cache_clear()
    yield
    read_settings.cache_clear()


def search(office: Office, caller: Caller, **sought: Any) -> None:
    with office.begin() as session:
        number_searches.spend(session, caller, sought, PLACE)


def may_name_known(office: Office, caller: Caller, *, known: int, rows: int) -> bool:
    """Of an import that the caller has started, and that is judged."""
    with office.begin() as session:
        job = ImportJob(
            import_id=uuid7(),
            union_id=office.union.union_id,
            started_by=UUID(caller.account_id),
            file_name="名册.xlsx",
            started_at=datetime.now(UTC),
            rows_total=rows,
            rows_known=known,
        )
        session.add(job)
        return number_searches.may_name_known(session, job)


def test_hits_misses_and_what_a_preview_names_count_together_until_an_hour_has_passed(office: Office) -> None:
    clerk, colleague = (an_account(office, office.union, "clerk") for _ in range(2))
    number = a_resident_number()
    member_id = office.register(document_number=number)
    search(office, clerk, document_number=number)
    search(office, clerk, document_number="11010519491231002X")
    assert may_name_known(office, clerk, known=50, rows=60)
    with pytest.raises(Problem, match="too_many_number_searches") as refusal:
        search(office, clerk, document_end="0011")
    assert (refusal.value.status, 3500 < (refusal.value.retry_after or 0) <= 3600) == (429, True)
    assert not may_name_known(office, clerk, known=1, rows=1)
    assert may_name_known(office, clerk, known=0, rows=1)
    search(office, colleague, document_number=number)
    with office.begin() as session:
        kept = session.scalars(select(Disclosure).order_by(Disclosure.disclosure_id)).all()
        assert [(one.kind, one.member_id, one.members) for one in kept] == [
            ("search", member_id, 1),
            ("search", None, 0),
            ("import", None, number_searches.SHOWN_OF_IMPORT),
            ("search", member_id, 1),
        ]
        session.execute(text("alter table disclosure disable trigger user"))
        session.execute(text("update disclosure set at = at - make_interval(hours => 1)"))
    search(office, clerk, document_number=number)


def test_of_so_many_rows_a_day_previews_say_who_is_known_and_no_more(office: Office) -> None:
    clerk = an_account(office, office.union, "clerk")
    assert may_name_known(office, clerk, known=1, rows=60)
    assert not may_name_known(office, clerk, known=1, rows=60)
    assert may_name_known(office, an_account(office, office.union, "clerk"), known=1, rows=60)

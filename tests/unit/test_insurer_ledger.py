"""The simulated society's ledger: members, enrolments, and which days a new enrolment covers."""

import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from deploy.simulators.external_orders import with_error
from deploy.simulators.insurer_ledger import ERRORS, Ledger, new_enrolment
from services.contracts.external.insurer import FIRST_YEAR, LAST_YEAR, EnrolmentLine
from services.contracts.values.dates import SHANGHAI

NOW = datetime(2026, 11, 25, 9, tzinfo=SHANGHAI)
MEMBER = {"member_no": "0070352057", "union_code": "51310110MJ0000001D", "eligible_from": "2026-11-24"}
DAYS = st.dates(date(FIRST_YEAR, 1, 2), date(LAST_YEAR, 12, 30))
MOMENTS = st.builds(datetime.combine, DAYS, st.times(), st.just(SHANGHAI))


def told(**changes: str) -> dict[str, Any]:
    return {"message_id": "1", "members": [MEMBER | changes]}


@given(MOMENTS)
def test_a_new_enrolment_is_one_that_the_contract_takes_and_begins_tomorrow(now: datetime) -> None:
    line = EnrolmentLine().load(new_enrolment("0070352057", now))

    assert line["covers_from"] == now.date() + timedelta(days=1)
    assert line["covers_to"] == date(line["year"], 12, 31)
    assert (line["way"] == "collective") == (now.month == 12 and now.day == 31)


def test_a_member_who_is_told_twice_is_due_once_and_until_somebody_is_enrolled() -> None:
    ledger = Ledger()
    ledger.store_members(told())
    ledger.store_members(told(union_code="51310110MJ0000002B"))
    assert [one["union_code"] for one in ledger.members()] == ["51310110MJ0000002B"]
    later = time.time() + 1
    assert ledger.due_members(later - 10) == []
    assert ledger.due_members(later) == [MEMBER["member_no"]]

    ledger.record([new_enrolment(MEMBER["member_no"], NOW)])
    ledger.store_members(told())

    assert ledger.due_members(later) == []
    assert [one["enrolment_no"] for one in ledger.enrolments(MEMBER["member_no"])] == ["JS2026-0070352057"]
    assert ledger.enrolments("another") == []


def test_a_ledger_with_a_file_outlasts_the_process(tmp_path: Path) -> None:
    file = tmp_path / "ledger.json"
    ledger = Ledger(file)
    ledger.store_members(told())
    ledger.record([new_enrolment(MEMBER["member_no"], NOW)])
    assert Ledger(file).members() == ledger.members()
    assert Ledger(file).enrolments() == ledger.enrolments()
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("how", sorted(ERRORS.keys() - {"nobody"}))
def test_a_faulty_line_is_one_that_the_contract_refuses_in_that_field(how: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EnrolmentLine().load(with_error(new_enrolment(MEMBER["member_no"], NOW), ERRORS[how]))
    assert {"missing": "member_no"}.get(how, how) in refused.value.messages_dict

"""The judgement of a check: passed, failed or waiting, by the rules and the registry's answer."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.validation.judgements import judge
from services.validation.rules import RegistryAnswer
from tests.mothers import a_person

TODAY = date(2026, 3, 1)
WORKING = RegistryAnswer("working", date(2020, 1, 1), "养老保险登记")
UNKNOWN = RegistryAnswer("unknown")


def test_who_has_nothing_wrong_waits_for_the_registry_and_passes_with_its_answer() -> None:
    assert judge(a_person(), None, TODAY).result == "waiting"
    assert judge(a_person(), WORKING, TODAY).result == "passed"
    assert judge(a_person(), UNKNOWN, TODAY).result == "passed"


def test_who_waits_has_no_findings_yet() -> None:
    assert judge(a_person(document_expiry=date(2026, 4, 1)), None, TODAY).findings == ()


def test_who_fails_by_the_document_alone_has_failed_without_an_answer() -> None:
    judgement = judge(a_person(document_expiry=date(2020, 1, 1)), None, TODAY)
    assert judgement.result == "failed"
    assert "expired" in {finding.code for finding in judgement.findings}


def test_who_is_retired_by_the_registry_has_failed() -> None:
    assert judge(a_person(), RegistryAnswer("retired", date(2025, 1, 1), "养老保险登记"), TODAY).result == "failed"


@given(name=st.text(max_size=10), number=st.text(max_size=20), expiry=st.none() | st.dates())
def test_nobody_passes_without_an_answer(name: str, number: str, expiry: date | None) -> None:
    person = a_person(name=name, document_number=number, document_expiry=expiry)
    assert judge(person, None, TODAY).result != "passed"

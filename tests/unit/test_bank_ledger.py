"""The simulated bank's ledger: batches, recalls, decisions, card numbers."""

import time
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from deploy.simulators.bank_ledger import Ledger, card_number, decide, life_of_card, refusing_every
from services.contracts.external.bank import CardFeedback, FeedbackResult, is_card_number

BATCH_NO = "cbc001"


def a_batch(*application_ids: str, part: int = 1) -> dict[str, Any]:
    applicants = [{"application_id": one, "member_no": "0070000001"} for one in application_ids]
    return {"batch_no": BATCH_NO, "channel": "ordinary", "part": part, "parts": 2, "applicants": applicants}


def open_ids(ledger: Ledger) -> list[str]:
    return [applicant["application_id"] for applicant in ledger.open_applicants(BATCH_NO)]


def test_a_batch_that_comes_in_parts_and_twice_holds_each_applicant_once() -> None:
    ledger = Ledger()
    for message in (a_batch("a", "b"), a_batch("c", part=2), a_batch("a", "b")):
        ledger.store_batch(message)
    assert open_ids(ledger) == ["a", "b", "c"]
    assert ledger.batch(BATCH_NO)["received"] == 3


def test_a_part_that_comes_again_leaves_decisions_alone() -> None:
    ledger = Ledger()
    ledger.store_batch(a_batch("a"))
    ledger.record(BATCH_NO, [{"application_id": "a", "outcome": "issued"}])
    ledger.store_batch(a_batch("a"))
    ledger.record(BATCH_NO, [{"application_id": "a", "outcome": "accepted"}])
    assert ledger.batches()[0]["outcomes"]["issued"] == 1


def test_recalled_applicants_are_not_decided_even_when_the_recall_came_first() -> None:
    ledger = Ledger()
    ledger.store_recall({"batch_no": BATCH_NO, "applicants": [{"application_id": "a", "member_no": "1"}]})
    ledger.store_batch(a_batch("a", "b"))
    assert open_ids(ledger) == ["b"]


def test_a_ledger_with_a_file_outlasts_the_process(tmp_path: Path) -> None:
    file = tmp_path / "ledger.json"
    Ledger(file).store_batch(a_batch("a"))
    assert open_ids(Ledger(file)) == ["a"]
    assert file.stat().st_mode & 0o077 == 0


@given(st.uuids())
def test_every_decision_is_a_result_that_the_contract_takes(application_id: UUID) -> None:
    applicant = {"application_id": str(application_id)}
    for outcome in ("accepted", "made", "issued", "refused"):
        assert FeedbackResult().load(decide(applicant, outcome))["outcome"] == outcome


@given(st.text(min_size=1))
def test_a_card_number_is_valid_and_always_the_same_for_an_application(application_id: str) -> None:
    assert is_card_number(card_number(application_id))
    assert card_number(application_id) == card_number(application_id)


def test_about_one_in_so_many_is_refused_and_nobody_for_zero() -> None:
    applicants = [{"application_id": str(number)} for number in range(2000)]
    refused = [applicant for applicant in applicants if refusing_every(20)(applicant) == "refused"]
    assert 60 < len(refused) < 140
    assert {refusing_every(0)(applicant) for applicant in applicants} == {"issued"}


@given(st.uuids())
def test_the_reports_on_a_card_fit_the_contract_and_begin_with_its_number(application_id: UUID) -> None:
    life = life_of_card(str(application_id))
    assert life == life_of_card(str(application_id))
    if life:
        reports = [{**one, "happened_at": "2026-11-24T02:00:00+00:00"} for one in life]
        CardFeedback().load({"feedback_id": "1", "cards": reports})
        assert life[0]["card_no"] == card_number(str(application_id))
        steps = [(one["card_no"], one["step"]) for one in life]
        assert len(steps) == len(set(steps))


def test_a_card_is_reported_on_step_by_step_once_it_is_issued() -> None:
    application_id = next(one for one in map(str, range(100)) if len(life_of_card(one)) == 6)
    ledger = Ledger()
    ledger.store_batch(a_batch(application_id))
    assert ledger.next_reports(time.time()) == {}
    ledger.record(BATCH_NO, [{"application_id": application_id, "outcome": "issued"}])
    told: list[dict[str, Any]] = []
    while reports := ledger.next_reports(time.time()):
        told += reports.values()
        ledger.record_reports(reports)
    assert told == life_of_card(application_id)

"""Operators resend batches to the bank unchanged, and correct times that its clock got wrong."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.batching.bank import bank_operations
from services.contracts.events.batching import ACT_RECORDED, ISSUE_TIMES_CORRECTED
from services.contracts.external import bank
from services.contracts.operations import batching as rpc
from services.kit.problems import Conflict, Invalid, NotFound
from services.kit.schemas import as_dict, schema_of
from tests.databases import ROOT
from tests.documents import read
from tests.integration.batching.desk import Desk, a_feedback
from tests.mothers import a_card_number

REASON = "银行未收到该批次"


def resend(desk: Desk, batch_no: str, what: str) -> dict[str, Any]:
    request = read(rpc.ResendToBankRequest, {"batch_no": batch_no, "what": what, "reason": REASON})
    with desk.begin() as session:
        sent: dict[str, Any] = as_dict(bank_operations.resend(desk.work(session), request))
    return sent


def correct(desk: Desk, batch_no: str, said: datetime, right: datetime) -> dict[str, Any]:
    times = {"processed_at": said.isoformat(), "corrected_at": right.isoformat()}
    request = read(rpc.CorrectProcessedAtRequest, {"batch_no": batch_no, **times, "reason": "银行时钟错误"})
    with desk.begin() as session:
        done: dict[str, Any] = as_dict(bank_operations.correct_processed_at(desk.work(session), request))
    return done


def shown(desk: Desk, batch_no: str) -> dict[str, Any]:
    with desk.begin() as session:
        request = rpc.BatchRequest(batch_no=batch_no)
        found: dict[str, Any] = as_dict(bank_operations.get_bank_batch(desk.work(session), request))
    return found


def issued_at(desk: Desk, batch_no: str, at: datetime, *application_ids: UUID) -> None:
    results = [{"application_id": one, "outcome": "issued", "card_no": a_card_number()} for one in application_ids]
    assert desk.feed(a_feedback(batch_no, *results, processed_at=at.isoformat())) == [None]


def without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in names}


def test_a_batch_is_sent_again_as_it_was_and_marked_as_repeated(desk: Desk) -> None:
    batch_no, _ = desk.a_batch(510)

    assert resend(desk, batch_no, "batch") == {"applicants": 510, "recalled": 0}

    *first, again, last = desk.sent_to_bank(bank.SUBMITTED)
    assert [one["repeated"] for one in (*first, again, last)] == [False, False, True, True]
    changing = ("message_id", "repeated")
    assert [without(one, *changing) for one in first] == [without(one, *changing) for one in (again, last)]
    assert len({one["message_id"] for one in (*first, again, last)}) == 4


def test_a_batch_that_is_sent_again_is_followed_by_the_recall_of_who_was_released(desk: Desk) -> None:
    batch_no, [first, second, third] = desk.a_batch(3)
    desk.feed(a_feedback(batch_no, {"application_id": first, "outcome": "refused", "reason_code": "other"}))
    desk.revoke(batch_no)
    issued_at(desk, batch_no, datetime.now(UTC), third)

    assert resend(desk, batch_no, "batch") == {"applicants": 3, "recalled": 1}
    assert resend(desk, batch_no, "recall") == {"applicants": 0, "recalled": 1}

    recalls = desk.sent_to_bank(bank.RECALLED)
    assert [one["repeated"] for one in recalls] == [False, True, True]
    assert [[one["application_id"] for one in recall["applicants"]] for recall in recalls[1:]] == [[str(second)]] * 2
    assert len(desk.sent_to_bank(bank.SUBMITTED)) == 2


def test_what_never_went_to_the_bank_is_not_sent_again(desk: Desk) -> None:
    batch_no, _ = desk.a_batch(1)
    with pytest.raises(Conflict, match="nothing_recalled"):
        resend(desk, batch_no, "recall")
    with pytest.raises(NotFound):
        resend(desk, "cbc-unknown", "batch")


def test_a_wrong_time_of_the_bank_is_put_right_for_all_who_were_decided_then(desk: Desk) -> None:
    batch_no, [first, second, third] = desk.a_batch(3)
    now = datetime.now(UTC).replace(microsecond=0)
    wrong = now + timedelta(hours=20)
    issued_at(desk, batch_no, now, first)
    issued_at(desk, batch_no, wrong, second, third)
    assert [time["is_plausible"] for time in shown(desk, batch_no)["times"]] == [False, True]

    assert correct(desk, batch_no, wrong, now) == {"applications": 2}

    assert [desk.application(one).decided_at for one in (first, second, third)] == [now, now, now]
    assert desk.batch(batch_no).feedback_at == now
    [published] = desk.published(ISSUE_TIMES_CORRECTED)
    assert (published["said_at"], published["issued_at"]) == (wrong, now)
    assert {(one["application_id"], one["version"]) for one in published["applications"]} == {(second, 2), (third, 2)}
    answer = schema_of(rpc.BankBatchAnswer)().dump(shown(desk, batch_no))
    assert [(time["applications"], time["is_plausible"]) for time in answer["times"]] == [(3, True)]
    assert [one["applied"] for one in answer["feedbacks"]] == [2, 1]


def test_a_wrong_time_of_mere_progress_is_put_right_on_the_batch(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    wrong = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=20)
    result = {"application_id": application_id, "outcome": "accepted"}
    desk.feed(a_feedback(batch_no, result, processed_at=wrong.isoformat()))

    right = datetime.now(UTC)
    assert correct(desk, batch_no, wrong, right) == {"applications": 0}

    assert desk.batch(batch_no).feedback_at == right
    assert desk.published(ISSUE_TIMES_CORRECTED) == []


def test_a_time_is_not_put_right_by_another_wrong_one(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    said = datetime.now(UTC)
    issued_at(desk, batch_no, said, application_id)
    for right in (datetime.now(UTC) + timedelta(minutes=5), datetime.now(UTC) - timedelta(days=1)):
        with pytest.raises(Invalid):
            correct(desk, batch_no, said, right)
    with pytest.raises(NotFound):
        correct(desk, batch_no, said - timedelta(days=1), said)


def test_the_command_line_does_the_same_and_leaves_its_record(desk: Desk, database_url: str) -> None:
    batch_no, _ = desk.a_batch(1)
    program = [sys.executable, "-m", "services.batching.bank.bank_operations"]
    command = [*program, "resend", "batch", "--batch", batch_no, "--reason", REASON]
    environment = {**os.environ, "DATABASE_URL": database_url}

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"applicants": 1, "recalled": 0}
    assert [one["repeated"] for one in desk.sent_to_bank(bank.SUBMITTED)] == [False, True]
    [act] = [one for one in desk.published(ACT_RECORDED) if one["action"] == "batching.resend_to_bank"]
    assert act["records"] == [f"batch:{batch_no}"]
    assert act["account_name"].endswith("@command-line")
    assert act["personal"]["new"]["reason"] == REASON

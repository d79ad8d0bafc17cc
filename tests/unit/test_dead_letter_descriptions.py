"""Descriptions of dead letters in Chinese: the subject, how many persons it concerns, and why it failed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from services.contracts.dead_letter_descriptions import EVENT_TITLES, RESULT_TITLES, explanation
from services.contracts.events.all_events import EVENTS
from services.contracts.events.batching import BATCH_SUBMITTED
from services.contracts.examples import wire_example
from services.contracts.external import bank
from services.kit.dead_letters.letters import DeadLetter
from services.kit.schemas import as_dict
from tests.mothers import a_union_code

_LETTER = DeadLetter(
    queue="membership.batch_submitted.dead",
    id="1",
    type=BATCH_SUBMITTED.type,
    cause="services.kit.events.failures.Reject",
    reason="the event speaks of an application that was never queued",
    attempts=1,
    first_failed_at=None,
    failed_at=None,
    original_queue="membership.batch_submitted",
    headers={},
    body=b"",
)


def test_a_letter_names_its_union_batch_and_number_of_persons() -> None:
    document: dict[str, Any] = {"data": wire_example(BATCH_SUBMITTED)}

    summary = replace(_LETTER, body=json.dumps(document).encode()).summary()

    assert summary.subject == "提交办卡"
    assert summary.union_name == document["data"]["union"]["name"]
    assert summary.batch_no == document["data"]["batch_no"]
    assert summary.persons == len(document["data"]["applications"])
    assert summary.explanation == "会员服务中没有这些人员的办卡申请"


def test_a_rejected_feedback_names_its_union_by_the_code_in_the_batch_number() -> None:
    code = a_union_code(7)
    feedback = {"batch_no": f"cbc{code}20261124001", "results": [{}, {}]}
    reason = "results.0: unknown_application, results.1: card_no_reused"

    letter = replace(_LETTER, queue=bank.REJECTED_QUEUE, type=None, reason=reason, body=json.dumps(feedback).encode())

    assert letter.summary().subject == "银行反馈"
    assert (letter.summary().union_code, letter.summary().persons) == (code, 2)
    assert letter.summary().explanation == "该批次中没有该会员；卡号已发给其他会员"


def test_a_rejected_feedback_on_cards_is_explained_by_line_and_counts_the_cards() -> None:
    feedback = {"feedback_id": "f", "cards": [{}, {}, {}]}
    reason = "cards.0: unknown_card, cards.1.card_no: A card number has 16 to 19 digits, cards.2: replaced_differently"

    letter = replace(_LETTER, queue=bank.REJECTED_QUEUE, type=None, reason=reason, body=json.dumps(feedback).encode())

    assert (letter.summary().subject, letter.summary().persons) == ("银行反馈", 3)
    assert letter.summary().explanation == "第 2 条结果的 card_no 不符合约定；系统中没有该卡号；与先前反馈的新卡号不同"


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"null", b'{"data": 7}', b'{"data": {"union": 1, "members": 2}}'])
def test_a_letter_that_says_nothing_sensible_is_listed_all_the_same(body: bytes) -> None:
    for queue in (_LETTER.queue, bank.REJECTED_QUEUE):
        summary = replace(_LETTER, queue=queue, body=body).summary()
        assert (summary.union_name, summary.persons) == (None, None)


def test_a_number_where_a_name_should_be_is_not_shown() -> None:
    card, person = "6222021234567890128", "31011519850615001X"
    union = {"union_id": card, "code": person, "name": f"卡号 {card}"}
    body = json.dumps({"data": {"batch_no": card, "union": union}}).encode()

    letter = replace(_LETTER, body=body, reason=f"There is no batch {card}.")
    said = json.dumps(as_dict(letter.summary()), ensure_ascii=False)

    assert card not in said
    assert person not in said


def test_every_event_has_its_chinese_name() -> None:
    assert {event.name for event in EVENTS.values()} == EVENT_TITLES.keys()


@pytest.mark.parametrize(
    ("cause", "reason", "said"),
    [
        (
            "…failures.Reject",
            "an application that is removed cannot become issued",
            "申请现为“已移除”，不能改为“已办卡”",
        ),
        ("…failures.Reject", "There is no batch cbc1.", "没有批次 cbc1"),
        ("…failures.Reject", "bad_schema: results.1.card_no", "字段不符合约定：results.1.card_no"),
        (
            "…failures.Reject",
            "results.1.card_no: Not a card number., results.2: card_no_reused",
            "第 2 条结果的 card_no 不符合约定；卡号已发给其他会员",
        ),
        ("…failures.Reject", "processed_at: in_the_future", "处理时间晚于现在一天以上"),
        ("…failures.Reject", "batch_no: Missing data.", "字段不符合约定：batch_no"),
        ("…failures.Reject", "ValidationError: {'data': {'union': ['Missing']}}", "内容不符合约定"),
        ("…failures.Reject", "something new", "内容有误"),
        ("sqlalchemy.exc.IntegrityError", "sqlalchemy.exc.IntegrityError", "与数据库中已有的数据冲突"),
        ("broker: delivery_limit", "", "处理中多次中断（进程被终止或连接断开）"),
        ("builtins.ZeroDivisionError", "builtins.ZeroDivisionError", "处理时程序出错"),
    ],
)
def test_a_cause_is_said_in_plain_words(cause: str, reason: str, said: str) -> None:
    assert explanation(cause, reason) == said


def test_every_contradiction_of_the_bank_has_its_words() -> None:
    assert all(_is_chinese(words) for words in RESULT_TITLES.values())


def _is_chinese(text: Any) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)

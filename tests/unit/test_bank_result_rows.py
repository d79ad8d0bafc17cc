"""Rows of a bank's file become feedback by the contract of messages, whatever people type."""

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.batching.bank.bank_reading import feedback_in
from services.batching.bank_files.result_rows import documents_of
from services.contracts.external.bank import FEEDBACK_QUEUE, LARGEST_FEEDBACK, MESSAGES, REJECTIONS
from services.contracts.external.bank_files import CARDS, FORMS, OUTCOME_WORDS, REJECTION_WORDS, RESULTS
from services.contracts.shared import CARD_STEP_WORDS, CARD_STEPS
from services.kit.sheets.forms import FilledRow, Form

APPLICATION = str(UUID(int=7))
ISSUED = {
    "batch_no": "cbc81310000001000013D20261129001",
    "application_id": APPLICATION,
    "outcome": "办理成功",
    "processed_at": "2026-11-29 10:05",
    "card_no": "6224781234567891",
}


def a_row(form: Form = RESULTS, line_no: int = 2, **cells: str) -> FilledRow:
    given = {**(ISSUED if form is RESULTS else {}), **cells}
    return FilledRow(form, form.title, line_no, {name: cell for name, cell in given.items() if cell})


def read_alone(row: FilledRow) -> dict[str, str]:
    """Returns the only document of a row, flat."""
    [(document, rows)] = documents_of([row]).read
    assert rows == [row]
    [line] = document.get("results") or document["cards"]
    return {**document, **line}


@pytest.mark.parametrize(
    "typed",
    [
        "2026-11-29 10:05",
        "2026/11/29 10:05:00",
        "2026.11.29 10:05",
        "２０２６年11月29日 10时5分",
        "2026-11-29T10:05:00",
        "2026-11-29 10:05:00.000",
        "2026-11-29T02:05:00+00:00",
    ],
)
def test_moments_are_read_as_people_and_programs_write_them(typed: str) -> None:
    moment = read_alone(a_row(processed_at=typed))["processed_at"]
    assert moment in ("2026-11-29T10:05:00+08:00", "2026-11-29T02:05:00+00:00")


@pytest.mark.parametrize("typed", ["2026-11-29", "昨天", "10:05", "2026-02-30 10:00", "2026-11-29 25:00", "45000.5"])
def test_a_moment_that_is_none_or_has_no_time_is_named(typed: str) -> None:
    [wrong] = documents_of([a_row(processed_at=typed)]).wrong
    assert (wrong.heading, wrong.reason) == ("处理时间", "应为日期和时间，如 2026-11-24 10:05")


def test_words_numbers_and_spaces_are_read_as_typed() -> None:
    line = read_alone(a_row(outcome=" 办理 成功", card_no="６２２４ 7812 3456 7891"))
    assert (line["outcome"], line["card_no"]) == ("issued", "6224781234567891")
    card = a_row(CARDS, card_no="6224781234567891", step="挂失", happened_at="2026-11-29 10:05")
    assert read_alone(card)["step"] == "lost"


def test_a_row_that_only_we_have_filled_in_has_no_result() -> None:
    documents = documents_of([a_row(outcome="", processed_at="", card_no="")])
    assert (documents.skipped, documents.read, documents.wrong) == (1, [], [])


@pytest.mark.parametrize(
    ("missing", "heading"), [("batch_no", "批次编号"), ("outcome", "结果"), ("processed_at", "处理时间")]
)
def test_a_row_without_what_it_needs_is_named(missing: str, heading: str) -> None:
    row = FilledRow(RESULTS, RESULTS.title, 2, {name: cell for name, cell in ISSUED.items() if name != missing})
    [wrong] = documents_of([row]).wrong
    assert (wrong.heading, wrong.reason) == (heading, "请填写")


def test_rows_of_one_batch_and_time_share_documents_of_the_largest_size() -> None:
    rows = [a_row(line_no=number) for number in range(LARGEST_FEEDBACK + 1)]
    found = documents_of([*rows, a_row(processed_at="2026-11-29 10:06"), a_row(batch_no="another")]).read
    assert [len(rows) for _, rows in found] == [LARGEST_FEEDBACK, 1, 1, 1]
    assert len({document["feedback_id"] for document, _ in found}) == 4


def test_the_same_rows_make_the_same_documents_wherever_they_stand() -> None:
    [(one, _)], [(other, _)] = documents_of([a_row()]).read, documents_of([a_row(line_no=9)]).read
    assert one == other
    [(changed, _)] = documents_of([a_row(card_no="6231620000000000013")]).read
    assert changed["feedback_id"] != one["feedback_id"]


def test_every_outcome_and_step_has_a_word_and_every_reason_a_sentence() -> None:
    assert set(CARD_STEP_WORDS) == set(CARD_STEPS)
    assert set(OUTCOME_WORDS) == {"accepted", "made", "issued", "refused"}
    only_messages = {"not_encrypted", "feedback_id_reused"}
    assert set(REJECTION_WORDS) == set(REJECTIONS) - only_messages


_CELLS = st.dictionaries(
    st.sampled_from(sorted({name for form in FORMS for name in form.headings})),
    st.one_of(st.text(max_size=30), st.sampled_from([*OUTCOME_WORDS.values(), *ISSUED.values(), "", "退回"])),
)


@given(st.lists(st.tuples(st.sampled_from(FORMS), _CELLS), max_size=8))
def test_whatever_is_typed_is_read_or_named_and_each_row_counts_once(rows: list[tuple[Form, dict[str, str]]]) -> None:
    filled = [
        FilledRow(form, form.title, number, {name: cells[name] for name in form.headings if cells.get(name)})
        for number, (form, cells) in enumerate(rows)
    ]
    documents = documents_of(filled)
    judged = [feedback_in(document) for document, _ in documents.read]
    lines = sum(len(of) for _, of in documents.read)
    assert lines + len(documents.wrong) + documents.skipped == len(filled)
    for (document, of), feedback in zip(documents.read, judged, strict=True):
        assert feedback.total == len(of)
        assert {one["code"] for one in feedback.rejections(REJECTIONS)} <= set(REJECTION_WORDS)
        json.dumps(document)


def test_a_document_is_a_feedback_by_the_contract() -> None:
    [(document, _)] = documents_of([a_row()]).read
    assert MESSAGES[FEEDBACK_QUEUE]().load(document)["results"][0]["card_no"] == ISSUED["card_no"]

"""Cards on a real database: the bank's reports in any order, collection at the union, reminders, earlier releases."""

import zipfile
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from pypdf import PdfReader
from sqlalchemy import Engine, create_engine, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.batching.cards import cards, reminders
from services.batching.models import Application, BankFeedback, Branch, Card, CardReport
from services.batching.pending.persons import card_digest
from services.batching.seed import seed
from services.contracts.events.batching import CARDS_CHANGED, COLLECTION_REMINDED
from services.contracts.operations.batching import RegisterAnswer
from services.contracts.operations.cards import (
    CardAnswer,
    CollectionListRequest,
    ExportCardsRequest,
    GetCardRequest,
    ListCardsRequest,
    MarkCollectedRequest,
)
from services.kit import clock
from services.kit.data import migrate
from services.kit.problems import Conflict, Invalid, NotFound
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import as_dict
from services.kit.settings import read_settings
from tests.databases import DatabaseFactory
from tests.integration.batching.desk import Desk, a_card_feedback, a_feedback, a_message, fresh
from tests.mothers import a_card_number, a_union, an_applicant
from tests.statements import statements_on

NOON = datetime(2027, 1, 15, 4, tzinfo=UTC)
"""Noon in Shanghai, long after every card of these tests was made."""


@pytest.fixture
def desk(engine: Engine) -> Desk:
    made = fresh(engine)
    hand_out(made, by_union=False)
    return made


def issued(desk: Desk, size: int = 1) -> dict[UUID, str]:
    """The cards of a new batch, by application."""
    batch_no, application_ids = desk.a_batch(size)
    numbers = {one: a_card_number() for one in application_ids}
    results = [{"application_id": one, "outcome": "issued", "card_no": number} for one, number in numbers.items()]
    assert desk.feed(a_feedback(batch_no, *results)) == [None]
    return numbers


def card_of(desk: Desk, application_id: UUID) -> Card:
    with desk.begin() as session:
        return session.get_one(Card, application_id)


def status(desk: Desk, application_id: UUID) -> tuple[str, str]:
    card = card_of(desk, application_id)
    return card.status, card.card_no


def life(application_id: UUID, first: str, second: str) -> list[dict[str, Any]]:
    """Everything that happens to a card, each a day after the other."""
    steps: list[tuple[str, str, dict[str, str]]] = [
        ("collected", first, {}),
        ("activated", first, {}),
        ("lost", first, {}),
        ("replaced", first, {"new_card_no": second}),
        ("collected", second, {}),
        ("activated", second, {}),
    ]
    start = datetime(2026, 11, 1, tzinfo=UTC)
    return [
        {
            "application_id": application_id,
            "card_no": number,
            "step": step,
            "happened_at": (start + timedelta(days=day)).isoformat(),
            **more,
        }
        for day, (step, number, more) in enumerate(steps)
    ]


def hand_out(desk: Desk, *, by_union: bool = True) -> None:
    with desk.begin() as session:
        session.execute(update(Branch).values(union_hands_out=by_union))


def listed(desk: Desk, work: Work | None = None, **request: Any) -> dict[str, Any]:
    with desk.begin() as session:
        asked = ListCardsRequest(**request)
        answer: dict[str, Any] = as_dict(cards.list_cards(work or desk.work(session), asked))
    return answer


def mark(desk: Desk, *application_ids: UUID, **request: Any) -> tuple[int, int]:
    with desk.begin() as session:
        asked = MarkCollectedRequest(application_ids=list(application_ids), **request)
        answer = cards.mark_collected(desk.work(session), asked)
    return answer.marked, answer.skipped


def age(desk: Desk, application_id: UUID, days: int) -> None:
    """Lets the card have been made so many days before NOON."""
    with desk.begin() as session:
        made_at = NOON - timedelta(days=days)
        session.execute(update(Card).where(Card.application_id == application_id).values(made_at=made_at))


def remind(desk: Desk, now: datetime = NOON) -> int:
    with patch.object(clock, "now", lambda: now), desk.begin() as session:
        return reminders.remind_some(session)


def test_an_issued_application_has_a_card_that_waits_for_collection(desk: Desk) -> None:
    ((application_id, number),) = issued(desk).items()
    card = card_of(desk, application_id)
    application = desk.application(application_id)
    assert (card.status, card.card_no, card.version) == ("made", number, 0)
    assert (card.member_id, card.made_at) == (application.member_id, application.decided_at)
    assert (card.union_id, card.union_name) == (desk.union_id, desk.union["name"])


def test_a_report_changes_the_card_and_is_published_and_answered(desk: Desk) -> None:
    ((application_id, number),) = issued(desk).items()
    desk.forget_published()
    collected = {"card_no": number, "step": "collected", "happened_at": "2026-11-20T10:30:00+08:00"}

    assert desk.feed(a_card_feedback(collected)) == [None]

    assert status(desk, application_id) == ("collected", number)
    [published] = desk.published(CARDS_CHANGED)
    assert published["numbers"] == [{"application_id": application_id, "card_no": number}]
    [step] = published["cards"]
    assert (step["version"], step["step"], step["status"], step["by_union"]) == (1, "collected", "collected", False)
    [receipt] = desk.receipts()
    counts = [receipt[name] for name in ("batch_no", "results", "applied", "repeated", "rejected")]
    assert counts == [None, 1, 1, 0, 0]


def test_the_same_feedback_on_cards_again_changes_nothing(desk: Desk) -> None:
    ((application_id, number),) = issued(desk).items()
    feedback = a_card_feedback({"card_no": number, "step": "collected"})
    desk.feed(feedback)
    desk.forget_published()

    desk.feed(a_message(feedback.body, feedback.headers))

    assert (desk.published(CARDS_CHANGED), card_of(desk, application_id).version) == ([], 1)
    [receipt] = desk.receipts()
    assert (receipt["seen_before"], receipt["repeated"]) == (True, 1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_reports_in_any_order_and_chunks_and_around_the_issue_lead_to_the_same_card(desk: Desk, data: Any) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    first, second = a_card_number(), a_card_number()
    issue = a_feedback(batch_no, {"application_id": application_id, "outcome": "issued", "card_no": first})
    said = [*(a_card_feedback(one) for one in life(application_id, first, second)), issue]
    again = data.draw(st.lists(st.sampled_from(said), max_size=4))
    order = data.draw(st.permutations([*said, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=3)))
    desk.forget_published()
    for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
        rejected = desk.feed(*(a_message(one.body, one.headers) for one in order[start:end]))
        assert set(rejected) <= {None}
    card = card_of(desk, application_id)
    assert (card.status, card.card_no, card.version) == ("active", second, 6)
    assert card.activated_at == datetime(2026, 11, 6, tzinfo=UTC)
    steps = [step for published in desk.published(CARDS_CHANGED) for step in published["cards"]]
    assert sorted(step["version"] for step in steps) == [1, 2, 3, 4, 5, 6]
    newest = max(steps, key=lambda step: step["version"])
    assert newest["status"] == "active"
    with desk.begin() as session:
        early = select(CardReport).where(CardReport.application_id == application_id, CardReport.version.is_(None))
        assert session.scalars(early).all() == []


def test_wrong_reports_are_rejected_line_by_line_and_the_others_applied(desk: Desk) -> None:
    (first, number), (_, other) = issued(desk, 2).items()
    desk.forget_published()
    lines: list[dict[str, Any]] = [
        {"card_no": number, "step": "collected"},
        {"card_no": a_card_number(), "step": "collected"},
        {"card_no": number[:-1] + str((int(number[-1]) + 1) % 10), "step": "collected"},
        {"card_no": number, "step": "replaced", "new_card_no": other},
        {"card_no": number, "step": "lost", "happened_at": "2090-01-01T00:00:00+08:00"},
        {"card_no": number, "step": "stolen"},
        {"application_id": uuid4(), "card_no": number, "step": "lost"},
    ]

    desk.feed(a_card_feedback(*lines))

    assert status(desk, first) == ("collected", number)
    [receipt] = desk.receipts()
    assert (receipt["applied"], receipt["rejected"]) == (1, 6)
    rejected = {line: (one["code"], one["field"]) for one in receipt["rejections"] for line in one["lines"]}
    assert rejected == {
        1: ("unknown_card", None),
        2: ("bad_schema", "card_no"),
        3: ("card_no_reused", None),
        4: ("in_the_future", "happened_at"),
        5: ("bad_schema", "step"),
        6: ("unknown_application", None),
    }
    [(part, headers)] = desk.rejected_parts()
    assert len(part["cards"]) == 6
    assert "cards.1: unknown_card" in headers["x-reason"]


def test_a_part_that_was_rejected_is_applied_when_it_is_replayed(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    number = a_card_number()
    feedback = a_card_feedback({"card_no": number, "step": "collected"})
    assert desk.feed(feedback) == ["cards.0: unknown_card"]
    desk.feed(a_feedback(batch_no, {"application_id": application_id, "outcome": "issued", "card_no": number}))
    assert desk.feed(a_message(feedback.body, feedback.headers)) == [None]
    assert status(desk, application_id) == ("collected", number)


def test_a_number_that_followed_another_cannot_be_issued_to_somebody_else(desk: Desk) -> None:
    ((_, number),) = issued(desk).items()
    taken = a_card_number()
    desk.feed(a_card_feedback({"card_no": number, "step": "replaced", "new_card_no": taken}))
    batch_no, [second] = desk.a_batch(1)
    result = {"application_id": second, "outcome": "issued", "card_no": taken}
    assert desk.feed(a_feedback(batch_no, result)) == ["results.0: card_no_reused"]


def test_two_processes_that_report_on_the_same_cards_at_once_apply_each_step_once(desk: Desk) -> None:
    numbers = issued(desk, 20)
    reports = [
        report for application_id, number in numbers.items() for report in life(application_id, number, a_card_number())
    ]
    with ThreadPoolExecutor(4) as pool:
        halves = [reports[start::2] for start in (0, 1, 1, 0)]
        list(pool.map(lambda part: desk.feed(a_card_feedback(*part)), halves))
    with desk.begin() as session:
        found = session.execute(select(Card.status, Card.version)).all()
    assert {tuple(row) for row in found} == {("active", 6)}
    steps = [step for published in desk.published(CARDS_CHANGED) for step in published["cards"]]
    assert len(steps) == len({(step["application_id"], step["version"]) for step in steps}) == 120


def test_a_member_has_one_card_that_is_not_closed(desk: Desk) -> None:
    first, second = issued(desk, 2)
    member_id = card_of(desk, first).member_id
    with pytest.raises(IntegrityError, match="uq_card_in_use_member_id"), desk.begin() as session:
        session.execute(update(Card).where(Card.application_id == second).values(member_id=member_id))
    desk.feed(a_card_feedback({"card_no": card_of(desk, first).card_no, "step": "closed"}))
    with desk.begin() as session:
        session.execute(update(Card).where(Card.application_id == second).values(member_id=member_id))


def test_a_feedback_on_cards_is_on_record_without_a_batch(desk: Desk) -> None:
    ((_, number),) = issued(desk).items()
    desk.feed(a_card_feedback({"card_no": number, "step": "collected"}))
    with desk.begin() as session:
        newest = session.scalars(select(BankFeedback).order_by(BankFeedback.id.desc())).first()
    assert newest is not None
    assert (newest.batch_no, newest.results, newest.applied) == (None, 1, 1)


def test_the_list_shows_the_longest_waiting_first_with_counts(desk: Desk) -> None:
    first, second, third = issued(desk, 3)
    now = datetime.now(UTC)
    with desk.begin() as session:
        for application_id, days in ((first, 3), (second, 40), (third, 50)):
            made_at = now - timedelta(days=days)
            session.execute(update(Card).where(Card.application_id == application_id).values(made_at=made_at))
    desk.feed(a_card_feedback({"card_no": card_of(desk, third).card_no, "step": "collected"}))

    shown = listed(desk, status="made")

    assert [one["application_id"] for one in shown["items"]] == [second, first]
    assert [one["waiting_days"] for one in shown["items"]] == [40, 3]
    assert [one["overdue"] for one in shown["items"]] == [True, False]
    assert (shown["counts"], shown["overdue_days"]) == ({"waiting": 2, "overdue": 1}, 22)
    assert all("*" in one["card_no"] for one in shown["items"])
    assert [one["application_id"] for one in listed(desk, overdue=True)["items"]] == [second]
    assert [one["application_id"] for one in listed(desk, status="made", overdue=False)["items"]] == [first]
    assert [one["application_id"] for one in listed(desk, sort="-made_at")["items"]] == [first, second, third]
    assert listed(desk)["total"] == 3
    assert (listed(desk, handed_out_by="outlet")["total"], listed(desk, handed_out_by="union")["total"]) == (3, 0)


@pytest.mark.parametrize("most", [1, 2000])
def test_cards_are_found_by_the_beginning_of_a_name_be_it_rare_or_common(
    desk: Desk, engine: Engine, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(cards, "_MOST_OF_A_RARE_NAME", most)
    first, second, third = issued(desk, 3)
    with desk.begin() as session:
        for application_id, name in ((first, "Wang Fang"), (second, "王芳"), (third, "王芳芳")):
            session.execute(update(Application).where(Application.application_id == application_id).values(name=name))
    above = replace(desk.clerk, union_id=str(desk.union["superior_ids"][0]), scope=Scope.SUBORDINATES)

    def named(name: str, caller: Caller) -> set[UUID]:
        with desk.begin() as session:
            return {
                one.application_id for one in cards.list_cards(Work(session, caller), ListCardsRequest(name=name)).items
            }

    for caller in (desk.clerk, above):
        found = {name: named(name, caller) for name in ("wang", "王芳", "芳", "%")}
        assert found == {"wang": {first}, "王芳": {second, third}, "芳": set(), "%": set()}


def test_a_rare_name_is_looked_up_before_the_cards_of_many_unions(desk: Desk, engine: Engine) -> None:
    issued(desk)
    above = replace(desk.clerk, union_id=str(desk.union["superior_ids"][0]), scope=Scope.SUBORDINATES)
    with desk.begin() as session, statements_on(engine) as sent:
        cards.list_cards(Work(session, above), ListCardsRequest(name="欧阳"))
    paged = [statement for statement, _ in sent if "JOIN branch" in statement]
    assert len(paged) == 2
    assert all("card.application_id = ANY" in statement for statement in paged)


@pytest.mark.parametrize("most", [0, 10_000])
def test_cards_are_found_by_the_end_of_a_batchs_number_be_they_few_or_many(
    desk: Desk, engine: Engine, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(cards, "_MOST_BATCHES", most)
    (application_id,) = issued(desk)
    issued(desk)
    with desk.begin() as session:
        batch_no = session.get_one(Application, application_id).batch_no or ""
    with statements_on(engine) as sent:
        assert [one["application_id"] for one in listed(desk, batch_no=batch_no[-4:])["items"]] == [application_id]
        assert [one["application_id"] for one in listed(desk, batch_no=batch_no)["items"]] == [application_id]
        assert listed(desk, batch_no="no such number")["items"] == []
    by_number = [statement for statement, _ in sent if "application.batch_no = ANY" in statement]
    assert len(by_number) == (2 if most == 0 else 6)


def test_cards_of_branches_that_do_not_exist_are_not_looked_for(desk: Desk, engine: Engine) -> None:
    issued(desk)
    with statements_on(engine) as sent:
        listed(desk, handed_out_by="union")
    paged = [statement for statement, _ in sent if "JOIN branch" in statement]
    assert len(paged) == 2
    assert all("WHERE false" in statement for statement in paged)


def test_a_superior_sees_the_cards_of_all_unions_below_and_others_see_none(desk: Desk) -> None:
    issued(desk, 2)
    above = replace(desk.clerk, union_id=str(desk.union["superior_ids"][0]), roles=frozenset({"administrator"}))
    stranger = replace(desk.clerk, union_id=str(uuid4()))
    with desk.begin() as session:
        seen = cards.list_cards(Work(session, replace(above, scope=Scope.SUBORDINATES)), ListCardsRequest())
        unseen = cards.list_cards(Work(session, replace(stranger, scope=Scope.OWN_UNION)), ListCardsRequest())
    assert (seen.total, [one.can_be_marked for one in seen.items], unseen.total) == (2, [False, False], 0)
    assert unseen.counts.waiting == 0


def test_a_superior_chooses_a_union_alone_or_with_those_below_and_none_beyond_the_scope(desk: Desk) -> None:
    issued(desk)
    above = UUID(str(desk.union["superior_ids"][0]))
    superior = replace(desk.clerk, union_id=str(above), roles=frozenset({"reviewer"}), scope=Scope.SUBORDINATES)

    def seen(caller: Caller = superior, **request: Any) -> int:
        with desk.begin() as session:
            found: int = cards.list_cards(Work(session, caller), ListCardsRequest(**request)).counts.waiting
        return found

    assert seen(with_subordinates=False) == 0
    assert (seen(union_id=above), seen(union_id=above, with_subordinates=True)) == (0, 1)
    assert (seen(union_id=desk.union_id), seen(union_id=uuid4(), with_subordinates=True)) == (1, 0)
    assert seen(desk.clerk, union_id=above, with_subordinates=True) == 1
    assert seen(replace(desk.clerk, union_id=str(uuid4())), union_id=desk.union_id) == 0


def test_cards_are_exported_with_masked_numbers(desk: Desk) -> None:
    ((_, number),) = issued(desk).items()
    with desk.begin() as session:
        file = cards.export_cards(desk.work(session), ExportCardsRequest(status="made"))
    rows = list(load_workbook(BytesIO(b64decode(file.content))).active.values)  # type: ignore[union-attr]
    assert rows[0] == cards.HEADINGS
    assert (len(rows), rows[1][5]) == (2, "已制卡")
    assert number.encode() not in zipfile.ZipFile(BytesIO(b64decode(file.content))).read("xl/worksheets/sheet1.xml")


def test_only_cards_that_the_union_hands_out_are_on_the_list_to_sign(desk: Desk) -> None:
    numbers = issued(desk, 2)
    with desk.begin() as session, pytest.raises(Conflict) as nothing:
        cards.get_collection_list(desk.work(session), CollectionListRequest())
    assert nothing.value.code == "nothing_to_collect"
    hand_out(desk)
    with desk.begin() as session:
        file = cards.get_collection_list(desk.work(session), CollectionListRequest())
    words = "".join(page.extract_text() for page in PdfReader(BytesIO(b64decode(file.content))).pages)
    assert "共 2 人" in words
    for application_id, number in numbers.items():
        assert desk.application(application_id).member_no in words
        assert number[-4:] in words
        assert number not in words


@pytest.fixture
def codes_on_paper(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLLECTION_CODES", "yes")
    read_settings.cache_clear()
    yield
    monkeypatch.undo()
    read_settings.cache_clear()


def codes_on(file: FileAnswer | RegisterAnswer) -> int:
    """How many codes for collection a PDF has."""
    return sum(len(page.images) for page in PdfReader(BytesIO(b64decode(file.content))).pages)


def test_paper_has_codes_only_if_that_is_set_and_the_union_hands_out_the_cards(
    desk: Desk, codes_on_paper: None
) -> None:
    batch_no, _ = desk.a_batch(3)
    assert codes_on(desk.print_register(batch_no, "pdf")) == 0
    hand_out(desk)
    assert codes_on(desk.print_register(batch_no, "pdf")) == 3
    issued(desk, 2)
    with desk.begin() as session:
        assert codes_on(cards.get_collection_list(desk.work(session), CollectionListRequest())) == 2
    assert listed(desk)["collection_codes"] is True


def test_paper_has_no_codes_unless_that_is_set(desk: Desk) -> None:
    hand_out(desk)
    batch_no, _ = desk.a_batch(1)
    assert codes_on(desk.print_register(batch_no, "pdf")) == 0
    assert listed(desk)["collection_codes"] is False


def scanned(desk: Desk, application_id: UUID) -> CardAnswer:
    with desk.begin() as session:
        return cards.get_card(desk.work(session), GetCardRequest(application_id=application_id))


def test_a_scanned_code_shows_the_card_of_the_own_union_and_no_other(desk: Desk) -> None:
    hand_out(desk)
    ((application_id, number),) = issued(desk).items()
    card = scanned(desk, application_id)
    assert (card.application_id, card.status, card.can_be_marked) == (application_id, "made", True)
    assert number not in str(card)

    for stranger, unknown in ((Desk(desk.engine, a_union()), application_id), (desk, uuid4())):
        with pytest.raises(NotFound):
            scanned(stranger, unknown)


def test_a_scanned_code_says_where_no_card_is_made_yet(desk: Desk) -> None:
    _, (application_id,) = desk.a_batch(1)
    with pytest.raises(Conflict) as not_made:
        scanned(desk, application_id)
    assert not_made.value.code == "card_not_made"


def test_a_scanned_code_promises_no_card_to_whom_the_bank_refused(desk: Desk) -> None:
    batch_no, (application_id,) = desk.a_batch(1)
    refused = {"application_id": application_id, "outcome": "refused", "reason_code": "name_mismatch"}
    assert desk.feed(a_feedback(batch_no, refused)) == [None]
    with pytest.raises(NotFound):
        scanned(desk, application_id)


def test_a_clerk_marks_cards_as_collected_and_the_banks_word_is_a_repetition(desk: Desk) -> None:
    (first, number), (second, _) = issued(desk, 2).items()
    with pytest.raises(Conflict) as none:
        mark(desk, first)
    assert none.value.code == "none_markable"
    hand_out(desk)
    desk.forget_published()

    assert mark(desk, first, uuid4()) == (1, 1)

    card = card_of(desk, first)
    assert (card.status, str(card.collected_by)) == ("collected", desk.clerk.account_id)
    [published] = desk.published(CARDS_CHANGED)
    assert published["cards"][0]["by_union"] is True
    desk.feed(a_card_feedback({"card_no": number, "step": "collected"}))
    assert [one["repeated"] for one in desk.receipts()] == [1]
    assert listed(desk, status="made")["items"][0]["application_id"] == second


def test_a_card_is_not_marked_in_the_future_nor_in_another_union(desk: Desk) -> None:
    ((application_id, _),) = issued(desk).items()
    hand_out(desk)
    with pytest.raises(Invalid):
        mark(desk, application_id, collected_on=datetime.now(UTC).date() + timedelta(days=2))
    other = Desk(desk.engine, a_union())
    with pytest.raises(Conflict):
        mark(other, application_id)
    assert card_of(desk, application_id).status == "made"


def test_a_member_whose_card_waits_too_long_is_reminded_once_in_the_day(desk: Desk) -> None:
    overdue, recent = issued(desk, 2)
    age(desk, overdue, 40)
    age(desk, recent, 29)

    assert remind(desk, NOON + timedelta(hours=10)) == 0
    assert remind(desk) == 1
    assert remind(desk) == 0

    [published] = desk.published(COLLECTION_REMINDED)
    assert [one["application_id"] for one in published["reminders"]] == [overdue]
    [member] = published["members"]
    assert (member["phone"], member["outlet_name"]) == ("13800000001", "工商银行国华支行")
    shown = {one["application_id"]: one["reminded_at"] for one in listed(desk)["items"]}
    assert (shown[overdue], shown[recent]) == (NOON, None)


def test_a_member_without_a_mobile_number_is_shown_as_not_reminded(desk: Desk) -> None:
    application_ids = desk.queue(an_applicant(phone=None))
    desk.check()
    desk.validate(dict.fromkeys(application_ids, "passed"))
    batch_no = str(desk.submit()["batch_no"])
    [application_id] = application_ids
    desk.feed(a_feedback(batch_no, {"application_id": application_id, "outcome": "issued", "card_no": a_card_number()}))
    age(desk, application_id, 60)
    assert (remind(desk), desk.published(COLLECTION_REMINDED)) == (1, [])
    [shown] = listed(desk)["items"]
    assert (shown["unreachable"], shown["reminded_at"]) == (True, None)


def test_cards_that_an_earlier_release_issued_are_carried_over(database: DatabaseFactory) -> None:
    """Those from before the migration, from within it, and those that its processes issue beside the new ones."""
    url = database("batching")
    engine = create_engine(url)
    desk = Desk(engine)
    with desk.begin() as session:
        seed(session)
    batch_no, [before, meanwhile, after] = desk.a_batch(3)
    _downgrade(url, _revision("0016").down_revision)
    _issue_as_before(engine, before)
    with create_engine(url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _revision("0016").module.prepare(connection)
    _issue_as_before(engine, meanwhile)
    migrate.upgrade("batching", url)
    _issue_as_before(engine, after)
    with desk.begin() as session:
        found = session.scalars(select(Card)).all()
        assert {card.application_id for card in found} == {before, meanwhile, after}
        for card in found:
            application = session.get_one(Application, card.application_id)
            assert (card.status, card.card_no, card.made_at) == ("made", application.card_no, application.decided_at)
            assert (card.union_id, card.superior_ids) == (desk.union_id, desk.union["superior_ids"])
    number = str(desk.application(after).card_no)
    assert desk.feed(a_card_feedback({"card_no": number, "step": "collected"})) == [None]
    assert desk.show_batch(batch_no)["batch_no"] == batch_no
    engine.dispose()


def _revision(number: str) -> Any:
    return ScriptDirectory.from_config(migrate._configuration("batching")).get_revision(number)


def _downgrade(url: str, revision: str) -> None:
    config = migrate._configuration("batching")
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def _issue_as_before(engine: Engine, application_id: UUID) -> None:
    """By the statement of a release that knows no cards."""
    with Session(engine) as session, session.begin():
        number = a_card_number()
        session.execute(
            update(Application)
            .where(Application.application_id == application_id)
            .values(
                state="issued",
                bank_outcome="issued",
                card_no=number,
                card_digest=card_digest(number),
                decided_at=datetime.now(UTC),
            )
        )

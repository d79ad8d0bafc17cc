"""Unions that move in the tree, in batching and revocation: what belongs to them follows, in whatever order."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from services.batching import places
from services.batching.models import Application, Batch, Card, ListedUnion
from services.batching.pending import listing
from services.contracts.events.batching import BATCH_SUBMITTED, UNIONS_MOVED, UnionsMovedData
from services.contracts.events.membership import MEMBERS_QUEUED, UNIONS_CHANGED
from services.contracts.examples import wire_example
from services.contracts.operations.revocation import RequestRevocation
from services.kit.data.database import outbox
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.revocation import batches, requests
from services.revocation import places as revocation_places
from services.revocation.models import Revocation
from tests.databases import DatabaseFactory
from tests.documents import an_event
from tests.integration.batching.desk import Desk, a_feedback, fresh
from tests.mothers import a_card_number, a_queueing, a_union_code, an_applicant
from tests.two_transactions import at_once


@pytest.fixture(scope="module")
def engine(module_database: Callable[[str], str]) -> Iterator[Engine]:
    made = create_engine(module_database("batching"))
    yield made
    made.dispose()


@pytest.fixture
def desk(engine: Engine) -> Desk:
    with engine.begin() as connection:
        connection.execute(text("truncate known_union"))
    return fresh(engine)


@pytest.fixture
def revocation(database: DatabaseFactory) -> Iterator[Session]:
    engine = create_engine(database("revocation").replace("postgresql://", "postgresql+psycopg://"))
    with Session(engine) as session:
        yield session
    engine.dispose()


def moved(union: dict[str, Any], above: list[UUID], at: datetime | None = None) -> Any:
    """The event of a union's move below the last of these."""
    changed = {**union, "superior_union_id": above[-1], "superior_ids": above, "kind": "grassroots"}
    event = an_event(UNIONS_CHANGED.read(UNIONS_CHANGED.dump({"unions": [changed]})))
    return replace(event, time=at) if at else event


def merged(union: dict[str, Any], successor: dict[str, Any]) -> Any:
    """The event of a union's merger into another one."""
    ended = {**union, "kind": "grassroots", "successor_union_id": successor["union_id"], "ended_at": datetime.now(UTC)}
    unions = [{**successor, "kind": "grassroots"}, ended]
    return an_event(UNIONS_CHANGED.read(UNIONS_CHANGED.dump({"unions": unions})))


def a_successor() -> dict[str, Any]:
    city, district = uuid4(), uuid4()
    return {
        "union_id": uuid4(),
        "code": a_union_code(77),
        "name": "并入的工会",
        "superior_union_id": district,
        "superior_ids": [city, district],
    }


def move(desk: Desk, above: list[UUID], at: datetime | None = None) -> None:
    """Batching hears that the desk's union moved, and has all follow."""
    hear(desk, moved(desk.union, above, at))


def hear(desk: Desk, event: Any) -> int:
    """Batching hears of changed unions, and has all follow; returns in how many parts."""
    before = len(desk.published(UNIONS_MOVED))
    with desk.begin() as session:
        places.unions_changed(session, event)
    handled = before
    while handled < len(published := desk.published(UNIONS_MOVED)):
        with desk.begin() as session:
            places.unions_moved(session, an_event(UnionsMovedData(union_ids=published[handled]["union_ids"])))
        handled += 1
    return handled - before


def superiors(desk: Desk) -> list[Any]:
    """The unions above by all batches, cards, and the pending list."""
    with desk.begin() as session:
        of = (Batch, Card, ListedUnion)
        found = [session.scalars(select(one.superior_ids).where(one.union_id == desk.union_id)).all() for one in of]
    return [above for rows in found for above in rows]


def issue(desk: Desk, batch_no: str, application_id: UUID) -> None:
    desk.feed(a_feedback(batch_no, {"application_id": application_id, "outcome": "issued", "card_no": a_card_number()}))


def test_batches_cards_and_the_list_follow_the_union(desk: Desk) -> None:
    batch_no, [first, _] = desk.a_batch(2)
    issue(desk, batch_no, first)
    above = [uuid4(), uuid4()]
    move(desk, above)
    assert superiors(desk) == [above, above, above]
    assert desk.batch(batch_no).superior_union_id == above[-1]


def test_what_is_made_after_the_move_has_the_new_place_whatever_its_maker_knew(desk: Desk) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    above = [uuid4(), uuid4()]
    move(desk, above)
    second, _ = desk.a_batch(1)
    issue(desk, batch_no, application_id)
    assert desk.batch(second).superior_ids == above
    assert superiors(desk) == [above] * 4


def test_of_two_moves_the_newer_counts_in_whatever_order_they_come(desk: Desk) -> None:
    batch_no, _ = desk.a_batch(1)
    older, newer, now = [uuid4(), uuid4()], [uuid4(), uuid4()], datetime.now(UTC)
    move(desk, newer, now)
    move(desk, older, now - timedelta(seconds=1))
    assert desk.batch(batch_no).superior_ids == newer


@pytest.mark.parametrize("first", ["the move", "the queueing"])
def test_a_list_that_begins_while_the_union_moves_is_seen_by_the_new_superiors(desk: Desk, first: str) -> None:
    above = [uuid4(), uuid4()]
    queueing = a_queueing(an_applicant(), union=desk.union)

    def learn(session: Session) -> None:
        places.unions_changed(session, moved(desk.union, above))

    def queue(session: Session) -> None:
        listing.members_queued(session, an_event(MEMBERS_QUEUED.read(MEMBERS_QUEUED.dump(queueing))))

    at_once(desk.begin, *((learn, queue) if first == "the move" else (queue, learn)))
    move(desk, above)
    assert superiors(desk) == [above]


def test_much_follows_in_parts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ROWS_AT_ONCE", 2)
    batch_nos = [desk.a_batch(1)[0] for _ in range(5)]
    above = [uuid4(), uuid4()]
    assert hear(desk, moved(desk.union, above)) == 3
    assert {tuple(desk.batch(batch_no).superior_ids) for batch_no in batch_nos} == {tuple(above)}


def test_all_that_was_a_merged_unions_is_the_successors(desk: Desk) -> None:
    batch_no, [first, _] = desk.a_batch(2)
    issue(desk, batch_no, first)
    desk.queue(an_applicant())
    successor = a_successor()
    hear(desk, merged(desk.union, successor))
    with desk.begin() as session:
        for model in (Application, Batch, Card, ListedUnion):
            assert set(session.scalars(select(model.union_id))) == {successor["union_id"]}
        for model in (Batch, Card, ListedUnion):
            assert set(map(tuple, session.scalars(select(model.superior_ids)))) == {tuple(successor["superior_ids"])}
        card = session.scalars(select(Card)).one()
        assert card.union_name == "并入的工会"
    batch = desk.batch(batch_no)
    assert (batch.superior_union_id, batch.union_code) == (successor["superior_union_id"], desk.union["code"])


def test_late_news_of_a_merged_union_is_the_successors(desk: Desk) -> None:
    successor = a_successor()
    [waiting] = desk.queue(an_applicant())
    hear(desk, merged(desk.union, successor))
    desk.queue(an_applicant())
    desk.cancel(waiting)
    with desk.begin() as session:
        assert set(session.scalars(select(Application.union_id))) == {successor["union_id"]}
        assert session.get_one(Application, waiting).state == "removed"


def test_requests_of_a_merged_union_go_to_the_successors_superior(revocation: Session) -> None:
    submitted = BATCH_SUBMITTED.read(wire_example(BATCH_SUBMITTED))
    request_of(revocation, submitted)
    successor = a_successor()
    revocation_places.unions_changed(revocation, merged(vars(submitted.union), successor))
    asked = revocation.scalars(select(Revocation)).one()
    assert (asked.union_id, asked.reviewer_union_id) == (successor["union_id"], successor["superior_union_id"])
    kept = revocation.get_one(batches.Batch, submitted.batch_no)
    assert (kept.union_id, kept.superior_ids) == (successor["union_id"], successor["superior_ids"])


def test_the_successor_of_a_merged_superior_decides(revocation: Session) -> None:
    submitted = BATCH_SUBMITTED.read(wire_example(BATCH_SUBMITTED))
    request_of(revocation, submitted)
    superior = {**a_successor(), "union_id": submitted.union.superior_union_id}
    successor = a_successor()
    revocation_places.unions_changed(revocation, merged(superior, successor))
    assert revocation.scalars(select(Revocation.reviewer_union_id)).one() == successor["union_id"]


def request_of(revocation: Session, submitted: Any) -> None:
    """Revocation knows a batch, whose union asks for its revocation."""
    batches.batch_submitted(revocation, an_event(submitted))
    clerk = Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(submitted.union.union_id))
    request = RequestRevocation(
        batch_no=submitted.batch_no,
        applicant_name="王芳",
        applicant_phone="13800000000",
        reason_code="information",
        reason="填错",
    )
    requests.request_revocation(Work(revocation, clerk), request)


def test_an_open_request_goes_to_the_new_superior_and_both_are_told(revocation: Session) -> None:
    submitted = BATCH_SUBMITTED.read(wire_example(BATCH_SUBMITTED))
    request_of(revocation, submitted)
    above = [uuid4(), uuid4()]
    for _ in range(2):
        revocation_places.unions_changed(revocation, moved(vars(submitted.union), above))
    asked = revocation.scalars(select(Revocation)).one()
    assert asked.reviewer_union_id == above[-1]
    told = [
        json.loads(body)["data"]
        for body in revocation.scalars(select(outbox.c.body).order_by(outbox.c.id))
        if b"former_reviewer_union_ids" in body
    ]
    former = [one["former_reviewer_union_ids"] for one in told]
    assert former == [[], [str(submitted.union.superior_union_id)]]


def test_a_batch_that_becomes_known_after_the_move_has_the_new_place(revocation: Session) -> None:
    submitted = BATCH_SUBMITTED.read(wire_example(BATCH_SUBMITTED))
    above = [uuid4(), uuid4()]
    revocation_places.unions_changed(revocation, moved(vars(submitted.union), above))
    batches.batch_submitted(revocation, an_event(submitted))
    kept = revocation.get_one(batches.Batch, submitted.batch_no)
    assert (kept.superior_union_id, kept.superior_ids) == (above[-1], above)

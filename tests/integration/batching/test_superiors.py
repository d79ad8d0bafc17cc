"""What unions above see of pending lists and batches: only those below, and figures that agree with their lists."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.batching.batches import batches, summary
from services.batching.pending import pending
from services.contracts.operations import batching as rpc
from services.kit.problems import NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import as_dict
from tests.integration.batching.desk import Desk, a_feedback, fresh
from tests.mothers import a_card_number, a_union, an_applicant
from tests.statements import statements_on

CITY, DISTRICT, STREET = (uuid4() for _ in range(3))


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """A company below a street below a district below the city."""
    fresh(engine)
    return Desk(engine, a_union(superior_union_id=STREET, superior_ids=[CITY, DISTRICT, STREET]))


@pytest.fixture
def neighbour(desk: Desk) -> Desk:
    """A company directly below the same district."""
    return Desk(desk.engine, a_union(name="邻居公司工会", superior_union_id=DISTRICT, superior_ids=[CITY, DISTRICT]))


def a_reviewer(union_id: UUID) -> Caller:
    return Caller(
        account_id=str(uuid4()), roles=frozenset({"reviewer"}), union_id=str(union_id), scope=Scope.SUBORDINATES
    )


def show(desk: Desk, caller: Caller, **request: Any) -> dict[str, Any]:
    with desk.begin() as session:
        answer: dict[str, Any] = as_dict(pending.list_pending(work(desk, session, caller), read(request)))
    return answer


def read(request: dict[str, Any]) -> rpc.ListPendingRequest:
    return rpc.ListPendingRequest(**request)


def work(desk: Desk, session: Session, caller: Caller) -> Work:
    return Work(session, caller, desk.database)


def listed_batches(desk: Desk, caller: Caller, **request: Any) -> list[dict[str, Any]]:
    with desk.begin() as session:
        answer = batches.list_batches(work(desk, session, caller), rpc.ListBatchesRequest(size=200, **request))
    found: list[dict[str, Any]] = as_dict(answer.items)
    return found


def counts(desk: Desk, caller: Caller, **request: Any) -> dict[str, Any]:
    with desk.begin() as session:
        answer = summary.summarise(work(desk, session, caller), rpc.BatchSummaryRequest(**request))
    counted: dict[str, Any] = as_dict(answer)
    return counted


def test_unions_above_read_the_pending_lists_below_masked_and_with_the_union(desk: Desk, neighbour: Desk) -> None:
    desk.queue(an_applicant(name="韩梅"))
    neighbour.queue(an_applicant(name="李雷"), an_applicant(name="王䶮"))
    answer = show(desk, a_reviewer(DISTRICT), with_subordinates=True)
    assert {(item["name"], item["union_name"]) for item in answer["items"]} == {
        ("韩梅", desk.union["name"]),
        ("李雷", "邻居公司工会"),
    }
    assert all("*" in item["document_number"] for item in answer["items"])
    assert (answer["counts"]["ordinary"]["total"], answer["counts"]["special"]["total"]) == (2, 1)


def test_one_union_or_a_part_of_the_tree_is_chosen(desk: Desk, neighbour: Desk) -> None:
    desk.queue(an_applicant(name="韩梅"))
    neighbour.queue(an_applicant(name="李雷"))
    district = a_reviewer(DISTRICT)
    of_the_street = show(desk, district, union_id=STREET, with_subordinates=True)
    assert [item["name"] for item in of_the_street["items"]] == ["韩梅"]
    assert of_the_street["counts"]["ordinary"]["total"] == 1
    assert show(desk, district, union_id=STREET)["total"] == 0
    assert [item["name"] for item in show(desk, district, union_id=neighbour.union_id)["items"]] == ["李雷"]


def test_no_pending_list_is_read_from_beside_or_by_a_clerk_from_above(desk: Desk) -> None:
    desk.queue()
    stranger = a_reviewer(uuid4())
    for request in ({"with_subordinates": True}, {"union_id": desk.union_id}, {"union_id": CITY}):
        assert show(desk, stranger, **request)["total"] == 0
    assert show(desk, stranger, union_id=CITY, with_subordinates=True)["total"] == 0
    clerk = Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(STREET))
    with pytest.raises(NotFound):
        show(desk, clerk, with_subordinates=True)
    with pytest.raises(NotFound):
        show(desk, clerk, union_id=desk.union_id)


def test_a_union_is_shown_by_the_name_of_its_newest_queueing(desk: Desk) -> None:
    now = datetime.now(UTC)
    desk.queue(queued_at=now)
    renamed = Desk(desk.engine, {**desk.union, "name": "新名称工会"})
    renamed.queue(queued_at=now + timedelta(seconds=1))
    desk.queue(queued_at=now - timedelta(days=1))
    items = show(desk, a_reviewer(CITY), with_subordinates=True)["items"]
    assert {item["union_name"] for item in items} == {"新名称工会"}


def test_batches_are_listed_of_one_union_or_with_all_below(desk: Desk, neighbour: Desk) -> None:
    (one, _), (other, _) = desk.a_batch(1), neighbour.a_batch(1)
    city = a_reviewer(CITY)
    assert _numbers(listed_batches(desk, city)) == {one, other}
    assert _numbers(listed_batches(desk, city, union_id=DISTRICT)) == set()
    assert _numbers(listed_batches(desk, city, union_id=DISTRICT, with_subordinates=True)) == {one, other}
    assert _numbers(listed_batches(desk, city, union_id=STREET, with_subordinates=True)) == {one}
    assert _numbers(listed_batches(desk, city, with_subordinates=False)) == set()
    assert listed_batches(desk, a_reviewer(uuid4()), union_id=STREET, with_subordinates=True) == []


def test_every_figure_of_batches_counts_what_its_list_shows(desk: Desk, neighbour: Desk) -> None:
    batch_no, (issued, refused, _) = desk.a_batch(3)
    neighbour.a_batch(2)
    decided = [
        {"application_id": issued, "outcome": "issued", "card_no": a_card_number()},
        {"application_id": refused, "outcome": "refused", "reason_code": "name_mismatch", "reason": "姓名与证件不符"},
    ]
    assert desk.feed(a_feedback(batch_no, *decided)) == [None]
    city = a_reviewer(CITY)
    for union_id in (CITY, DISTRICT, STREET, desk.union_id):
        of = {"union_id": union_id}
        figures = counts(desk, city, **of)
        awaiting = listed_batches(desk, city, **of, with_subordinates=True, outcome="awaiting")
        assert figures["awaiting_batches"] == len(awaiting)
        assert figures["awaiting_bank"] == sum(_undecided(batch) for batch in awaiting) > 0
        for below in figures["by_union"]:
            of_below = {"union_id": below["union_id"], "with_subordinates": True}
            assert below["batches"] == len(listed_batches(desk, city, **of_below))
            refusals = listed_batches(desk, city, **of_below, outcome="refused")
            assert below["refused"] == sum(batch["refused"] for batch in refusals)
    [street] = [one for one in counts(desk, city, union_id=DISTRICT)["by_union"] if one["union_id"] == STREET]
    assert (street["batches"], street["refused"]) == (1, 1)


def _numbers(found: list[dict[str, Any]]) -> set[str]:
    return {batch["batch_no"] for batch in found}


def _undecided(batch: dict[str, Any]) -> int:
    return int(batch["total"] - batch["issued"] - batch["refused"] - batch["released"])


def test_reasons_of_refusals_are_counted_in_an_index_and_days_found_by_one(desk: Desk, engine: Engine) -> None:
    with statements_on(engine) as sent, desk.begin() as session:
        summary.summarise(work(desk, session, a_reviewer(CITY)), rpc.BatchSummaryRequest())
    by_day, by_reason = (
        next(one for one in sent if words in one[0]) for words in ("timezone(", "application.reason_code")
    )
    assert "batch.submitted_at >= " in by_day[0]
    with engine.begin() as connection:
        for other in ("seqscan", "bitmapscan"):
            connection.exec_driver_sql(f"set local enable_{other} = off")
        plan = connection.exec_driver_sql(f"explain {by_reason[0]}", by_reason[1]).scalars().all()
    assert "Index Only Scan using ix_application_refused_reason" in "".join(plan)

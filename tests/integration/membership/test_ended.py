"""Members whom the bank refused or whose batch was revoked are seen as such, and are queued again by one act."""

from base64 import b64decode
from io import BytesIO
from typing import Any
from uuid import UUID

from openpyxl import load_workbook

from services.contracts.events.batching import BATCH_RELEASED, BATCH_SUBMITTED, CARDS_REFUSED, MEMBERS_REMOVED
from services.contracts.operations.membership import members as rpc
from services.membership.members import exports, member_search
from tests.integration.membership.office import BATCH_NO, Office, a_caller
from tests.statements import statements_on

ANOTHER_BATCH = "cbc810000001202603010002"


def refused(office: Office, batch_no: str = BATCH_NO) -> tuple[UUID, UUID]:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1), batch_no=batch_no)
    office.deliver(CARDS_REFUSED, (application_id, 2), batch_no=batch_no)
    return member_id, application_id


def released(office: Office, batch_no: str = BATCH_NO) -> UUID:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1), batch_no=batch_no)
    office.deliver(BATCH_RELEASED, (application_id, 2), batch_no=batch_no)
    return member_id


def found(office: Office, **request: Any) -> set[UUID]:
    return {item["member_id"] for item in office.listed(**request)["items"]}


def test_a_refused_and_a_released_member_are_marked_with_the_reason_and_found_by_it(office: Office) -> None:
    (back, _), free = refused(office), released(office)
    (new,) = office.numbered()
    items = {item["member_id"]: item["ended"] for item in office.listed()["items"]}
    assert (items[back]["state"], items[back]["reason"], items[back]["batch_no"]) == ("refused", "照片不清", BATCH_NO)
    assert (items[free]["state"], items[free]["reason"]) == ("released", "批次已撤销")
    assert items[new] is None
    assert office.member(back)["ended"]["state"] == "refused"
    assert (found(office, last_outcome="refused"), found(office, last_outcome="released")) == ({back}, {free})


def test_all_who_were_refused_are_queued_again_by_one_act_and_then_no_longer_marked(office: Office) -> None:
    (first, _), (second, _), free = refused(office), refused(office), released(office)
    assert office.queue_all(last_outcome="refused")["queued"] == 2
    assert found(office, last_outcome="refused") == set()
    assert office.member(first)["ended"] is None
    assert (office.member(second)["card_state"], office.member(free)["card_state"]) == ("pending", "none")


def test_those_of_one_batch_are_queued_again_by_one_act(office: Office) -> None:
    (back, _), free, (other, _) = refused(office), released(office), refused(office, ANOTHER_BATCH)
    assert found(office, last_batch_no=BATCH_NO) == {back, free}
    assert office.queue_all(last_batch_no=BATCH_NO)["queued"] == 2
    assert office.member(other)["ended"]["batch_no"] == ANOTHER_BATCH


def test_a_member_who_was_queued_again_and_removed_is_marked_no_more(office: Office) -> None:
    back, _ = refused(office)
    office.queue(back)
    office.deliver(MEMBERS_REMOVED, (office.newest_application(back), 1))
    assert (office.member(back)["card_state"], office.member(back)["ended"]) == ("none", None)
    assert found(office, last_outcome="refused") == set()


def of_the_city(office: Office, **asked: Any) -> list[UUID]:
    with office.begin() as session:
        work = office.work(session, a_caller(office.city, "reviewer"))
        request = rpc.ListMembersRequest(with_subordinates=True, **asked)
        return [one.member_id for one in member_search.list_members(work, request).items]


def test_superiors_find_them_in_all_unions_below(office: Office) -> None:
    (back, _), free, (other, _) = refused(office), released(office), refused(office, ANOTHER_BATCH)
    office.queue(other)
    office.numbered()
    assert of_the_city(office, last_outcome="refused") == [back]
    assert of_the_city(office, last_outcome="released") == [free]
    assert of_the_city(office, last_batch_no=BATCH_NO) == [free, back]
    name = office.member(back)["name"]
    assert back in of_the_city(office, last_outcome="refused", name=name)


def test_a_search_by_name_in_many_unions_collects_not_all_that_ended(office: Office) -> None:
    refused(office)
    with statements_on(office.engine) as sent:
        assert of_the_city(office, last_outcome="refused", name="欧阳") == []
    assert [statement for statement, _ in sent if "UNION ALL" in statement] == []


def test_the_export_says_why(office: Office) -> None:
    refused(office)
    with office.begin() as session:
        file = exports.export_members(office.work(session), rpc.ExportMembersRequest())
    sheet = load_workbook(BytesIO(b64decode(file.content))).active
    assert sheet is not None
    assert [row[-1] for row in sheet.iter_rows(values_only=True)] == ["退回或释放原因", "银行退回：照片不清"]


def test_the_marks_of_a_page_cost_one_query_whatever_its_size(office: Office) -> None:
    def queries() -> int:
        with statements_on(office.engine) as sent:
            office.listed()
        return len(sent)

    refused(office)
    few = queries()
    for _ in range(4):
        refused(office)
    assert queries() == few

"""Members who leave or retire stay on record, are not queued any more, and can come back or move without consent."""

from uuid import UUID

import pytest

from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_ISSUED
from services.contracts.events.membership import TRANSFER_REQUESTED
from services.contracts.operations.membership import members as rpc
from services.contracts.operations.membership.transfers import RequestTransferRequest
from services.kit.problems import Conflict, NotFound
from services.kit.schemas import as_dict
from services.membership.members import leaving, transfers
from tests.integration.membership.office import Office, an_account
from tests.mothers import a_member_form


def leave(office: Office, member_id: UUID, because: str = "left") -> None:
    with office.begin() as session:
        leaving.end_membership(office.work(session), rpc.EndMembershipRequest(member_id=member_id, because=because))


def test_who_has_left_is_marked_and_neither_ticked_nor_queued_with_all_others(office: Office) -> None:
    gone, staying = office.numbered(2)
    leave(office, gone, "retired")
    member = office.member(gone)
    assert (member["left_because"], member["reason"]["code"]) == ("retired", "left")
    assert [item["member_id"] for item in office.listed(has_left=True)["items"]] == [gone]
    with pytest.raises(Conflict, match="none_selectable"):
        office.queue(gone)
    assert office.queue_all()["queued"] == 1
    assert office.member(staying)["card_state"] == "pending"


def test_a_member_who_applies_for_a_card_or_has_left_does_not_leave(office: Office) -> None:
    member_id, _ = office.queued()
    with pytest.raises(Conflict, match="application_live"):
        leave(office, member_id)
    (gone,) = office.numbered()
    leave(office, gone)
    with pytest.raises(Conflict, match="has_left"):
        leave(office, gone)


def test_who_has_left_keeps_number_and_card_and_can_come_back(office: Office) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    before = office.kept(member_id, "member_no", "card_no")
    leave(office, member_id)
    assert office.kept(member_id, "member_no", "card_no") == before
    with office.begin() as session:
        leaving.resume_membership(office.work(session), rpc.GetMemberRequest(member_id=member_id))
    assert office.member(member_id)["left_at"] is None
    with office.begin() as session, pytest.raises(Conflict, match="has_not_left"):
        leaving.resume_membership(office.work(session), rpc.GetMemberRequest(member_id=member_id))


def test_another_union_ends_no_membership(office: Office) -> None:
    (member_id,) = office.numbered()
    other = an_account(office, office.other, "clerk")
    request = rpc.EndMembershipRequest(member_id=member_id, because="left")
    with office.begin() as session, pytest.raises(NotFound):
        leaving.end_membership(office.work(session, other), request)


def test_who_has_left_moves_to_another_union_at_once(office: Office) -> None:
    form = a_member_form(name="李静")
    (member_id,) = office.numbered(**form)
    leave(office, member_id)
    asked = {name: form[name] for name in ("name", "document_type", "document_number")}
    with office.begin() as session:
        newcomer = an_account(office, office.other, "clerk")
        work = office.work(session, newcomer)
        transfer = as_dict(transfers.request_transfer(work, RequestTransferRequest(**asked)))
    assert (transfer["state"], transfer["is_automatic"]) == ("accepted", True)
    assert office.published(TRANSFER_REQUESTED) == []
    assert office.kept(member_id, "union_id", "left_at") == (office.other.union_id, None)

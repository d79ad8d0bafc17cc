"""Mergers of unions: all that was a union's own is the successor's."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from services.contracts.events.membership import (
    SESSIONS_ENDED,
    UNION_CHANGE_NOTED,
    UNION_MERGED,
    UNIONS_CHANGED,
    UnionMergedData,
)
from services.contracts.operations.membership.identity import Visit
from services.contracts.operations.membership.transfers import RequestTransferRequest
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.membership.identity import sessions
from services.membership.members import transfers
from services.membership.models import (
    Account,
    Application,
    ApplicationHistory,
    Delegation,
    ImportJob,
    Member,
    Transfer,
    Union,
)
from services.membership.union_changes import merging, requests
from services.membership.unions import add_union
from tests.documents import an_event
from tests.integration.membership.office import Office, a_transfer, an_account
from tests.integration.membership.test_union_changes import asked, asker, done, named, refused, second, superiors
from tests.mothers import a_union_code

__all__ = ["asker", "second"]


@pytest.fixture
def successor(office: Office) -> Union:
    """Another grassroots union, of another district."""
    with office.begin() as session:
        return add_union(session, "并入的工会", a_union_code(20), "grassroots", office.other)


def merge(office: Office, asker: Caller, second: Caller, union: Union, successor: Union) -> dict[str, Any]:
    change = asked(office, asker, union, successor, kind="merge")
    answer = done(office, requests.confirm_union_change, second, change_id=change["change_id"])
    follow(office)
    return answer


def follow(office: Office) -> int:
    """Has membership handle its own events of mergers until no more come; returns how many there were."""
    handled = 0
    while handled < len(published := office.published(UNION_MERGED)):
        with office.begin() as session:
            merging.union_merged(session, an_event(UnionMergedData(union_id=published[handled]["union_id"])))
        handled += 1
    return handled


def unions_of(office: Office, column: Any) -> set[UUID]:
    with office.begin() as session:
        return set(session.scalars(select(column)))


def test_members_applications_and_accounts_become_the_successors(
    office: Office, asker: Caller, second: Caller, successor: Union
) -> None:
    office.queued()
    clerk = an_account(office, office.union, "clerk")
    with office.begin() as session:
        account = session.get_one(Account, UUID(clerk.account_id))
        sessions.start(session, account, Caller(origin="203.0.113.7"), Visit(user_agent=None, replaces=None))
    answer = merge(office, asker, second, office.union, successor)
    assert (answer["state"], answer["target_union_name"]) == ("done", "并入的工会")
    for column in (Member.union_id, Application.union_id, ApplicationHistory.union_id):
        assert unions_of(office, column) == {successor.union_id}
    with office.begin() as session:
        assert session.get_one(Account, UUID(clerk.account_id)).union_id == successor.union_id
        merged = session.get_one(Union, office.union.union_id)
        assert (merged.successor_union_id, merged.ended_at is None) == (successor.union_id, False)
    assert [one["because"] for one in office.published(SESSIONS_ENDED)] == ["roles_changed"]
    noted = office.published(UNION_CHANGE_NOTED)[-1]
    assert UUID(clerk.account_id) in noted["moved_account_ids"]


def test_the_successor_is_published_with_the_merged_union(
    office: Office, asker: Caller, second: Caller, successor: Union
) -> None:
    merge(office, asker, second, office.union, successor)
    [*_, last] = office.published(UNIONS_CHANGED)
    assert [(one["union_id"], one["successor_union_id"]) for one in last["unions"]] == [
        (successor.union_id, None),
        (office.union.union_id, successor.union_id),
    ]


def test_many_members_move_in_parts(
    office: Office, asker: Caller, second: Caller, successor: Union, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "AT_ONCE", 2)
    office.numbered(5)
    merge(office, asker, second, office.union, successor)
    assert unions_of(office, Member.union_id) == {successor.union_id}
    assert len(office.published(UNION_MERGED)) == 4


def test_subordinates_of_a_merged_union_are_the_successors(office: Office, asker: Caller, second: Caller) -> None:
    merge(office, asker, second, office.superior, office.other)
    assert superiors(office, office.union) == [office.city.union_id, office.other.union_id]
    with office.begin() as session:
        assert session.get_one(Union, office.union.union_id).superior_union_id == office.other.union_id


def test_a_union_that_was_merged_into_a_merged_one_has_the_last_successor(
    office: Office, asker: Caller, second: Caller, successor: Union
) -> None:
    with office.begin() as session:
        last = add_union(session, "最后的工会", a_union_code(21), "grassroots", office.other)
    merge(office, asker, second, office.union, successor)
    merge(office, asker, second, successor, last)
    with office.begin() as session:
        merged = select(Union.successor_union_id).where(Union.union_id.in_([office.union.union_id, successor.union_id]))
        assert set(session.scalars(merged)) == {last.union_id}


def test_transfers_and_imports_that_wait_go_to_the_successor(
    office: Office, asker: Caller, second: Caller, successor: Union
) -> None:
    with office.begin() as session:
        third = add_union(session, "第三家工会", a_union_code(22), "grassroots", office.other)
    leaving, _ = office.numbered(2)
    with office.begin() as session:
        session.add(a_transfer(leaving, office.union, third, asker))
        session.add(
            ImportJob(
                import_id=UUID(int=7),
                union_id=office.union.union_id,
                started_by=UUID(int=1),
                file_name="会员.xlsx",
                state="previewed",
            )
        )
    merge(office, asker, second, office.union, successor)
    assert unions_of(office, Transfer.from_union_id) == {successor.union_id}
    assert unions_of(office, ImportJob.union_id) == {successor.union_id}


def test_what_is_in_the_way_of_a_merger_is_told(office: Office, asker: Caller, successor: Union) -> None:
    (member_id,) = office.numbered()
    with office.begin() as session:
        session.add(a_transfer(member_id, office.union, successor, asker))

    def obstacles(union: Union, target: Union) -> list[str]:
        request = {"union_id": union.union_id, "kind": "merge", "target_union_id": target.union_id}
        return [one["code"] for one in done(office, requests.preview_union_change, asker, **request)["obstacles"]]

    assert obstacles(office.union, successor) == ["has_transfers"]
    assert obstacles(office.union, office.other) == ["kinds_differ"]
    assert obstacles(office.superior, office.superior) == ["below_itself"]
    assert obstacles(office.superior, office.other) == []


def test_a_merger_names_the_union_to_merge_into(office: Office, asker: Caller) -> None:
    assert (
        refused(office, requests.preview_union_change, asker, union_id=office.union.union_id, kind="merge") == "invalid"
    )


def test_delegations_go_along_with_deputies_who_are_still_of_the_union_or_above(
    office: Office, asker: Caller, second: Caller
) -> None:
    principals = [an_account(office, office.superior, "reviewer") for _ in range(2)]
    deputies = an_account(office, office.superior, "clerk"), an_account(office, office.city, "reviewer")
    for principal, deputy in zip(principals, deputies, strict=True):
        named(office, principal, deputy)
    merge(office, asker, second, office.superior, office.other)
    with office.begin() as session:
        kept = session.execute(select(Delegation.union_id, Delegation.ended_at)).all()
    assert {tuple(row) for row in kept} == {(office.other.union_id, None)}


def test_delegations_to_who_is_not_above_the_successor_end(office: Office, asker: Caller, second: Caller) -> None:
    with office.begin() as session:
        street = add_union(session, "街道总工会", a_union_code(30), "superior", office.superior)
    named(office, an_account(office, street, "reviewer"), an_account(office, office.superior, "reviewer"))
    request = {"union_id": street.union_id, "kind": "merge", "target_union_id": office.other.union_id}
    assert done(office, requests.preview_union_change, asker, **request)["delegations"] == 1
    merge(office, asker, second, street, office.other)
    with office.begin() as session:
        assert session.scalars(select(Delegation.ended_at)).one() is not None


def confirmed(office: Office, asker: Caller, second: Caller, union: Union, successor: Union) -> None:
    """A merger whose members are still on their way."""
    change = asked(office, asker, union, successor, kind="merge")
    done(office, requests.confirm_union_change, second, change_id=change["change_id"])


def test_a_successor_is_not_dissolved_while_members_are_on_their_way(
    office: Office, asker: Caller, second: Caller, successor: Union
) -> None:
    office.numbered(2)
    confirmed(office, asker, second, office.union, successor)
    preview = done(office, requests.preview_union_change, asker, union_id=successor.union_id, kind="dissolve")
    assert [one["reason"] for one in preview["obstacles"]] == ["还有 2 名会员，请先转会或退会"]


def test_members_who_are_on_their_way_go_on_with_a_successor_that_is_merged_itself(
    office: Office, asker: Caller, second: Caller, successor: Union
) -> None:
    with office.begin() as session:
        last = add_union(session, "最后的工会", a_union_code(21), "grassroots", office.other)
    office.numbered(2)
    confirmed(office, asker, second, office.union, successor)
    confirmed(office, asker, second, successor, last)
    follow(office)
    assert unions_of(office, Member.union_id) == {last.union_id}


@pytest.mark.parametrize("by", ["the successor", "a third union"])
def test_a_member_on_the_way_is_the_successors_for_a_transfer(
    office: Office, asker: Caller, second: Caller, successor: Union, by: str
) -> None:
    with office.begin() as session:
        third = add_union(session, "第三家工会", a_union_code(22), "grassroots", office.other)
    (member_id,) = office.numbered()
    confirmed(office, asker, second, office.union, successor)
    with office.begin() as session:
        member = session.get_one(Member, member_id)
        named_member = {name: getattr(member, name) for name in ("name", "document_type", "document_number")}
    request = RequestTransferRequest(**named_member, affiliation="employer", reason="调动")
    clerk = an_account(office, successor if by == "the successor" else third, "clerk")
    if by == "the successor":
        with pytest.raises(Problem) as refusal, office.begin() as session:
            transfers.request_transfer(office.work(session, clerk), request)
        assert refusal.value.code == "already_member"
    else:
        with office.begin() as session:
            transfers.request_transfer(office.work(session, clerk), request)
        follow(office)
        assert unions_of(office, Transfer.from_union_id) == {successor.union_id}

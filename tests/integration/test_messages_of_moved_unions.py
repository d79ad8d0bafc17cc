"""Messages when unions move or are merged: who has to act is asked, and nobody else."""

from dataclasses import replace
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.contracts.events.membership import UNIONS_CHANGED, ChangedUnion, UnionsChangedData
from services.contracts.events.revocation import REVOCATION_REJECTED, REVOCATION_REQUESTED
from services.kit.events.envelope import Event
from services.notification import event_notifications
from services.notification.models import InboxMessage
from services.notification.reports import feeding
from tests.integration.test_notification import Begin, a_clerk_of, begin, example, listed
from tests.two_transactions import at_once

__all__ = ["begin"]


def ask(begin: Begin, revocation_id: UUID, *reviewers: UUID) -> None:
    """A request that the last of these unions is to decide on, after its union moved from one to the next."""
    *former, now = reviewers
    changes = {"revocation_id": revocation_id, "reviewer_union_id": now, "former_reviewer_union_ids": former}
    with begin() as session:
        event_notifications.revocation_requested(session, example(REVOCATION_REQUESTED, **changes))


def asked(begin: Begin, *unions: UUID) -> list[bool]:
    """Whether the reviewers of each union have an unread message."""
    reviewers = [replace(a_clerk_of(one), roles=frozenset({"reviewer"})) for one in unions]
    with begin() as session:
        return [bool(listed(session, reviewer, unread=True).items) for reviewer in reviewers]


def test_the_last_reviewers_of_a_request_are_asked_in_whatever_order_the_news_come(begin: Begin) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    told = [(first,), (first, second), (first, second, third)]
    for order in permutations(told):
        revocation_id = uuid4()
        for reviewers in order:
            ask(begin, revocation_id, *reviewers)
        assert asked(begin, first, second, third) == [False, False, True]
        with begin() as session:
            session.execute(delete(InboxMessage))


def test_a_request_that_comes_back_to_its_first_reviewers_is_unread_again(begin: Begin) -> None:
    first, second, revocation_id = uuid4(), uuid4(), uuid4()
    ask(begin, revocation_id, first)
    ask(begin, revocation_id, first, second)
    ask(begin, revocation_id, first, second, first)
    assert asked(begin, first, second) == [True, False]


def merger(union_id: UUID, successor_id: UUID) -> Event[UnionsChangedData]:
    """The news that a union was merged into another one."""
    named: dict[str, Any] = {"superior_union_id": None, "superior_ids": [], "kind": "grassroots"}
    successor = ChangedUnion(union_id=successor_id, code="B", name="B", **named)
    merged = ChangedUnion(union_id=union_id, code="A", name="A", **named, successor_union_id=successor_id)
    return example(UNIONS_CHANGED, unions=[successor, merged], rebuild_id=None)


def merge(begin: Begin, union_id: UUID, successor_id: UUID) -> None:
    with begin() as session:
        feeding.unions_changed(session, merger(union_id, successor_id))


def test_messages_of_a_merged_union_are_the_successors_and_are_settled_there(begin: Begin) -> None:
    old, new, revocation_id = uuid4(), uuid4(), uuid4()
    ask(begin, revocation_id, old)
    merge(begin, old, new)
    assert asked(begin, old, new) == [False, True]
    decided = {"revocation_id": revocation_id, "reviewer_union_id": new}
    with begin() as session:
        event_notifications.revocation_rejected(session, example(REVOCATION_REJECTED, **decided))
    assert asked(begin, old, new) == [False, False]


def test_what_a_merged_union_is_told_late_reaches_the_successor(begin: Begin) -> None:
    old, new = uuid4(), uuid4()
    merge(begin, old, new)
    ask(begin, uuid4(), old)
    assert asked(begin, old, new) == [False, True]


def test_nobody_is_told_while_a_union_is_merged(begin: Begin) -> None:
    old, new = uuid4(), uuid4()
    ask(begin, uuid4(), old)

    def tell(session: Session) -> None:
        changes = {"revocation_id": uuid4(), "reviewer_union_id": old, "former_reviewer_union_ids": []}
        event_notifications.revocation_requested(session, example(REVOCATION_REQUESTED, **changes))

    def hear(session: Session) -> None:
        feeding.unions_changed(session, merger(old, new))

    at_once(begin, hear, tell)
    with begin() as session:
        assert set(session.scalars(select(InboxMessage.union_id))) == {new}

"""Repairs that publish events of batching again for consumers that lack them; `python -m deploy.repair` calls them.

Steps are published with their versions, so that consumers ignore those they have applied.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.batching.cards.card_reports import steps_again
from services.batching.event_builders import steps, submitted_batch
from services.batching.models import Application, Batch, Card
from services.batching.pending import transfers
from services.batching.pending.application_states import Check, State
from services.batching.pending.checks import requested_checks
from services.batching.pending.consents import consented_version
from services.contracts.events.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_CHANGED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    CHANNEL_ASSIGNED,
    MEMBERS_REMOVED,
    VALIDATION_REQUESTED,
    BatchReleasedData,
    BatchSubmittedData,
    CardsIssuedData,
    CardsRefusedData,
    ChannelAssignedData,
    Contact,
    IssuedApplication,
    IssuedCard,
    MembersRemovedData,
    RefusedApplication,
)
from services.kit.data.bulk import is_any_of
from services.kit.data.repair import Repair
from services.kit.events.contract import EventContract, EventData, in_chunks
from services.kit.events.outbox import publish
from services.kit.schemas import required


class PublishedStep(NamedTuple):
    """A published step of an application: its event and version."""

    contract: EventContract[Any]
    application: Application
    version: int

    @property
    def application_id(self) -> UUID:
        return self.application.application_id

    @property
    def member_id(self) -> UUID:
        return self.application.member_id

    @property
    def channel(self) -> str:
        """The channel from this step on; after the submission it is fixed."""
        if self.contract is CHANNEL_ASSIGNED:
            return "special" if self.version % 2 else "ordinary"
        return self.application.channel


_LAST: dict[State, EventContract[Any]] = {
    State.REMOVED: MEMBERS_REMOVED,
    State.ISSUED: CARDS_ISSUED,
    State.REFUSED: CARDS_REFUSED,
    State.RELEASED: BATCH_RELEASED,
}


def publish_steps(recipient: str, session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Publishes all steps of applications again for a consumer, as far as they follow from the current states."""
    applications = session.scalars(
        select(Application)
        .where(is_any_of(Application.application_id, map(UUID, ids)))
        .order_by(Application.application_id)
    ).all()
    published = [step for application in applications for step in _steps_of(session, application)]
    _publish_steps(session, recipient, published)
    return [str(one) for one in dict.fromkeys(step.application_id for step in published)]


def publish_batches(recipient: str, session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Publishes whole batches and the outcomes of their applications again for a consumer."""
    in_batches = select(Application).where(is_any_of(Application.batch_no, ids)).order_by(Application.application_id)
    published = [step for one in session.scalars(in_batches).all() for step in _steps_of(session, one)]
    _publish_steps(session, recipient, [step for step in published if step.contract is not CHANNEL_ASSIGNED])
    return sorted({step.application.batch_no or "" for step in published})


def publish_submissions(recipient: str, session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Publishes again for a consumer that batches were submitted."""
    in_batches = select(Application).where(is_any_of(Application.batch_no, ids)).order_by(Application.application_id)
    submitted = [PublishedStep(BATCH_SUBMITTED, one, _submitted_by(one)) for one in session.scalars(in_batches)]
    _publish_steps(session, recipient, submitted)
    return sorted({step.application.batch_no or "" for step in submitted})


def publish_card_steps(session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Publishes what happened to cards again for membership, which lacks some of it."""
    published = list(steps_again(session, [UUID(one) for one in ids]))
    for data in published:
        publish(session, CARDS_CHANGED, data, recipient="membership")
    return sorted({str(card.application_id) for data in published for card in data.cards})


def move_cards(session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Moves cards to the unions of their members, who have moved."""
    return sorted(map(str, transfers.move_cards(session, is_any_of(Card.application_id, map(UUID, ids)))))


def request_checks_again(session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Requests the current checks again from validation, which lacks them; it ignores them if it has newer ones."""
    under_check = select(Application).where(
        is_any_of(Application.application_id, map(UUID, ids)),
        Application.state == State.QUEUED,
        Application.check_state == Check.CHECKING,
    )
    by_union: defaultdict[UUID, list[Application]] = defaultdict(list)
    for application in session.scalars(under_check.order_by(Application.application_id)):
        by_union[application.union_id].append(application)
    for union_id, applications in by_union.items():
        for part in in_chunks(applications):
            publish(session, VALIDATION_REQUESTED, requested_checks(union_id, part), recipient="validation")
    return [str(one.application_id) for applications in by_union.values() for one in applications]


def _steps_of(session: Session, application: Application) -> Iterator[PublishedStep]:
    """The steps in their order, as they were published.

    Steps that are not stored follow from the version: the channel is ordinary at first, and each switch is a step; then
    come the submission, possibly the release, and the last step.
    """
    state, last = State(application.state), application.version
    if not last:
        return
    switches = last - 1 if application.batch_no is None else _submitted_by(application) - 1
    if state is State.QUEUED:
        switches = last
    yield from (PublishedStep(CHANNEL_ASSIGNED, application, version) for version in range(1, switches + 1))
    if application.batch_no is not None:
        yield PublishedStep(BATCH_SUBMITTED, application, switches + 1)
        if _is_late(application):
            yield PublishedStep(BATCH_RELEASED, application, last - 1)
    if state not in (State.QUEUED, State.SUBMITTED):
        yield PublishedStep(_LAST[state], application, last)


def _submitted_by(application: Application) -> int:
    """The version of the submission of an application that is in a batch."""
    later = 0 if application.state == State.SUBMITTED else 1
    return application.version - later - _is_late(application)


def _is_late(application: Application) -> bool:
    """Whether the card was issued after the release: the version has one step more than the channel explains."""
    return application.state == State.ISSUED and (application.version - (application.channel == "special")) % 2 == 1


def _publish_steps(session: Session, recipient: str, published: Sequence[PublishedStep]) -> None:
    """Publishes steps grouped into events by kind and batch or union, as the first time."""
    groups: defaultdict[tuple[Any, ...], list[PublishedStep]] = defaultdict(list)
    for step in published:
        if recipient in step.contract.consumers:
            one = step.application
            groups[step.contract.name, step.version, one.batch_no, one.union_id, step.channel, _removal(one)].append(
                step
            )
    for group in groups.values():
        data_of = _DATA[group[0].contract.name]
        for part in in_chunks(group):
            publish(session, group[0].contract, data_of(session, part), recipient=recipient)


def _assigned(_session: Session, part: Sequence[PublishedStep]) -> ChannelAssignedData:
    first = part[0]
    return ChannelAssignedData(union_id=first.application.union_id, channel=first.channel, applications=steps(part))


def _removed(_session: Session, part: Sequence[PublishedStep]) -> MembersRemovedData:
    first = part[0].application
    return MembersRemovedData(union_id=first.union_id, reason=_removal(first), applications=steps(part))


def _submitted(session: Session, part: Sequence[PublishedStep]) -> BatchSubmittedData:
    batch = _batch_of(session, part)
    basis = "phone" if batch.personal else "signed_form"
    whole = submitted_batch(session, batch, consented_version(session, batch.batch_no), basis)
    return replace(whole, applications=steps(part))


def _issued(session: Session, part: Sequence[PublishedStep]) -> CardsIssuedData:
    batch = _batch_of(session, part)
    return CardsIssuedData(
        batch_no=batch.batch_no,
        union_id=batch.union_id,
        personal=batch.personal,
        contact=_contact(batch),
        applications=[
            IssuedApplication(
                **vars(step),
                issued_at=required(one.application.decided_at),
                late=_is_late(one.application),
            )
            for step, one in zip(steps(part), part, strict=True)
        ],
        cards=[
            IssuedCard(application_id=one.application_id, card_no=required(one.application.card_no)) for one in part
        ],
    )


def _refused(session: Session, part: Sequence[PublishedStep]) -> CardsRefusedData:
    batch = _batch_of(session, part)
    reasons = ((one.application.reason_code or "", one.application.reason, one.application.decided_at) for one in part)
    return CardsRefusedData(
        batch_no=batch.batch_no,
        union_id=batch.union_id,
        personal=batch.personal,
        contact=_contact(batch),
        applications=[
            RefusedApplication(**vars(step), reason_code=code, reason=reason or code, refused_at=refused_at)
            for step, (code, reason, refused_at) in zip(steps(part), reasons, strict=True)
        ],
    )


def _released(session: Session, part: Sequence[PublishedStep]) -> BatchReleasedData:
    batch = _batch_of(session, part)
    reason = "revoked" if batch.revocation_state == "approved" else "cancelled"
    return BatchReleasedData(batch_no=batch.batch_no, union_id=batch.union_id, reason=reason, applications=steps(part))


def _batch_of(session: Session, part: Sequence[PublishedStep]) -> Batch:
    return session.get_one(Batch, part[0].application.batch_no)


def _contact(batch: Batch) -> Contact:
    return Contact(name=batch.contact_name, phone=batch.contact_phone)


def _removal(application: Application) -> str:
    """Choice: the reason of a removal is not stored; a failed entry counts as removed for the failed check."""
    return "not_passed" if application.check_state == Check.FAILED else "by_clerk"


_DATA: dict[str, Callable[[Session, Sequence[PublishedStep]], EventData]] = {
    CHANNEL_ASSIGNED.name: _assigned,
    MEMBERS_REMOVED.name: _removed,
    BATCH_SUBMITTED.name: _submitted,
    CARDS_ISSUED.name: _issued,
    CARDS_REFUSED.name: _refused,
    BATCH_RELEASED.name: _released,
}
"""Builders of the event data for steps of one kind and of one batch or union."""
REPAIRS = {
    "publish_steps_to_membership": Repair(
        "publish the application's steps again, for membership lacks some",
        "application",
        partial(publish_steps, "membership"),
    ),
    "publish_steps_to_revocation": Repair(
        "publish the application's steps again, for revocation lacks some",
        "application",
        partial(publish_steps, "revocation"),
    ),
    "publish_batches_to_revocation": Repair(
        "publish the batch again, for revocation lacks it", "batch", partial(publish_batches, "revocation")
    ),
    "publish_submissions_to_notification": Repair(
        "publish the submission again, for the clerk was not notified",
        "batch",
        partial(publish_submissions, "notification"),
    ),
    "publish_card_steps": Repair(
        "publish what happened to the card again, for membership lacks some of it", "application", publish_card_steps
    ),
    "move_cards": Repair("move the card to the union of its member, who has moved", "application", move_cards),
    "ask_for_checks_again": Repair(
        "request the check again, for validation never received it", "application", request_checks_again
    ),
}

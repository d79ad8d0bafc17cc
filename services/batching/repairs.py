"""What batching can tell again to who lacks it: `python -m deploy.repair` asks for it.

Steps are told with their versions, so that who knows them already is not changed by them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.batching.application_states import Check, State
from services.batching.consents import consented_version
from services.batching.models import Application, Batch
from services.batching.persons import facts_of
from services.batching.telling import steps, submitted_facts
from services.common.contracts.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    CHANNEL_ASSIGNED,
    MEMBERS_REMOVED,
    VALIDATION_REQUESTED,
)
from services.common.contracts.event import EventContract, in_messages
from services.common.messaging.outbox import tell
from services.common.repair import Repair
from services.common.rowsets import is_among


class Told(NamedTuple):
    """A step of an application as it was told once: by which event, under which version."""

    contract: EventContract
    application: Application
    version: int

    @property
    def application_id(self) -> UUID:
        return self.application.application_id

    @property
    def member_id(self) -> UUID:
        return self.application.member_id


_LAST: dict[State, EventContract] = {
    State.QUEUED: CHANNEL_ASSIGNED,
    State.REMOVED: MEMBERS_REMOVED,
    State.SUBMITTED: BATCH_SUBMITTED,
    State.ISSUED: CARDS_ISSUED,
    State.REFUSED: CARDS_REFUSED,
    State.RELEASED: BATCH_RELEASED,
}


def publish_steps(audience: str, session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Tells a consumer again all steps of applications, as far as they follow from where the applications stand."""
    applications = session.scalars(
        select(Application)
        .where(is_among(Application.application_id, map(UUID, ids)))
        .order_by(Application.application_id)
    ).all()
    told = [step for application in applications for step in _steps_of(session, application)]
    _tell_steps(session, audience, told)
    return [str(one) for one in dict.fromkeys(step.application_id for step in told)]


def publish_batches(audience: str, session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Tells a consumer again of whole batches and what became of their applications."""
    in_batches = select(Application).where(is_among(Application.batch_no, ids)).order_by(Application.application_id)
    told = [step for one in session.scalars(in_batches).all() for step in _steps_of(session, one)]
    _tell_steps(session, audience, [step for step in told if step.contract is not CHANNEL_ASSIGNED])
    return sorted({step.application.batch_no or "" for step in told})


def publish_submissions(audience: str, session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Tells a consumer again that batches were submitted."""
    in_batches = select(Application).where(is_among(Application.batch_no, ids)).order_by(Application.application_id)
    submitted = [Told(BATCH_SUBMITTED, one, max(one.version, 1)) for one in session.scalars(in_batches)]
    _tell_steps(session, audience, submitted)
    return sorted({step.application.batch_no or "" for step in submitted})


def ask_for_checks_again(session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Asks validation again for the current checks that it has never heard of; of a newer one it knows more."""
    under_check = select(Application).where(
        is_among(Application.application_id, map(UUID, ids)),
        Application.state == State.QUEUED,
        Application.check_state == Check.CHECKING,
    )
    by_union: defaultdict[UUID, list[Application]] = defaultdict(list)
    for application in session.scalars(under_check.order_by(Application.application_id)):
        by_union[application.union_id].append(application)
    for union_id, applications in by_union.items():
        for part in in_messages(applications):
            asked = [{"application_id": one.application_id, "check_no": one.check_no} for one in part]
            data = {"union_id": union_id, "applications": asked, "persons": [facts_of(one) for one in part]}
            tell(session, VALIDATION_REQUESTED, data, audience="validation")
    return [str(one.application_id) for applications in by_union.values() for one in applications]


def _steps_of(session: Session, application: Application) -> Iterator[Told]:
    """The steps in their order. Who was issued a card after a release has steps that are not known any more: those
    before the last are left out."""
    state, last = State(application.state), application.version
    if not last:
        return
    batch = session.get(Batch, application.batch_no) if application.batch_no else None
    submitted = last if state is State.SUBMITTED else last - 1
    is_certain = state is not State.ISSUED or batch is None or batch.revocation_state != "approved"
    if is_certain:
        first_of_batch = submitted if batch else last
        yield from (Told(CHANNEL_ASSIGNED, application, version) for version in range(1, first_of_batch))
        if batch and submitted < last:
            yield Told(BATCH_SUBMITTED, application, submitted)
    yield Told(_LAST[state], application, last)


def _tell_steps(session: Session, audience: str, told: Sequence[Told]) -> None:
    """In events of one kind, batch or union each, as they were told the first time."""
    groups: defaultdict[tuple[Any, ...], list[Told]] = defaultdict(list)
    for step in told:
        if audience in step.contract.consumers:
            one = step.application
            groups[step.contract.name, step.version, one.batch_no, one.union_id, one.channel, _removal(one)].append(
                step
            )
    for group in groups.values():
        facts = _FACTS[group[0].contract.name](session, group[0].application)
        for part in in_messages(group):
            tell(session, group[0].contract, {**facts, **_applications(part)}, audience=audience)


def _applications(part: Sequence[Told]) -> dict[str, Any]:
    """The applications of an event, with what its kind tells of each."""
    plain = [{**step, "version": one.version} for step, one in zip(steps(part), part, strict=True)]
    if part[0].contract is CARDS_ISSUED:
        cards = [{"application_id": one.application_id, "card_no": one.application.card_no} for one in part]
        issued = [{**step, "issued_at": one.application.decided_at} for step, one in zip(plain, part, strict=True)]
        return {"applications": issued, "cards": cards}
    if part[0].contract is CARDS_REFUSED:
        reasons = ((one.application.reason_code or "", one.application.reason) for one in part)
        refused = [
            {**step, "reason_code": code, "reason": reason or code}
            for step, (code, reason) in zip(plain, reasons, strict=True)
        ]
        return {"applications": refused}
    return {"applications": plain}


def _submitted(session: Session, application: Application) -> dict[str, Any]:
    batch = session.get_one(Batch, application.batch_no)
    basis = "phone" if batch.personal else "signed_form"
    return {**submitted_facts(batch, consented_version(session, batch.batch_no), basis), "part": 1, "parts": 1}


def _decided(session: Session, application: Application) -> dict[str, Any]:
    batch = session.get_one(Batch, application.batch_no)
    contact = {"name": batch.contact_name, "phone": batch.contact_phone}
    return {"batch_no": batch.batch_no, "union_id": batch.union_id, "personal": batch.personal, "contact": contact}


def _released(session: Session, application: Application) -> dict[str, Any]:
    batch = session.get_one(Batch, application.batch_no)
    reason = "revoked" if batch.revocation_state == "approved" else "cancelled"
    return {"batch_no": batch.batch_no, "union_id": batch.union_id, "revocation_id": None, "reason": reason}


def _removal(application: Application) -> str:
    """Choice: why an entry was removed is not kept; one that had failed counts as removed for that."""
    return "not_passed" if application.check_state == Check.FAILED else "by_clerk"


_FACTS: dict[str, Callable[[Session, Application], dict[str, Any]]] = {
    CHANNEL_ASSIGNED.name: lambda _, one: {"union_id": one.union_id, "channel": one.channel},
    MEMBERS_REMOVED.name: lambda _, one: {"union_id": one.union_id, "reason": _removal(one)},
    BATCH_SUBMITTED.name: _submitted,
    CARDS_ISSUED.name: _decided,
    CARDS_REFUSED.name: _decided,
    BATCH_RELEASED.name: _released,
}
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
        "publish the submission again, for the clerk was not told",
        "batch",
        partial(publish_submissions, "notification"),
    ),
    "ask_for_checks_again": Repair(
        "ask for the check again, for validation has never heard of it", "application", ask_for_checks_again
    ),
}

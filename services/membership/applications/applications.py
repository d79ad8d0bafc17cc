"""Applies the events of batching to applications and their members' card states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Row, Select, Uuid, case, select, update
from sqlalchemy.orm import Session

from services.contracts.events.batching import (
    BatchReleasedData,
    BatchSubmittedData,
    CardsIssuedData,
    CardsRefusedData,
    ChannelAssignedData,
    IssueTimesCorrectedData,
    MembersRemovedData,
)
from services.contracts.events.membership import APPLICATION_CANCELLED, ApplicationCancelledData
from services.contracts.shared import ApplicationStep
from services.kit.data.bulk import insert_rows, is_any_of, values_table
from services.kit.data.database import EncryptedText
from services.kit.events.outbox import publish
from services.kit.events.subscribe import Event, Reject, Retry
from services.membership.applications.application_states import LIVE, CardState, State, can_become, card_state_of
from services.membership.enrolments.eligible import tell_eligible
from services.membership.models import Application, ApplicationHistory, Member

Known = Row[UUID, UUID, str, int]
"""A stored application: its id, union, state, version."""

_REMOVED_BECAUSE = {
    "by_clerk": "经办人移除",
    "not_passed": "未通过系统校验，已移除",
    "incomplete": "信息未完善，已移除",
    "check_failed": "未通过系统校验",
    "cancelled": "会员已有银行卡，申请取消",
}
_RELEASED_BECAUSE = {"revoked": "批次已撤销", "cancelled": "会员已有银行卡，申请取消"}
_SWITCHED_TO = {"ordinary": "转入普通办卡通道", "special": "转入特殊办卡通道"}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an application that batching published: its version, its time, and its note for the history."""

    application_id: UUID
    member_id: UUID
    version: int
    at: datetime
    note: str | None = None
    card_no: str | None = None


def channel_assigned(session: Session, event: Event[ChannelAssignedData]) -> None:
    """Stores the channel of applications."""
    assigned = event.data
    note = "：".join(filter(None, (_SWITCHED_TO[assigned.channel], assigned.reason)))
    steps = _steps(assigned.applications, event.time, note)
    apply_steps(session, State.QUEUED, steps, channel=assigned.channel)


def members_removed(session: Session, event: Event[MembersRemovedData]) -> None:
    """Frees members that left the pending list."""
    note = event.data.detail or _REMOVED_BECAUSE[event.data.reason]
    apply_steps(session, State.REMOVED, _steps(event.data.applications, event.time, note))


def batch_submitted(session: Session, event: Event[BatchSubmittedData]) -> None:
    """Marks applications as submitted in a batch."""
    batch = event.data
    steps = _steps(batch.applications, event.time, f"办卡批次 {batch.batch_no}")
    apply_steps(session, State.SUBMITTED, steps, channel=batch.channel, batch_no=batch.batch_no)
    if batch.consent_basis == "signed_form":
        _keep_consent(session, batch)


def batch_released(session: Session, event: Event[BatchReleasedData]) -> None:
    """Frees members whose applications were released from a batch."""
    steps = _steps(event.data.applications, event.time, _RELEASED_BECAUSE[event.data.reason])
    apply_steps(session, State.RELEASED, steps, batch_no=event.data.batch_no)


def cards_refused(session: Session, event: Event[CardsRefusedData]) -> None:
    """Frees members whose applications the bank refused."""
    steps = [_step(refused, event.time, note=refused.reason) for refused in event.data.applications]
    apply_steps(session, State.REFUSED, steps, batch_no=event.data.batch_no)


def cards_issued(session: Session, event: Event[CardsIssuedData]) -> None:
    """Marks members whose cards were issued, late ones too, and cancels other live applications of theirs.

    The mutual-aid society learns that they can be insured.

    Raises Reject where a member already holds the card of another application.
    """
    cards = {card.application_id: card.card_no for card in event.data.cards}
    steps = [
        _step(issued, issued.issued_at, card_no=cards[issued.application_id]) for issued in event.data.applications
    ]
    apply_steps(session, State.ISSUED, steps, batch_no=event.data.batch_no)
    _cancel_others(session, steps)
    tell_eligible(session, {step.member_id: step.at for step in steps})


def issue_times_corrected(session: Session, event: Event[IssueTimesCorrectedData]) -> None:
    """Corrects the time of issued cards in the history; raises Retry until the issue is known."""
    issue = event.data
    versions = [(one.application_id, one.version) for one in issue.applications]
    step = values_table("step", {"application_id": Uuid(), "version": Integer()}, versions)
    corrected = session.execute(
        update(ApplicationHistory)
        .where(
            ApplicationHistory.application_id == step.c.application_id,
            ApplicationHistory.version == step.c.version,
            ApplicationHistory.at.in_((issue.said_at, issue.issued_at)),
        )
        .values(at=issue.issued_at)
        .returning(ApplicationHistory.application_id)
        .execution_options(synchronize_session=False)
    ).all()
    if len(corrected) < len(versions):
        raise Retry("the issue with this time is not known yet")


def apply_steps(
    session: Session, state: State, steps: Sequence[Step], channel: str | None = None, batch_no: str | None = None
) -> None:
    """Sets applications to the state; steps older than the known version are only added to the history.

    Raises Reject for an application that was never queued, a state that cannot follow, and a second card.
    """
    _lock_members(session, steps)
    known = _applications(session, steps)
    newer = [step for step in steps if _is_newer(known.get(step.application_id), step, state)]
    _keep_history(session, state, steps, known)
    if newer:
        if state == State.ISSUED:
            _refuse_second_cards(session, newer)
        _update_applications(session, state, newer, channel, batch_no)
        _update_members(session, state, newer)


def _keep_consent(session: Session, batch: BatchSubmittedData) -> None:
    """Stores the consent of a batch's members; consent on the phone is stored already."""
    application_ids = [one.application_id for one in batch.applications]
    session.execute(
        update(Application)
        .where(is_any_of(Application.application_id, application_ids))
        .values(consent_version=batch.consent_version, consented_at=batch.submitted_at)
        .execution_options(synchronize_session=False)
    )


def _steps(applications: Sequence[ApplicationStep], at: datetime, note: str) -> list[Step]:
    return [_step(one, at, note=note) for one in applications]


def _step(taken: ApplicationStep, at: datetime, *, note: str | None = None, card_no: str | None = None) -> Step:
    return Step(taken.application_id, taken.member_id, taken.version, at, note, card_no)


def _lock_members(session: Session, steps: Sequence[Step]) -> None:
    """Locks the members of applications before their change, in the order of ids, to avoid deadlocks."""
    member_ids = [step.member_id for step in steps]
    in_order = select(Member.member_id).where(is_any_of(Member.member_id, member_ids)).order_by(Member.member_id)
    session.execute(in_order.with_for_update()).all()


def _applications(session: Session, steps: Sequence[Step]) -> dict[UUID, Known]:
    columns = (Application.application_id, Application.union_id, Application.state, Application.version)
    application_ids = [step.application_id for step in steps]
    rows = session.execute(select(*columns).where(is_any_of(Application.application_id, application_ids)))
    return {row.application_id: row for row in rows}


def _is_newer(known: Known | None, step: Step, state: State) -> bool:
    if known is None:
        raise Reject("the event speaks of an application that was never queued")
    if step.version <= known.version:
        return False
    if not can_become(State(known.state), state):
        raise Reject(f"an application that is {known.state} cannot become {state}")
    return True


def _keep_history(session: Session, state: State, steps: Sequence[Step], known: Mapping[UUID, Known]) -> None:
    rows = [
        {
            "application_id": step.application_id,
            "version": step.version,
            "union_id": known[step.application_id].union_id,
            "state": state,
            "at": step.at,
            "note": step.note,
        }
        for step in steps
    ]
    session.execute(insert_rows(ApplicationHistory, rows).on_conflict_do_nothing())


def _refuse_second_cards(session: Session, steps: Sequence[Step]) -> None:
    others = _of_same_members(steps).where(Application.state == State.ISSUED)
    if session.scalar(select(others.exists())):
        raise Reject("a member already holds the card of another application")


def _update_applications(
    session: Session, state: State, steps: Sequence[Step], channel: str | None, batch_no: str | None
) -> None:
    versions = [(step.application_id, step.version) for step in steps]
    step = values_table("step", {"application_id": Uuid(), "version": Integer()}, versions)
    changes: dict[str, Any] = {"channel": channel, "batch_no": batch_no}
    session.execute(
        update(Application)
        .where(Application.application_id == step.c.application_id)
        .values(
            state=state,
            version=step.c.version,
            **{name: value for name, value in changes.items() if value is not None},
        )
        .execution_options(synchronize_session=False)
    )


def _update_members(session: Session, state: State, steps: Sequence[Step]) -> None:
    """Updates card states by the members' current applications; an issued card counts for any application."""
    cards = [(step.application_id, step.card_no) for step in steps]
    step = values_table("step", {"application_id": Uuid(), "card_no": EncryptedText()}, cards)
    card_state = card_state_of(state)
    source = (Member.member_id == Application.member_id) & (Application.application_id == step.c.application_id)
    changes: dict[Any, Any] = {Member.card_state: card_state}
    if card_state == CardState.NONE:
        changes |= {Member.application_id: None, Member.channel: None, Member.applied_at: None}
    else:
        changes |= {
            Member.application_id: Application.application_id,
            Member.channel: Application.channel,
            Member.applied_at: Application.queued_at,
        }
    if card_state == CardState.ISSUED:
        # A step of the card that came before the issue has a number that is as new or newer; of an erased member there
        # is none.
        is_kept = (Member.card_version > 0) | Member.erased_at.is_not(None)
        changes[Member.card_no] = case((is_kept, Member.card_no), else_=step.c.card_no)
    else:
        source &= Member.application_id == Application.application_id
    session.execute(update(Member).where(source).values(changes).execution_options(synchronize_session=False))


def _cancel_others(session: Session, steps: Sequence[Step]) -> None:
    """Publishes that other live applications of the members are cancelled; batching then publishes their end."""
    issued = {step.member_id: step for step in steps}
    live = _of_same_members(steps).where(Application.state.in_(LIVE)).join(Member, _OWNER)
    columns = (Application.application_id, Application.union_id, Member.member_id, Member.member_no)
    for other in session.execute(live.with_only_columns(*columns)):
        data = ApplicationCancelledData(
            application_id=other.application_id,
            union_id=other.union_id,
            member_id=other.member_id,
            member_no=other.member_no,
            reason="already_issued",
            issued_application_id=issued[other.member_id].application_id,
            issued_union_id=_union_of(session, issued[other.member_id]),
        )
        publish(session, APPLICATION_CANCELLED, data)


_OWNER = Member.member_id == Application.member_id


def _of_same_members(steps: Sequence[Step]) -> Select[Any]:
    """Other applications of the steps' members."""
    return select(Application.application_id).where(
        is_any_of(Application.member_id, [step.member_id for step in steps]),
        ~is_any_of(Application.application_id, [step.application_id for step in steps]),
    )


def _union_of(session: Session, step: Step) -> UUID:
    return session.get_one(Application, step.application_id).union_id

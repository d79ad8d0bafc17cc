"""Members' cards after they are made: applies what batching publishes, and shows it."""

from uuid import UUID

from sqlalchemy import ColumnElement, Integer, String, Uuid, case, select, update
from sqlalchemy.orm import Session

from services.contracts.events.batching import CardsChangedData
from services.contracts.masks import mask_card
from services.contracts.operations.membership.members import CardStepAnswer
from services.kit.data.bulk import Types, insert_rows, is_any_of, values_table
from services.kit.data.database import EncryptedText
from services.kit.events.subscribe import Event, Reject
from services.membership.applications.application_states import CardState
from services.membership.models import Application, CardStep, Member

MADE = "made"


def cards_changed(session: Session, event: Event[CardsChangedData]) -> None:
    """Stores the steps of cards; the status and number of the newest version count, in whatever order events come.

    Of an erased member no number is kept.

    Raises Reject for the card of an application that was never queued.
    """
    steps = event.data.cards
    numbers = {one.application_id: one.card_no for one in event.data.numbers}
    erased = _lock_members(session, [step.member_id for step in steps])
    known = session.scalars(
        select(Application.application_id).where(
            is_any_of(Application.application_id, {step.application_id for step in steps})
        )
    )
    if set(known) != {step.application_id for step in steps}:
        raise Reject("the event speaks of an application that was never queued")
    rows = [
        {
            "application_id": step.application_id,
            "version": step.version,
            "member_id": step.member_id,
            "step": step.step,
            "happened_at": step.happened_at,
            "by_union": step.by_union,
            "card_no": "" if step.member_id in erased else numbers[step.application_id],
        }
        for step in steps
    ]
    session.execute(insert_rows(CardStep, rows).on_conflict_do_nothing())
    newest = {step.member_id: step for step in sorted(steps, key=lambda step: step.version)}
    types: Types = {"member_id": Uuid(), "version": Integer(), "status": String(), "card_no": EncryptedText()}
    changes = [(step.member_id, step.version, step.status, numbers[step.application_id]) for step in newest.values()]
    new = values_table("new", types, changes).c
    session.execute(
        update(Member)
        .where(Member.member_id == new.member_id, Member.card_version < new.version)
        .values(
            card_version=new.version,
            card_status=new.status,
            card_no=case((Member.erased_at.is_(None), new.card_no)),
        )
        .execution_options(synchronize_session=False)
    )


def status_of(member: Member) -> str | None:
    """The status of the member's card; None without a card."""
    return (member.card_status or MADE) if member.card_state == CardState.ISSUED else None


def has_status(status: str) -> ColumnElement[bool]:
    """The condition that finds members whose card has this status."""
    is_it = Member.card_status == status
    if status == MADE:
        is_it |= Member.card_status.is_(None)
    return (Member.card_state == CardState.ISSUED) & is_it


def card_steps_of(session: Session, member_id: UUID) -> list[CardStepAnswer]:
    """What happened to a member's card since it was made, newest first."""
    steps = select(CardStep).where(CardStep.member_id == member_id)
    return [
        CardStepAnswer(
            step=one.step, happened_at=one.happened_at, by_union=one.by_union, card_no=mask_card(one.card_no)
        )
        for one in session.scalars(steps.order_by(CardStep.happened_at.desc(), CardStep.version.desc()))
    ]


def _lock_members(session: Session, member_ids: list[UUID]) -> set[UUID]:
    """Locks the members in the order of ids, as applications.py does, to avoid deadlocks; returns the erased ones."""
    in_order = select(Member.member_id, Member.erased_at).where(is_any_of(Member.member_id, member_ids))
    rows = session.execute(in_order.order_by(Member.member_id).with_for_update())
    return {row.member_id for row in rows if row.erased_at}

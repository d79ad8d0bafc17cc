"""Reminds members by SMS, once, whose cards have waited long for collection."""

from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from services.batching import overdue
from services.batching.models import WAITING, Application, Batch, Branch, Card
from services.batching.pending.persons import facts_of
from services.contracts.events.batching import (
    COLLECTION_REMINDED,
    CollectionRemindedData,
    CollectionReminder,
    WaitingCard,
)
from services.contracts.values import SHANGHAI, is_mobile
from services.kit import clock
from services.kit.data.bulk import is_any_of
from services.kit.events.contract import MESSAGE_SIZE
from services.kit.events.outbox import publish

HOURS = range(9, 20)
"""Choice: the hours in Shanghai in which members are reminded."""


def remind_some(session: Session) -> int:
    """Reminds up to MESSAGE_SIZE members whose cards are overdue; returns how many cards it dealt with.

    A member without a mobile number is marked as unreachable. Several processes may do so at once.
    """
    now = clock.now()
    if now.astimezone(SHANGHAI).hour not in HOURS:
        return 0
    found = session.execute(
        select(Card, Application, Batch.outlet_name, Batch.outlet_address, Branch.union_hands_out)
        .join(Application, Application.application_id == Card.application_id)
        .join(Batch, Batch.batch_no == Application.batch_no)
        .join(Branch, Branch.code == Batch.branch_code)
        .where(WAITING, Card.reminded_at.is_(None), Card.made_at < overdue.uncollected_before())
        .order_by(Card.made_at)
        .limit(MESSAGE_SIZE)
        .with_for_update(of=Card, skip_locked=True)
    ).all()
    phones = {row.Card.application_id: facts_of(row.Application).phone or "" for row in found}
    by_union: defaultdict[UUID, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    for row in found:
        if is_mobile(phones[row.Card.application_id]):
            by_union[row.Card.union_id].append(row)
    for union_id, rows in by_union.items():
        publish(session, COLLECTION_REMINDED, _reminded(union_id, rows, phones))
    _mark(session, [one for one, phone in phones.items() if is_mobile(phone)], now, unreachable=False)
    _mark(session, [one for one, phone in phones.items() if not is_mobile(phone)], now, unreachable=True)
    return len(found)


def _reminded(union_id: UUID, rows: list[Row[*tuple[Any, ...]]], phones: dict[UUID, str]) -> CollectionRemindedData:
    return CollectionRemindedData(
        union_id=union_id,
        reminders=[
            CollectionReminder(
                application_id=row.Card.application_id, member_id=row.Card.member_id, made_at=row.Card.made_at
            )
            for row in rows
        ],
        members=[
            WaitingCard(
                application_id=row.Card.application_id,
                phone=phones[row.Card.application_id],
                outlet_name=row.outlet_name,
                outlet_address=row.outlet_address,
                handed_out_by_union=row.union_hands_out,
            )
            for row in rows
        ],
    )


def _mark(session: Session, application_ids: list[UUID], at: datetime, *, unreachable: bool) -> None:
    if application_ids:
        session.execute(
            update(Card)
            .where(is_any_of(Card.application_id, application_ids))
            .values(reminded_at=at, unreachable=unreachable)
            .execution_options(synchronize_session=False)
        )

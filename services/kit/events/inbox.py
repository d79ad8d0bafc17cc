"""The inbox: one row for each message that a consumer has handled, in the transaction of its effects."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

_INSERT = text(
    "insert into inbox (consumer, message_id)"
    " select distinct :consumer, id from unnest(cast(:ids as text[])) as given (id) order by id"
    " on conflict do nothing returning message_id"
)


def mark_handled(session: Session, consumer: str, message_id: str) -> bool:
    """Records a message; False where the consumer has handled it before."""
    return bool(mark_all_handled(session, consumer, [message_id]))


def mark_all_handled(session: Session, consumer: str, message_ids: Sequence[str]) -> set[str]:
    """Records messages in one statement; returns those that the consumer has not handled before."""
    return set(session.execute(_INSERT, {"consumer": consumer, "ids": list(message_ids)}).scalars())

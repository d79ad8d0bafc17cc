"""Answers to the bank's messages, in the transaction of their effects: receipts, and rejected lines put aside."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.batching.bank.bank_messages import send_signed, send_to_bank
from services.batching.bank.bank_reading import Feedback
from services.contracts.external import bank
from services.contracts.external.bank_keys import clear_text, encrypted_for_us
from services.contracts.external.protection import is_encrypted
from services.kit.amqp.queues import own_exchange
from services.kit.events.envelope import new_message_id
from services.kit.events.failures import rejection_headers, shortened
from services.kit.events.outbox import to_json
from services.kit.external.lined_messages import in_receipts
from services.kit.schemas import required


def answer(session: Session, feedbacks: Sequence[Feedback]) -> None:
    """Sends the rejected queue what was rejected, and the bank a receipt for each feedback.

    A message whose results are all invalid is rejected unchanged; of one with some invalid results only these are, in a
    newly signed message. Receipts go several in one message: the bank may send thousands of one-result messages.
    """
    for feedback in feedbacks:
        _reject_refused(session, feedback)
    for part in in_receipts(feedbacks):
        document = {"message_id": new_message_id(), "receipts": [_receipt(feedback) for feedback in part]}
        send_to_bank(session, bank.RECEIPT, document)


def _receipt(feedback: Feedback) -> dict[str, Any]:
    """The contract's Receipt, built by hand because dumping by the schema takes several times as long."""
    return {
        "feedback_id": feedback.id,
        "batch_no": feedback.batch_no,
        "seen_before": feedback.is_repetition,
        "results": feedback.total,
        "applied": feedback.applied,
        "repeated": feedback.repeated,
        "rejected": feedback.rejected,
        "rejections": feedback.rejections(bank.REJECTIONS),
    }


def _reject_refused(session: Session, feedback: Feedback) -> None:
    if not (feedback.faults or feedback.refusals):
        return
    message = required(feedback.message)
    reason = shortened(", ".join(feedback.reasons()))
    if feedback.rejected < feedback.total:
        _put_aside(session, feedback, reason, to_json(feedback.rejected_part()))
    elif is_encrypted(message.body) or clear_text() == "all":
        message.reject(reason)
    else:
        # Encrypted, so that no personal data is in clear text on the broker; an operator may still replay it.
        _put_aside(session, feedback, reason, message.body)


def _put_aside(session: Session, feedback: Feedback, reason: str, content: bytes) -> None:
    """Sends content to the rejected queue, encrypted for us and newly signed."""
    headers = {**rejection_headers(reason, bank.FEEDBACK_QUEUE), bank.FEEDBACK_ID_HEADER: feedback.id}
    body = encrypted_for_us(content, bank.FEEDBACK_QUEUE)
    send_signed(session, own_exchange("batching"), bank.REJECTED_QUEUE, body, headers)

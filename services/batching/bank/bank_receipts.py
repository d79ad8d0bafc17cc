"""Receipts: the outcome of each feedback, sent to the bank in the transaction of its effects."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.batching.bank.bank_messages import send_to_bank
from services.batching.bank.bank_reading import Feedback
from services.contracts.external import bank
from services.kit.events.envelope import new_message_id
from services.kit.external.lined_messages import in_receipts


def send_receipts(session: Session, feedbacks: Sequence[Feedback]) -> None:
    """Sends a receipt for each feedback, several in one message: the bank may send thousands of one-result messages."""
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

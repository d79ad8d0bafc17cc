"""Receipts: the outcome of each feedback, sent to the bank in the transaction of its effects."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.batching.bank.bank_messages import send_to_bank
from services.batching.bank.bank_reading import Fault, Feedback
from services.contracts import bank
from services.kit.events.contract import MESSAGE_SIZE
from services.kit.events.envelope import new_message_id

_LINES_A_MESSAGE = 10_000
"""A receipt message that has reached this number of rejected results takes no further feedback."""


def send_receipts(session: Session, feedbacks: Sequence[Feedback]) -> None:
    """Sends a receipt for each feedback, several in one message: the bank may send thousands of one-result messages."""
    for part in _in_parts(feedbacks):
        document = {"message_id": new_message_id(), "receipts": [_receipt(feedback) for feedback in part]}
        send_to_bank(session, bank.RECEIPT, document)


def _in_parts(feedbacks: Sequence[Feedback]) -> Iterator[list[Feedback]]:
    part: list[Feedback] = []
    lines = 0
    for feedback in feedbacks:
        if len(part) == MESSAGE_SIZE or lines > _LINES_A_MESSAGE:
            yield part
            part, lines = [], 0
        part.append(feedback)
        lines += len(feedback.refusals)
    if part:
        yield part


def _receipt(feedback: Feedback) -> dict[str, Any]:
    """The contract's Receipt, built by hand because dumping by the schema takes several times as long."""
    return {
        "feedback_id": feedback.feedback_id,
        "batch_no": feedback.batch_no,
        "seen_before": feedback.is_repetition,
        "results": feedback.total,
        "applied": feedback.applied,
        "repeated": feedback.repeated,
        "rejected": feedback.rejected,
        "rejections": _rejections(feedback),
    }


def _rejections(feedback: Feedback) -> list[dict[str, Any]]:
    """The message's faults, or if there are none, its results' faults, each with all its lines."""
    if feedback.faults:
        return [_rejection(fault, []) for fault in feedback.faults]
    lines: defaultdict[Fault, list[int]] = defaultdict(list)
    for position, faults in sorted(feedback.refusals.items()):
        for fault in faults:
            lines[fault].append(feedback.line(position))
    return [_rejection(fault, found) for fault, found in lines.items()]


def _rejection(fault: Fault, lines: list[int]) -> dict[str, Any]:
    reason = fault.reason or bank.REJECTIONS[fault.code]
    return {"lines": lines, "field": fault.field, "code": fault.code, "reason": reason}

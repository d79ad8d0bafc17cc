"""Reads rejected messages of outside parties among the dead letters, and describes any dead letter in Chinese."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.contracts import dead_letter_descriptions
from services.contracts.external import bank, bank_keys, insurer, insurer_keys
from services.contracts.external.protection import CannotDecrypt, is_encrypted
from services.kit.dead_letters.masked_numbers import without_numbers
from services.kit.system import DeadLetterDescription, DeadLetterMessage


@dataclass(frozen=True)
class _Sender:
    """How the messages of an outside party are read: their name, which names their id, and their lines."""

    message: str
    decrypted: Callable[[bytes, str], bytes]
    id_name: str
    id_header: str
    record_kind: str
    """What the audit log calls such a message."""
    names: tuple[str, ...]
    """Fields of a message that are no personal data."""
    lines: Callable[[dict[str, Any]], dict[str, Any]]
    """What is no personal data in its lines."""


class ExternalDeadLetters:
    """The kit's DeadLetterDescriber for this system."""

    def content(self, letter: DeadLetterMessage) -> bytes:
        """The body, decrypted where this process can: one encrypted for a service only by that service."""
        sender = _SENDERS[letter.queue]
        try:
            return sender.decrypted(letter.body, sender.message)
        except CannotDecrypt:
            return letter.body

    def is_encrypted(self, letter: DeadLetterMessage) -> bool:
        """Whether the body is encrypted."""
        return is_encrypted(letter.body)

    def external_id(self, letter: DeadLetterMessage) -> str | None:
        """The id of the feedback or report that a rejected message is, or is a part of."""
        sender = _SENDERS[letter.queue]
        if is_encrypted(letter.body):
            noted = letter.headers.get(sender.id_header)
            return noted if isinstance(noted, str) else None
        try:
            named = json.loads(letter.body)[sender.id_name]
        except (ValueError, TypeError, LookupError, RecursionError):
            return None
        return named if isinstance(named, str) else None

    def record_kind(self, letter: DeadLetterMessage) -> str:
        """What the audit log calls an external message."""
        return _SENDERS[letter.queue].record_kind

    def unencrypted_fields(self, letter: DeadLetterMessage) -> dict[str, Any]:
        """The ids that a message names."""
        sender, document = _SENDERS[letter.queue], json.loads(letter.content)
        named = {name: str(document[name])[:64] for name in sender.names if name in document}
        return {**named, **sender.lines(document)}

    def describe(self, letter: DeadLetterMessage) -> DeadLetterDescription:
        """What a letter is about and why it failed, in Chinese."""
        return dead_letter_descriptions.describe(letter)


def _applications_of_feedback(document: dict[str, Any]) -> dict[str, Any]:
    lines = document.get("results") or document.get("cards") or ()
    results = [result for result in lines if isinstance(result, dict)]
    return {"application_ids": [str(UUID(str(one["application_id"]))) for one in results if one.get("application_id")]}


def _enrolments_of_report(document: dict[str, Any]) -> dict[str, Any]:
    lines = [line for line in document.get("enrolments") or () if isinstance(line, dict)]
    return {
        "enrolment_nos": [without_numbers(str(line["enrolment_no"])[:64]) for line in lines if line.get("enrolment_no")]
    }


_SENDERS = {
    bank.REJECTED_QUEUE: _Sender(
        message=bank.FEEDBACK_QUEUE,
        decrypted=bank_keys.decrypted,
        id_name="feedback_id",
        id_header=bank.FEEDBACK_ID_HEADER,
        record_kind="feedback",
        names=("feedback_id", "batch_no"),
        lines=_applications_of_feedback,
    ),
    insurer.REJECTED_QUEUE: _Sender(
        message=insurer.ENROLMENTS_QUEUE,
        decrypted=insurer_keys.decrypted,
        id_name="report_id",
        id_header=insurer.REPORT_ID_HEADER,
        record_kind="enrolment_report",
        names=("report_id",),
        lines=_enrolments_of_report,
    ),
}

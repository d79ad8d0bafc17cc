"""Reads the bank's rejected messages among the dead letters, and describes any dead letter in Chinese."""

import json
from typing import Any
from uuid import UUID

from services.contracts import bank, dead_letter_descriptions
from services.contracts.bank_keys import CannotDecrypt, decrypted
from services.contracts.external_messages import is_encrypted
from services.kit.system import DeadLetterDescription, DeadLetterMessage


class BankDeadLetters:
    """The kit's DeadLetterDescriber for this system."""

    def content(self, letter: DeadLetterMessage) -> bytes:
        """The body, decrypted where this process can: one encrypted for batching only by batching."""
        try:
            return decrypted(letter.body, bank.FEEDBACK_QUEUE)
        except CannotDecrypt:
            return letter.body

    def is_encrypted(self, letter: DeadLetterMessage) -> bool:
        """Whether the body is encrypted."""
        return is_encrypted(letter.body)

    def external_id(self, letter: DeadLetterMessage) -> str | None:
        """The id of the feedback that a rejected message of the bank is, or is a part of."""
        if is_encrypted(letter.body):
            noted = letter.headers.get(bank.FEEDBACK_ID_HEADER)
            return noted if isinstance(noted, str) else None
        try:
            named = json.loads(letter.body)["feedback_id"]
        except (ValueError, TypeError, LookupError, RecursionError):
            return None
        return named if isinstance(named, str) else None

    def unencrypted_fields(self, letter: DeadLetterMessage) -> dict[str, Any]:
        """The ids that a feedback names."""
        return _ids_of_feedback(json.loads(letter.content))

    def describe(self, letter: DeadLetterMessage) -> DeadLetterDescription:
        """What a letter is about and why it failed, in Chinese."""
        return dead_letter_descriptions.describe(letter)


def _ids_of_feedback(document: dict[str, Any]) -> dict[str, Any]:
    lines = document.get("results") or document.get("cards") or ()
    results = [result for result in lines if isinstance(result, dict)]
    named: dict[str, Any] = {name: str(document[name])[:64] for name in ("feedback_id", "batch_no") if name in document}
    ids = [str(UUID(str(result["application_id"]))) for result in results if result.get("application_id")]
    return {**named, "application_ids": ids}

"""Reads feedback: verifies its signature, loads its envelope, and loads each result or card report separately."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import ValidationError

from services.batching.bank.bank_messages import bank_keys
from services.batching.bank.bank_results import Result
from services.batching.cards.card_reports import Report
from services.batching.cards.card_states import CardStep
from services.batching.pending.application_states import Outcome
from services.batching.pending.persons import card_digest
from services.contracts.external import bank
from services.contracts.external.bank_keys import CannotDecrypt, clear_text, decrypted
from services.contracts.external.protection import SIGNATURE_HEADER, is_encrypted, is_signed
from services.kit.events.fast_codec import fast_load
from services.kit.events.subscribe import Message, Reject
from services.kit.external.lined_messages import (
    Fault,
    LinedMessage,
    digest_of,
    faults_of,
    original_lines,
    read_content,
)
from services.kit.text import InvalidValue, clean_text

_KIND = "bank_feedback"
_load_envelope = fast_load(bank.FeedbackEnvelope())
_load_result = fast_load(bank.FeedbackResult())
_load_card_envelope = fast_load(bank.CardFeedbackEnvelope())
_load_report = fast_load(bank.CardReport())


@dataclass(slots=True, kw_only=True)
class Feedback(LinedMessage):
    """One feedback message of the bank, on a batch's applicants or on cards, and the outcome of its lines.

    `message` brought it, unless a file did, of this `result_file_id`: then it may speak of `branch_code` alone.
    `results` or `reports` are its valid lines by position.
    """

    message: Message | None = None
    branch_code: str | None = None
    result_file_id: UUID | None = None
    batch_no: str | None = None
    processed_at: datetime | None = None
    results: dict[int, Result] = field(default_factory=dict)
    reports: dict[int, Report] = field(default_factory=dict)

    @property
    def is_of_cards(self) -> bool:
        """Whether it reports on cards instead of a batch's applicants."""
        return self.lines_name == "cards"

    def unjudged(self) -> "Feedback":
        """A copy, to be judged once more as this one was read."""
        return replace(
            self,
            faults=list(self.faults),
            refusals=dict(self.refusals),
            results=dict(self.results),
            reports=dict(self.reports),
        )


def read_feedback(message: Message) -> Feedback:
    """The feedback in a message, with its faults.

    Raises Reject where no receipt is possible: the signature is wrong, or there is no id for the receipt.
    """
    if not is_signed(message.body, message.headers.get(SIGNATURE_HEADER), bank_keys()):
        raise Reject("bad_signature")
    feedback = feedback_in(_document_in(message))
    feedback.message = message
    message.headers[bank.FEEDBACK_ID_HEADER] = feedback.id
    if feedback.has_envelope and clear_text() == "no" and not is_encrypted(message.body):
        feedback.faults.append(Fault("not_encrypted"))
    return feedback


def feedback_in(document: Any, branch_code: str | None = None) -> Feedback:
    """The feedback that a document holds, with its faults, of any branch or of this alone. Raises Reject without id."""
    lines_name = "cards" if _is_of_cards(document) else "results"
    try:
        loaded = _load_card_envelope(document) if lines_name == "cards" else _load_envelope(document)
    except ValidationError as error:
        return _without_envelope(document, error)
    feedback = Feedback(
        document=document,
        id=loaded["feedback_id"],
        content=digest_of(document, _KIND),
        lines_name=lines_name,
        total=len(loaded[lines_name]),
        batch_no=loaded.get("batch_no"),
        processed_at=loaded.get("processed_at"),
        lines=original_lines(document, lines_name),
        branch_code=branch_code,
    )
    for position, line in enumerate(loaded[lines_name]):
        try:
            if lines_name == "cards":
                feedback.reports[position] = _report(feedback, _load_report(line))
            else:
                feedback.results[position] = _result(loaded, _load_result(line))
        except ValidationError as error:
            feedback.refusals[position] = list(faults_of(error))
    return feedback


def _is_of_cards(document: Any) -> bool:
    return isinstance(document, dict) and "cards" in document and "results" not in document


def _document_in(message: Message) -> Any:
    try:
        return read_content(decrypted(message.body, bank.FEEDBACK_QUEUE))
    except CannotDecrypt as error:
        raise Reject(f"cannot_decrypt: {error}") from error


def _without_envelope(document: Any, error: ValidationError) -> Feedback:
    """A feedback with an invalid envelope, for its receipt only; raises Reject where it has no id."""
    faults = list(faults_of(error))
    if not isinstance(document, dict) or any(fault.field == "feedback_id" for fault in faults):
        raise Reject(f"bad_schema: {', '.join(fault.field or '_schema' for fault in faults)}") from error
    lines_name = "cards" if _is_of_cards(document) else "results"
    batch_no, lines = document.get("batch_no"), document.get(lines_name)
    return Feedback(
        document=document,
        id=document["feedback_id"],
        content=digest_of(document, _KIND),
        lines_name=lines_name,
        total=len(lines) if isinstance(lines, list) else 0,
        batch_no=None if lines_name == "cards" or any(one.field == "batch_no" for one in faults) else batch_no,
        has_envelope=False,
        faults=faults,
    )


def _result(feedback: dict[str, Any], result: dict[str, Any]) -> Result:
    card_no = result["card_no"]
    return Result(
        batch_no=feedback["batch_no"],
        processed_at=feedback["processed_at"],
        application_id=result["application_id"],
        member_no=result["member_no"],
        outcome=Outcome(result["outcome"]),
        card_no=card_no,
        card=card_digest(card_no) if card_no else None,
        reason_code=result["reason_code"],
        reason=_readable(result["reason"]),
    )


def _readable(reason: str | None) -> str | None:
    """The reason that people read; None where nothing of it can be read, for then the code is shown."""
    try:
        return clean_text(reason or "") or None
    except InvalidValue:
        return None


def _report(feedback: Feedback, report: dict[str, Any]) -> Report:
    new_card_no = report["new_card_no"] if report["new_card_no"] != report["card_no"] else None
    return Report(
        application_id=report["application_id"],
        member_no=report["member_no"],
        card_no=report["card_no"],
        card=card_digest(report["card_no"]),
        step=CardStep(report["step"]),
        happened_at=report["happened_at"],
        new_card_no=new_card_no,
        new_card=card_digest(new_card_no) if new_card_no else None,
        feedback_id=feedback.id,
        branch_code=feedback.branch_code,
    )

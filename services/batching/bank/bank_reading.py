"""Reads feedback: verifies its signature, loads its envelope, and loads each result or card report separately."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from marshmallow import ValidationError

from services.batching.bank.bank_messages import bank_keys
from services.batching.bank.bank_results import Result
from services.batching.cards.card_reports import Report
from services.batching.cards.card_states import CardStep
from services.batching.pending.application_states import Outcome
from services.batching.pending.persons import card_digest
from services.contracts import bank
from services.contracts.bank_keys import CannotDecrypt, clear_text, decrypted
from services.contracts.external_messages import SIGNATURE_HEADER, is_encrypted, is_signed
from services.kit.data.encryption import blind_index
from services.kit.events.fast_codec import fast_load
from services.kit.events.subscribe import Message, Reject
from services.kit.strict_json import read_json
from services.kit.text import InvalidValue, clean_text

LINES = "cut_from_lines"
CONTENT = "cut_from_content"
"""Fields of a rejected part that batching cut out of a feedback: its positions there, and the whole's digest in hex."""
CONTENT_BYTES = 16

_LARGEST_CONTENT = (1 << 20) + (64 << 10)
"""Bytes of the largest content: the contract allows 1 MiB, and a rejected part also has its positions."""

_load_envelope = fast_load(bank.FeedbackEnvelope())
_load_result = fast_load(bank.FeedbackResult())
_load_card_envelope = fast_load(bank.CardFeedbackEnvelope())
_load_report = fast_load(bank.CardReport())
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


class Fault(NamedTuple):
    """Why a feedback or one of its results is rejected: a stable code, the field, and a sentence without values."""

    code: str
    field: str | None = None
    reason: str | None = None

    def said_of(self, line: int | None, lines: str = "results") -> str:
        """The fault in the form of the header `x-reason`: `results.1.card_no: …`, `cards.0: unknown_card`."""
        place = [] if line is None else [lines, str(line)]
        return f"{'.'.join(place + ([self.field] if self.field else [])) or 'message'}: {self.reason or self.code}"


@dataclass(slots=True)
class Feedback:
    """One feedback message of the bank, on a batch's applicants or on cards, and the outcome of its lines.

    `total` is the number of its lines; `results` or `reports` are the valid ones by position; `refusals` the faults of
    the others.
    `faults` are those of the whole message: with any, nothing of it is applied. `content` is a digest by which other
    content under the same id is detected. `lines` are the positions in the bank's original message, for a part cut
    out of it.
    """

    message: Message
    document: dict[str, Any]
    feedback_id: str
    content: bytes
    total: int
    batch_no: str | None = None
    processed_at: datetime | None = None
    results: dict[int, Result] = field(default_factory=dict)
    reports: dict[int, Report] = field(default_factory=dict)
    refusals: dict[int, list[Fault]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    applied: int = 0
    repeated: int = 0
    is_first: bool = True
    """Whether no earlier feedback has its id."""
    lines: list[int] | None = None
    has_envelope: bool = True
    """Whether all but its lines could be read; otherwise it gets a receipt, but is not kept on record."""

    @property
    def is_of_cards(self) -> bool:
        """Whether it reports on cards instead of a batch's applicants."""
        return _is_of_cards(self.document)

    @property
    def lines_name(self) -> str:
        """The field of the message that has its lines."""
        return "cards" if self.is_of_cards else "results"

    @property
    def is_repetition(self) -> bool:
        """Whether an earlier feedback has this id and the same content."""
        return not self.is_first and not any(fault.code == "feedback_id_reused" for fault in self.faults)

    @property
    def rejected(self) -> int:
        """The number of rejected results."""
        return self.total if self.faults else len(self.refusals)

    def line(self, position: int) -> int:
        """The position in the bank's original message."""
        return self.lines[position] if self.lines else position


def read_feedback(message: Message) -> Feedback:
    """The feedback in a message, with its faults.

    Raises Reject where no receipt is possible: the signature is wrong, or there is no id for the receipt.
    """
    if not is_signed(message.body, message.headers.get(SIGNATURE_HEADER), bank_keys()):
        raise Reject("bad_signature")
    document = _document_in(message)
    lines_name = "cards" if _is_of_cards(document) else "results"
    try:
        loaded = _load_card_envelope(document) if lines_name == "cards" else _load_envelope(document)
    except ValidationError as error:
        return _without_envelope(message, document, error)
    feedback = Feedback(
        message=message,
        document=document,
        feedback_id=loaded["feedback_id"],
        content=_content_of(document),
        total=len(loaded[lines_name]),
        batch_no=loaded.get("batch_no"),
        processed_at=loaded.get("processed_at"),
        lines=_lines_of(document, lines_name),
    )
    message.headers[bank.FEEDBACK_ID_HEADER] = feedback.feedback_id
    if clear_text() == "no" and not is_encrypted(message.body):
        feedback.faults.append(Fault("not_encrypted"))
    for position, line in enumerate(loaded[lines_name]):
        try:
            if lines_name == "cards":
                feedback.reports[position] = _report(feedback.feedback_id, _load_report(line))
            else:
                feedback.results[position] = _result(loaded, _load_result(line))
        except ValidationError as error:
            feedback.refusals[position] = list(_faults(error))
    return feedback


def _is_of_cards(document: Any) -> bool:
    return isinstance(document, dict) and "cards" in document and "results" not in document


def _document_in(message: Message) -> Any:
    try:
        content = decrypted(message.body, bank.FEEDBACK_QUEUE)
        if len(content) > _LARGEST_CONTENT:
            raise Reject(f"too_large: {len(content)} bytes")
        return read_json(content)
    except CannotDecrypt as error:
        raise Reject(f"cannot_decrypt: {error}") from error
    except ValueError as error:
        raise Reject("not_json") from error


def _without_envelope(message: Message, document: Any, error: ValidationError) -> Feedback:
    """A feedback with an invalid envelope, for its receipt only; raises Reject where it has no id."""
    faults = list(_faults(error))
    if not isinstance(document, dict) or any(fault.field == "feedback_id" for fault in faults):
        raise Reject(f"bad_schema: {', '.join(fault.field or '_schema' for fault in faults)}") from error
    message.headers[bank.FEEDBACK_ID_HEADER] = document["feedback_id"]
    batch_no, results = document.get("batch_no"), document.get("cards" if _is_of_cards(document) else "results")
    return Feedback(
        message=message,
        document=document,
        feedback_id=document["feedback_id"],
        content=_content_of(document),
        total=len(results) if isinstance(results, list) else 0,
        batch_no=None if _is_of_cards(document) or any(one.field == "batch_no" for one in faults) else batch_no,
        has_envelope=False,
        faults=faults,
    )


def _faults(error: ValidationError) -> Iterator[Fault]:
    """The faults of marshmallow's messages, by field; these name limits, never values."""
    for name, messages in sorted(error.normalized_messages().items()):
        sentence = messages[0] if isinstance(messages, list) else "Some of it is wrong."
        yield Fault("bad_schema", None if name == "_schema" else str(name), sentence)


def _content_of(document: dict[str, Any]) -> bytes:
    """The digest of a document's content, whatever its formatting; keyed, so that no card number can be guessed."""
    digest = document.get(CONTENT)
    if isinstance(digest, str) and LINES in document:
        try:
            if len(claimed := bytes.fromhex(digest)) == CONTENT_BYTES:
                return claimed
        except ValueError:
            pass
    try:
        return blind_index(_canonical(document), "bank_feedback")
    except RecursionError:
        raise Reject("not_json") from None


def _lines_of(document: dict[str, Any], lines_name: str) -> list[int] | None:
    lines = document.get(LINES)
    if CONTENT in document and isinstance(lines, list) and len(lines) == len(document[lines_name]):
        return [line if type(line) is int else position for position, line in enumerate(lines)]
    return None


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


def _report(feedback_id: str, report: dict[str, Any]) -> Report:
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
        feedback_id=feedback_id,
    )

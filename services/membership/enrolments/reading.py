"""Reads a report of the mutual-aid society: verifies its signature, loads its envelope, and each enrolment."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from marshmallow import ValidationError

from services.contracts.external import insurer
from services.contracts.external.insurer_keys import decrypted, insurer_keys
from services.contracts.external.protection import SIGNATURE_HEADER, CannotDecrypt, is_encrypted, is_signed
from services.contracts.shared import ENROLMENT_KINDS
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

_KIND = "enrolment_report"
_LINES = "enrolments"
_load_envelope = fast_load(insurer.ReportEnvelope())
_load_line = fast_load(insurer.EnrolmentLine())


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An enrolment as a report has it."""

    enrolment_no: str
    member_no: str
    year: int
    way: str
    kinds: str
    """In the contract's order, with spaces between them."""
    covers_from: date
    covers_to: date
    state: str
    ended_on: date | None
    reason: str | None
    changed_at: datetime


@dataclass(slots=True, kw_only=True)
class Report(LinedMessage):
    """A report of the society, and the outcome of its lines; `enrolments` are the valid ones by position."""

    message: Message
    enrolments: dict[int, Line] = field(default_factory=dict)


def read_report(message: Message) -> Report:
    """The report in a message, with its faults.

    Raises Reject where no receipt is possible: the signature is wrong, or there is no id for the receipt.
    """
    if not is_signed(message.body, message.headers.get(SIGNATURE_HEADER), insurer_keys()):
        raise Reject("bad_signature")
    document = _document_in(message)
    try:
        loaded = _load_envelope(document)
    except ValidationError as error:
        return _without_envelope(message, document, error)
    report = Report(
        message=message,
        document=document,
        id=loaded["report_id"],
        content=digest_of(document, _KIND),
        lines_name=_LINES,
        total=len(loaded[_LINES]),
        lines=original_lines(document, _LINES),
    )
    message.headers[insurer.REPORT_ID_HEADER] = report.id
    if not is_encrypted(message.body):
        report.faults.append(Fault("not_encrypted"))
    for position, line in enumerate(loaded[_LINES]):
        try:
            report.enrolments[position] = _line(_load_line(line))
        except ValidationError as error:
            report.refusals[position] = list(faults_of(error))
    return report


def _document_in(message: Message) -> Any:
    try:
        return read_content(decrypted(message.body, insurer.ENROLMENTS_QUEUE))
    except CannotDecrypt as error:
        raise Reject(f"cannot_decrypt: {error}") from error


def _without_envelope(message: Message, document: Any, error: ValidationError) -> Report:
    """A report with an invalid envelope, for its receipt only; raises Reject where it has no id."""
    faults = list(faults_of(error))
    if not isinstance(document, dict) or any(fault.field == "report_id" for fault in faults):
        raise Reject(f"bad_schema: {', '.join(fault.field or '_schema' for fault in faults)}") from error
    message.headers[insurer.REPORT_ID_HEADER] = document["report_id"]
    lines = document.get(_LINES)
    return Report(
        message=message,
        document=document,
        id=document["report_id"],
        content=digest_of(document, _KIND),
        lines_name=_LINES,
        total=len(lines) if isinstance(lines, list) else 0,
        has_envelope=False,
        faults=faults,
    )


def _line(loaded: dict[str, Any]) -> Line:
    kinds = " ".join(kind for kind in ENROLMENT_KINDS if kind in loaded["kinds"])
    return Line(**{**loaded, "kinds": kinds, "reason": _readable(loaded["reason"])})


def _readable(reason: str | None) -> str | None:
    try:
        return clean_text(reason or "") or None
    except InvalidValue:
        return None

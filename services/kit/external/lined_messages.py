"""A message of an outside party with many lines: what of it is faulty, what is rejected, what its receipt says."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from marshmallow import ValidationError

from services.kit.data.encryption import blind_index
from services.kit.events.contract import MESSAGE_SIZE
from services.kit.events.subscribe import Reject
from services.kit.external.contradictions import Contradiction
from services.kit.strict_json import read_json

LINES = "cut_from_lines"
CONTENT = "cut_from_content"
"""Fields of a rejected part that was cut out of a message: its positions there, and the whole's digest in hex."""
CONTENT_BYTES = 16

_LARGEST_CONTENT = (1 << 20) + (64 << 10)
"""Bytes of the largest content: contracts allow 1 MiB, and a rejected part also has its positions."""
_LINES_A_RECEIPT = 10_000
"""A message of receipts that has reached this number of rejected lines takes no further receipt."""
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


class Fault(NamedTuple):
    """Why a message or one of its lines is rejected: a stable code, the field, and a sentence without values."""

    code: str
    field: str | None = None
    reason: str | None = None

    def said_of(self, line: int | None, lines: str) -> str:
        """The fault in the form of the header `x-reason`: `results.1.card_no: …`, `cards.0: unknown_card`."""
        place = [] if line is None else [lines, str(line)]
        return f"{'.'.join(place + ([self.field] if self.field else [])) or 'message'}: {self.reason or self.code}"


@dataclass(slots=True, kw_only=True)
class LinedMessage:
    """A message of an outside party with many lines, and the outcome of these.

    `id` is the sender's own. `total` is the number of lines, which the document has in its field `lines_name`;
    `refusals` are the faults of single lines by position. `faults` are those of the whole message: with any, nothing of
    it is applied. `content` is a digest by which other content under the same id is detected. `lines` are the positions
    in the original message, for a part cut out of it.
    """

    document: dict[str, Any]
    id: str
    content: bytes
    lines_name: str
    total: int
    refusals: dict[int, list[Fault]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    applied: int = 0
    repeated: int = 0
    is_first: bool = True
    """Whether no earlier message has its id."""
    lines: list[int] | None = None
    has_envelope: bool = True
    """Whether all but its lines could be read; otherwise it gets a receipt, but is not kept on record."""

    @property
    def is_repetition(self) -> bool:
        """Whether an earlier message has this id and the same content."""
        return not self.is_first and not any(fault.code.endswith("_id_reused") for fault in self.faults)

    @property
    def rejected(self) -> int:
        """The number of rejected lines."""
        return self.total if self.faults else len(self.refusals)

    def line(self, position: int) -> int:
        """The position in the sender's original message."""
        return self.lines[position] if self.lines else position

    def reasons(self) -> Iterator[str]:
        """Why it or lines of it are rejected, in the form of the header `x-reason`."""
        for fault in self.faults:
            yield fault.said_of(None, self.lines_name)
        for position, faults in sorted(self.refusals.items()):
            yield from (fault.said_of(self.line(position), self.lines_name) for fault in faults)

    def rejected_part(self) -> dict[str, Any]:
        """The rejected lines, as a message of their own."""
        positions = sorted(self.refusals)
        lines = self.document[self.lines_name]
        return {
            **self.document,
            self.lines_name: [lines[position] for position in positions],
            LINES: [self.line(position) for position in positions],
            CONTENT: self.content.hex(),
        }

    def rejections(self, sentences: Mapping[str, str]) -> list[dict[str, Any]]:
        """The faults as a receipt says them: the message's, or if there are none, its lines', each with its lines."""
        if self.faults:
            return [_rejection(fault, [], sentences) for fault in self.faults]
        lines: defaultdict[Fault, list[int]] = defaultdict(list)
        for position, faults in sorted(self.refusals.items()):
            for fault in faults:
                lines[fault].append(self.line(position))
        return [_rejection(fault, found, sentences) for fault, found in lines.items()]


LinedT = TypeVar("LinedT", bound=LinedMessage)


def read_content(body: bytes) -> Any:
    """The JSON of a decrypted body; raises Reject `too_large` and `not_json`."""
    if len(body) > _LARGEST_CONTENT:
        raise Reject(f"too_large: {len(body)} bytes")
    try:
        return read_json(body)
    except ValueError as error:
        raise Reject("not_json") from error


def faults_of(error: ValidationError) -> Iterator[Fault]:
    """The faults of marshmallow's messages, by field; these name limits, never values."""
    for name, messages in sorted(error.normalized_messages().items()):
        sentence = messages[0] if isinstance(messages, list) else "Some of it is wrong."
        yield Fault("bad_schema", None if name == "_schema" else str(name), sentence)


def digest_of(document: dict[str, Any], kind: str) -> bytes:
    """The digest of a document's content, whatever its formatting; keyed, so that no number in it can be guessed."""
    digest = document.get(CONTENT)
    if isinstance(digest, str) and LINES in document:
        try:
            if len(claimed := bytes.fromhex(digest)) == CONTENT_BYTES:
                return claimed
        except ValueError:
            pass
    try:
        return blind_index(_canonical(document), kind)
    except RecursionError:
        raise Reject("not_json") from None


def original_lines(document: dict[str, Any], lines_name: str) -> list[int] | None:
    """The positions in the original message, of a part that was cut out of it; None for a whole message."""
    lines = document.get(LINES)
    if CONTENT in document and isinstance(lines, list) and len(lines) == len(document[lines_name]):
        return [line if type(line) is int else position for position, line in enumerate(lines)]
    return None


def in_receipts(messages: Sequence[LinedT]) -> Iterator[list[LinedT]]:
    """The messages in groups that each get one message of receipts: a party may send thousands with one line each."""
    part: list[LinedT] = []
    lines = 0
    for message in messages:
        if len(part) == MESSAGE_SIZE or lines > _LINES_A_RECEIPT:
            yield part
            part, lines = [], 0
        part.append(message)
        lines += len(message.refusals)
    if part:
        yield part


def judge_lines(
    messages: Sequence[LinedT], lines_of: Callable[[LinedT], Mapping[int, Any]], apply: Callable[[Any], bool]
) -> None:
    """Applies each line; `apply` returns whether it says something new, and raises a Contradiction for a refusal."""
    for message in messages:
        for position, line in lines_of(message).items():
            try:
                is_new = apply(line)
            except Contradiction as contradiction:
                message.refusals[position] = [Fault(contradiction.code)]
            else:
                message.applied += is_new
                message.repeated += not is_new


def _rejection(fault: Fault, lines: list[int], sentences: Mapping[str, str]) -> dict[str, Any]:
    reason = fault.reason or sentences[fault.code]
    return {"lines": lines, "field": fault.field, "code": fault.code, "reason": reason}

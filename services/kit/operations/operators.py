"""The operations that operators call on each service: its status and its dead letters."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from marshmallow import ValidationError, fields, validate

from services.kit.fields import text
from services.kit.rpc.operation import CommonOperation
from services.kit.rpc.paging import PageAnswer, PageRequest

DEEPEST_LETTER = 10_000
"""The last row that a page may contain, as in every list."""

MOST_SETTLED = 1000
"""Most dead letters that one request may name."""


@dataclass(frozen=True, kw_only=True)
class GetStatusRequest:
    """How a process of the service does."""


@dataclass(frozen=True, kw_only=True)
class StatusAnswer:
    release: Annotated[str, "the version of the code that runs"]
    started_at: Annotated[datetime, fields.DateTime()]
    reasons: Annotated[list[str], "what keeps it from working"]


@dataclass(frozen=True, kw_only=True)
class ServiceStatus:
    service: str
    answers: Annotated[bool, "whether a process answered within 2 seconds"]
    processes: Annotated[int | None, "how many processes take its requests"]
    status: StatusAnswer | None


@dataclass(frozen=True, kw_only=True)
class ServicesAnswer:
    items: list[ServiceStatus]


QUEUE_KINDS = ("requests", "events", "retry", "dead", "to_bank", "from_bank", "to_insurer", "from_insurer")


@dataclass(frozen=True, kw_only=True)
class QueueDepth:
    queue: str
    service: Annotated[str, "the service that owns it"]
    kind: Annotated[str, validate.OneOf(QUEUE_KINDS)]
    messages: Annotated[int, "that are ready"]
    consumers: int
    is_missing: Annotated[bool, "it does not exist; the broker's administrator restores it"]


@dataclass(frozen=True, kw_only=True)
class QueuesAnswer:
    items: list[QueueDepth]
    restore_command: Annotated[str, "the command that restores missing queues"]


@dataclass(frozen=True, kw_only=True)
class DeadLetterQueue:
    queue: Annotated[str, validate.Length(max=200)]


@dataclass(frozen=True, kw_only=True)
class ListDeadLettersRequest(PageRequest):
    """The dead letters of one queue, or of all of them; the oldest failures first."""

    queue: Annotated[str | None, validate.Length(max=200)] = None


@dataclass(frozen=True, kw_only=True)
class ServiceDeadLettersRequest:
    """The oldest `limit` letters of all of the service's queues, or of one."""

    queue: Annotated[str | None, validate.Length(max=200)] = None
    limit: Annotated[int, validate.Range(min=1, max=DEEPEST_LETTER)] = DEEPEST_LETTER


@dataclass(frozen=True, kw_only=True)
class DeadLetterAnswer:
    queue: str
    id: str
    type: Annotated[str | None, "the event's type"]
    cause: Annotated[str, "the class of the error"]
    reason: str
    first_failed_at: str | None
    failed_at: str | None
    attempts: Annotated[int, "in all, over its replays"]
    replays: Annotated[int, "how often operators have replayed it"]
    subject: Annotated[str, "what kind of message it is, in Chinese"]
    explanation: Annotated[str, "why it failed, in Chinese for people"]
    union_id: str | None
    union_code: str | None
    union_name: str | None
    batch_no: str | None
    persons: Annotated[int | None, "how many persons the message speaks of"]
    correlation_id: str | None
    size: Annotated[int, "bytes"]
    overdue: Annotated[bool, "it has waited for an operator beyond the limit"] = False


@dataclass(frozen=True, kw_only=True)
class ServiceDeadLettersAnswer:
    items: list[DeadLetterAnswer]
    total: int


@dataclass(frozen=True, kw_only=True)
class DeadLettersAnswer(PageAnswer):
    items: list[DeadLetterAnswer]
    unanswered: Annotated[list[str], "services that did not answer: theirs are missing"]


@dataclass(frozen=True, kw_only=True)
class GetDeadLetterRequest(DeadLetterQueue):
    id: Annotated[str, validate.Length(1, 200)]


@dataclass(frozen=True, kw_only=True)
class ReplayAnswer:
    """A replay, and the attempts that were made before it."""

    number: Annotated[int, "from 1; the newest ten are kept"]
    attempts: Annotated[int, "in all, up to this replay"]
    first_failed_at: str | None
    failed_at: str | None
    cause: str
    reason: str
    replayed_at: str
    replayed_by: Annotated[str, "the operator's account"]


@dataclass(frozen=True, kw_only=True)
class DeadLetterDetailAnswer(DeadLetterAnswer):
    """One letter without personal data, which is encrypted in events and left out of outside parties' messages."""

    original_queue: str | None
    traceback: str | None
    content: Annotated[dict[str, Any], "the open fields of its body"]
    history: list[ReplayAnswer]


@dataclass(frozen=True, kw_only=True)
class ReplayDeadLettersRequest(DeadLetterQueue):
    """`ids`, or all that lie in the queue now."""

    ids: Annotated[list[str] | None, validate.Length(1, MOST_SETTLED)] = None
    all: bool = False

    def __post_init__(self) -> None:
        """Either some or all."""
        if bool(self.ids) == bool(self.all):
            raise ValidationError("请填写 ids，或以 all 表示全部", "ids")


@dataclass(frozen=True, kw_only=True)
class DiscardDeadLettersRequest(DeadLetterQueue):
    ids: Annotated[list[str], validate.Length(1, MOST_SETTLED)]
    reason: Annotated[str, text(200, shortest=2)]


@dataclass(frozen=True, kw_only=True)
class SettledAnswer:
    ids: Annotated[list[str], "of the letters that it was done with"]


GET_STATUS = CommonOperation("get_status", GetStatusRequest, StatusAnswer)
LIST_DEAD_LETTERS = CommonOperation("list_dead_letters", ServiceDeadLettersRequest, ServiceDeadLettersAnswer)
GET_DEAD_LETTER = CommonOperation("get_dead_letter", GetDeadLetterRequest, DeadLetterDetailAnswer)
REPLAY_DEAD_LETTERS = CommonOperation(
    "replay_dead_letters",
    ReplayDeadLettersRequest,
    SettledAnswer,
    is_command=True,
    title="重放死信",
    uses_database=True,
)
DISCARD_DEAD_LETTERS = CommonOperation(
    "discard_dead_letters",
    DiscardDeadLettersRequest,
    SettledAnswer,
    is_command=True,
    title="丢弃死信",
    uses_database=True,
)
OF_EVERY_SERVICE = (GET_STATUS, LIST_DEAD_LETTERS, GET_DEAD_LETTER, REPLAY_DEAD_LETTERS, DISCARD_DEAD_LETTERS)

"""The system that the kit serves, as its contracts describe it: services, events, queues with the outside.

The kit knows nothing of the field. `services/contracts` describes the system once, when it is first imported.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import amqp

from services.kit.events.contract import EventContract


@dataclass(frozen=True, kw_only=True)
class LetterDescription:
    """What a dead letter is about and why it lies there, in Chinese; what it does not say is None.

    `persons` is how many persons it speaks of. None of it is personal data.
    """

    subject: str
    explanation: str
    union_id: str | None
    union_code: str | None
    union_name: str | None
    batch_no: str | None
    persons: int | None


class Letter(Protocol):
    """A dead letter, as far as it is described."""

    @property
    def queue(self) -> str: ...
    @property
    def type(self) -> str | None: ...
    @property
    def cause(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> dict[str, Any]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def content(self) -> bytes: ...


class LetterReader(Protocol):
    """Reads dead letters of an external queue, and tells people what any dead letter is about."""

    def content(self, letter: Letter) -> bytes:
        """The body of an external message as far as it can be decrypted here."""

    def is_encrypted(self, letter: Letter) -> bool:
        """Whether an external message is still encrypted as it came."""

    def external_id(self, letter: Letter) -> str | None:
        """What the outside party calls its message."""

    def open_fields(self, letter: Letter) -> dict[str, Any]:
        """What an external message says but for personal data; raises ValueError and the like where it is none."""

    def about(self, letter: Letter) -> LetterDescription:
        """What a letter is about and why it lies there."""


@dataclass(frozen=True)
class ExternalQueues:
    """Queues by which a service and an outside party exchange messages. Their names begin with `<prefix>.`.

    `queues` are all of them, `needed` those without which the service cannot work, `rejected` the one of messages that
    were refused. `declare` makes all of them, with their exchanges.
    """

    prefix: str
    owner: str
    queues: tuple[str, ...]
    needed: tuple[str, ...]
    rejected: str
    exchanges: tuple[str, ...]
    declare: Callable[[amqp.Channel], None]


@dataclass(frozen=True)
class System:
    """What the contracts say of the system.

    `audit_events` are the events by which services publish audit events, by service; `record_kinds` the kinds of
    records that these name. `masks` hide a value of that name in an audit event, `mask_text` the numbers in any text.
    """

    services: tuple[str, ...]
    events: Mapping[str, EventContract[Any]]
    external: ExternalQueues
    letters: LetterReader
    audit_events: dict[str, EventContract[Any]]
    record_kinds: Mapping[str, str]
    masks: Mapping[str, Callable[[str], str]]
    mask_text: Callable[[str], str]


class NotDescribed(RuntimeError):
    """The kit is used without the contracts of a system."""


_described: list[System] = []


def describe(system: System) -> None:
    """Lets the kit serve this system."""
    _described[:] = [system]


def the_system() -> System:
    """The system that the kit serves; raises NotDescribed."""
    if not _described:
        raise NotDescribed("import services.contracts first")
    return _described[0]

"""The system that uses the kit, as its contracts describe it: services, events, external queues.

The kit knows nothing of union cards. `services/contracts` describes the system once, when it is first imported.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import amqp

from services.kit.events.contract import EventContract


@dataclass(frozen=True, kw_only=True)
class DeadLetterDescription:
    """What a dead letter is about and why it failed, in Chinese; unknown values are None.

    `persons` is how many persons it concerns. None of it is personal data.
    """

    subject: str
    explanation: str
    union_id: str | None
    union_code: str | None
    union_name: str | None
    batch_no: str | None
    persons: int | None


class DeadLetterMessage(Protocol):
    """The attributes of a dead letter that a DeadLetterDescriber uses."""

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


class DeadLetterDescriber(Protocol):
    """Reads dead letters of external queues, and describes any dead letter for people."""

    def content(self, letter: DeadLetterMessage) -> bytes:
        """The body of an external message as far as it can be decrypted here."""

    def is_encrypted(self, letter: DeadLetterMessage) -> bool:
        """Whether an external message is still encrypted."""

    def external_id(self, letter: DeadLetterMessage) -> str | None:
        """The outside party's id of its message."""

    def record_kind(self, letter: DeadLetterMessage) -> str:
        """What the audit log calls an external message, one of the system's `record_kinds`."""

    def unencrypted_fields(self, letter: DeadLetterMessage) -> dict[str, Any]:
        """An external message's content without personal data; raises ValueError and the like for an invalid one."""

    def describe(self, letter: DeadLetterMessage) -> DeadLetterDescription:
        """What a letter is about and why it failed."""


@dataclass(frozen=True)
class ExternalQueues:
    """The queues by which a service and an outside party exchange messages. Their names begin with `<prefix>.`.

    `queues` are all of them, `needed` those without which the service cannot work, `consumed` those that it reads,
    `rejected` the one of rejected messages. `declare` declares all of them, with their exchanges.
    """

    prefix: str
    owner: str
    queues: tuple[str, ...]
    needed: tuple[str, ...]
    consumed: tuple[str, ...]
    rejected: str
    exchanges: tuple[str, ...]
    declare: Callable[[amqp.Channel], None]


MOST_REASONS, LONGEST_REASON = 20, 1000
"""Most reasons for not being ready that a status event has, and the most characters of one."""


@dataclass(frozen=True)
class System:
    """The description of the system by its contracts.

    `audit_events` are the contracts by which services publish audit events, by service; `record_kinds` the kinds of
    records that these name. `status_events` are those of their status, by service. `masks` mask a value of that name in
    an audit event, `mask_text` the numbers in any text.
    """

    services: tuple[str, ...]
    events: Mapping[str, EventContract[Any]]
    external: tuple[ExternalQueues, ...]
    dead_letters: DeadLetterDescriber
    audit_events: dict[str, EventContract[Any]]
    record_kinds: Mapping[str, str]
    status_events: Mapping[str, EventContract[Any]]
    masks: Mapping[str, Callable[[str], str]]
    mask_text: Callable[[str], str]


class NotDescribed(RuntimeError):
    """The kit is used before a system was described."""


_described: list[System] = []


def describe(system: System) -> None:
    """Sets the system that the kit serves."""
    _described[:] = [system]


def external_of(owner: str) -> Iterator[ExternalQueues]:
    """The queues by which this service and outside parties exchange messages."""
    return (one for one in the_system().external if one.owner == owner)


def the_system() -> System:
    """The system that the kit serves; raises NotDescribed."""
    if not _described:
        raise NotDescribed("import services.contracts first")
    return _described[0]

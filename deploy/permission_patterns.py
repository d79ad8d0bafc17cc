"""Permissions as RabbitMQ takes them: regular expressions over names of queues and exchanges, and routing keys."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.kit.events.contract import EventContract

NOTHING = "^$"


@dataclass(frozen=True)
class OfTopic:
    """The routing keys of a topic exchange with which a user may publish (write) and bind queues (read)."""

    write: str = NOTHING
    read: str = NOTHING


@dataclass(frozen=True)
class Permissions:
    """RabbitMQ's three regular expressions over names of queues and exchanges, and those of topic exchanges."""

    configure: str
    """Declare and delete."""
    write: str
    """Publish to an exchange, bind a queue, bind an exchange to another."""
    read: str
    """Consume, get and purge a queue, bind to an exchange."""
    topics: dict[str, OfTopic] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    """The user's limits, such as connections, by RabbitMQ's names."""

    def beside(self, other: "Permissions") -> "Permissions":
        """Returns what either of the two allows."""
        exchanges = {**self.topics, **other.topics}
        return Permissions(
            _either(self.configure, other.configure),
            _either(self.write, other.write),
            _either(self.read, other.read),
            {
                name: OfTopic(
                    _either(*(one.topics[name].write for one in (self, other) if name in one.topics)),
                    _either(*(one.topics[name].read for one in (self, other) if name in one.topics)),
                )
                for name in exchanges
            },
            {**other.limits, **self.limits},
        )


def any_of(patterns: Iterable[str]) -> str:
    """Returns a pattern that matches a whole name by one of these patterns."""
    alternatives = "|".join(patterns)
    return f"^({alternatives})$" if alternatives else NOTHING


def exactly(names: Iterable[str]) -> str:
    """Returns a pattern that matches exactly these names."""
    return any_of(map(re.escape, names))


def keys_of(event: EventContract, recipients: Iterable[str]) -> str:
    """Returns a pattern of the keys of copies for these recipients, and of the former key of the previous release."""
    return rf"{re.escape(event.type)}(\.({'|'.join(recipients)}))?"


def _either(*patterns: str) -> str:
    some = list(dict.fromkeys(pattern for pattern in patterns if pattern != NOTHING))
    return "|".join(some) or NOTHING

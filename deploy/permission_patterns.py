"""Permissions in RabbitMQ's form: regular expressions over names of queues and exchanges, and over routing keys."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.kit.events.contract import EventContract

NOTHING = "^$"


@dataclass(frozen=True)
class OfTopic:
    """The routing keys of a topic exchange that a user may publish with, and bind queues by."""

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
    """What the user may have at once, by RabbitMQ's own names."""

    def beside(self, other: "Permissions") -> "Permissions":
        """What one or the other allows."""
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
    """The whole name is one of these."""
    alternatives = "|".join(patterns)
    return f"^({alternatives})$" if alternatives else NOTHING


def exactly(names: Iterable[str]) -> str:
    """The name is one of these, letter by letter."""
    return any_of(map(re.escape, names))


def keys_of(event: EventContract, recipients: Iterable[str]) -> str:
    """The keys of copies for these recipients, and the former one, by which an older release tells and hears."""
    return rf"{re.escape(event.type)}(\.({'|'.join(recipients)}))?"


def _either(*patterns: str) -> str:
    some = list(dict.fromkeys(pattern for pattern in patterns if pattern != NOTHING))
    return "|".join(some) or NOTHING

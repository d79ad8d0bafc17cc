"""Who is who on the broker: whose user a message was published by, and whether that is whose it should be.

Each program has a user whose name ends with the program's: `membership`, `cards_membership`. The property `user_id` of
a message is checked by the broker when it is published, so no program can put another's name there.
"""

from dataclasses import dataclass
from typing import Any

from amqp.basic_message import Message as AmqpMessage

from services.common.messaging.connection import user_of
from services.common.settings import MessagingSettings, SettingsError, is_production

PUBLISHER = "x-publisher"
"""The header in which a service that moves a message keeps who had published it; empty where that was not known.

It counts in messages that the service itself has published, and in no others.
"""


@dataclass(frozen=True)
class BrokerUsers:
    """The users of one system, as one of its programs knows them.

    Where one user is shared by all programs, as in tests, there is nobody to tell apart: then nothing is refused, and
    services declare by themselves what they need. Else `deploy.broker` has declared all.
    """

    own: str
    prefix: str | None
    """What the names of all users begin with; None where one user is shared."""

    @classmethod
    def of(cls, amqp_uri: str, program: str) -> "BrokerUsers":
        """As the user in the address tells, whose program this is."""
        own = user_of(amqp_uri)
        return cls(own, own.removesuffix(program) if own.endswith(program) else None)

    @property
    def is_shared(self) -> bool:
        """Whether all programs use one user."""
        return self.prefix is None

    def name_of(self, program: str) -> str:
        """The user of a program."""
        return self.own if self.prefix is None else f"{self.prefix}{program}"

    def refusal(self, message: AmqpMessage, *programs: str, is_former_taken: bool) -> str | None:
        """Why a message is none of these programs'; None where it is.

        `is_former_taken` lets those pass that name no publisher, as the release before sends them.
        """
        if self.is_shared:
            return None
        publisher = publisher_of(message, self.own)
        expected = [self.name_of(program) for program in programs]
        if publisher in expected or (publisher is None and is_former_taken):
            return None
        return f"published by {publisher or 'nobody who is named'}, not by {' or '.join(expected)}"


def publisher_of(message: AmqpMessage, own: str) -> str | None:
    """The user who first published a message, by the broker's word; None where it named nobody.

    What `own` has published it has moved: then its header says whose the message was.
    """
    user: str | None = message.properties.get("user_id")
    if user != own:
        return user
    kept: Any = (message.headers or {}).get(PUBLISHER)
    return kept or None if isinstance(kept, str) else own


def kept_publisher(message: AmqpMessage, own: str) -> dict[str, str]:
    """The header that keeps who published a message when `own` moves it."""
    return {PUBLISHER: publisher_of(message, own) or ""}


def require_own_user(settings: MessagingSettings, program: str) -> None:
    """Refuses production where the broker's user is not the program's own; raises SettingsError."""
    if is_production() and BrokerUsers.of(settings.amqp_uri, program).is_shared:
        raise SettingsError(
            f"Settings in the environment: AMQP_URI names a user that is not {program}'s own: its name must end"
            f" with {program}."
        )

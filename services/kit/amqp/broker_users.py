"""The broker's users: which program published a message, and whether that program is its producer.

Each program has its own user, whose name ends with the program's: `membership`, `cards_membership`. The broker checks
the property `user_id` of each published message, so no program can publish under another's name.
"""

from dataclasses import dataclass

from services.kit.amqp.connection import user_of
from services.kit.amqp.original_publisher import original_publisher
from services.kit.amqp.transport import Delivery
from services.kit.settings import MessagingSettings, SettingsError, is_production


@dataclass(frozen=True)
class BrokerUsers:
    """The broker users of one system, as one of its programs sees them.

    Where all programs share one user, as in tests, publishers cannot be distinguished: then no message is refused, and
    services declare the queues and exchanges they need. Otherwise `deploy.broker` has declared them.
    """

    own: str
    prefix: str | None
    """The common prefix of all user names; None where one user is shared."""

    @classmethod
    def of(cls, amqp_uri: str, program: str) -> "BrokerUsers":
        """The users of the system, derived from the user in this program's broker address."""
        own = user_of(amqp_uri)
        return cls(own, own.removesuffix(program) if own.endswith(program) else None)

    @property
    def is_shared(self) -> bool:
        """Whether all programs share one user."""
        return self.prefix is None

    def name_of(self, program: str) -> str:
        """The user name of a program."""
        return self.own if self.prefix is None else f"{self.prefix}{program}"

    def refusal(self, message: Delivery, *programs: str, queue: str, accepts_former: bool) -> str | None:
        """Why a message of this queue was not published by one of these programs; None where it was.

        With `accepts_former`, messages are accepted that name no publisher or do not prove the publisher they name:
        earlier releases sent and moved them so.
        """
        if self.is_shared:
            return None
        publisher = original_publisher(message, self.own, queue)
        expected = [self.name_of(program) for program in programs]
        if not publisher.is_proved and not accepts_former:
            return f"published by {self.own}, without proof that it was {publisher.user or 'nobody'} before"
        if publisher.user in expected or (publisher.user is None and accepts_former):
            return None
        return f"published by {publisher.user or 'nobody who is named'}, not by {' or '.join(expected)}"


def require_own_user(settings: MessagingSettings, program: str) -> None:
    """Raises SettingsError in production where the broker user is not the program's own."""
    if is_production() and BrokerUsers.of(settings.amqp_uri, program).is_shared:
        raise SettingsError(
            f"Settings in the environment: AMQP_URI names a user that is not {program}'s own: its name must end"
            f" with {program}."
        )

"""Who is who on the broker: whose user a message was published by, and whether that is whose it should be.

Each program has a user whose name ends with the program's: `membership`, `cards_membership`. The property `user_id` of
a message is checked by the broker when it is published, so no program can put another's name there.
"""

from dataclasses import dataclass

from services.kit.amqp.connection import user_of
from services.kit.amqp.kept_publisher import publisher_of
from services.kit.amqp.transport import Delivery
from services.kit.settings import MessagingSettings, SettingsError, is_production


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

    def refusal(self, message: Delivery, *programs: str, queue: str, is_former_taken: bool) -> str | None:
        """Why a message that came for this queue is none of these programs'; None where it is.

        `is_former_taken` lets those pass that name no publisher, or do not prove whom they name, as releases before
        sent and moved them.
        """
        if self.is_shared:
            return None
        publisher = publisher_of(message, self.own, queue)
        expected = [self.name_of(program) for program in programs]
        if not publisher.is_proved and not is_former_taken:
            return f"published by {self.own}, without proof that it was {publisher.user or 'nobody'} before"
        if publisher.user in expected or (publisher.user is None and is_former_taken):
            return None
        return f"published by {publisher.user or 'nobody who is named'}, not by {' or '.join(expected)}"


def require_own_user(settings: MessagingSettings, program: str) -> None:
    """Refuses production where the broker's user is not the program's own; raises SettingsError."""
    if is_production() and BrokerUsers.of(settings.amqp_uri, program).is_shared:
        raise SettingsError(
            f"Settings in the environment: AMQP_URI names a user that is not {program}'s own: its name must end"
            f" with {program}."
        )

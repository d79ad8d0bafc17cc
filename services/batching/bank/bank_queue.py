"""What is between the bank and us on the broker: declared before anything is sent, so that all has a way to go.

Only where one user of the broker is shared; else `deploy.broker` has declared it.
"""

import time

import structlog
from nameko.extensions import DependencyProvider

from services.contracts.bank_keys import check_bank_keys, clear_text
from services.contracts.bank_queues import declare_bank
from services.kit.amqp.broker_users import BrokerUsers
from services.kit.amqp.connection import BROKER_ERRORS
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.settings import MessagingSettings, read_settings

_PAUSE_SECONDS = 2

log = structlog.get_logger()


class BankQueue(DependencyProvider):
    """Declares it when the service starts, as soon as the broker is there."""

    def setup(self) -> None:
        """Reads the settings; raises SettingsError where the bank's messages could not be encrypted as they must be."""
        check_bank_keys()
        if clear_text() == "all":
            log.warning("bank_messages_in_clear")
        self._settings = read_settings(MessagingSettings)
        self._stopping = False

    def start(self) -> None:
        """Declares in the background: the service can already answer."""
        if BrokerUsers.of(self._settings.amqp_uri, self.container.service_name).is_shared:
            self.container.spawn_managed_thread(self._declare_until_done)

    def stop(self) -> None:
        """Gives up."""
        self._stopping = True

    def _declare_until_done(self) -> None:
        publisher = ConfirmedPublisher(self._settings.amqp_uri, "bank queue", self._settings.publish_seconds)
        while not self._stopping:
            try:
                publisher.declare(declare_bank)
            except BROKER_ERRORS as error:
                log.warning("bank_queue_not_declared", error=type(error).__name__)
                time.sleep(_PAUSE_SECONDS)
            else:
                break
        publisher.drop()

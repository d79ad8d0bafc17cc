"""Declares the bank's exchanges and queues before anything is sent, so that all messages can be routed.

It does so only where all programs share one broker user; otherwise `deploy.broker` has declared them.
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
    """Declares the bank's queues when the service starts, as soon as the broker is reachable."""

    def check_keys(self) -> None:
        """Raises SettingsError where the required encryption of bank messages is not possible."""
        check_bank_keys()

    def setup(self) -> None:
        """Reads the settings."""
        if clear_text() == "all":
            log.warning("bank_messages_in_clear")
        self._settings = read_settings(MessagingSettings)
        self._stopping = False

    def start(self) -> None:
        """Declares in the background, so that the service can already answer."""
        if BrokerUsers.of(self._settings.amqp_uri, self.container.service_name).is_shared:
            self.container.spawn_managed_thread(self._declare_until_done)

    def stop(self) -> None:
        """Stops trying."""
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

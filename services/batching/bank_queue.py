"""The bank's own queue `bank.batches`: declared before anything is sent, so that no batch is without a way to go."""

import time
from typing import Any

import amqp
import structlog
from nameko.extensions import DependencyProvider

from services.common.contracts.bank import EXCHANGE
from services.common.messaging.connection import BROKER_ERRORS
from services.common.messaging.publishing import ConfirmedPublisher
from services.common.messaging.queues import declare_exchange
from services.common.settings import MessagingSettings, read_settings

QUEUE = "bank.batches"
_PAUSE_SECONDS = 2

log = structlog.get_logger()


class BankQueue(DependencyProvider):
    """Declares the queue when the service starts, as soon as the broker is there; the bank declares the same."""

    def setup(self) -> None:
        """Reads the settings."""
        self._settings = read_settings(MessagingSettings)
        self._stopping = False

    def start(self) -> None:
        """Declares in the background: the service can already answer."""
        self.container.spawn_managed_thread(self._declare_until_done)

    def stop(self) -> None:
        """Gives up."""
        self._stopping = True

    def _declare_until_done(self) -> None:
        publisher = ConfirmedPublisher(self._settings.amqp_uri, "bank queue", self._settings.publish_seconds)
        while not self._stopping:
            try:
                publisher.declare(_declare)
            except BROKER_ERRORS as error:
                log.warning("bank_queue_not_declared", error=type(error).__name__)
                time.sleep(_PAUSE_SECONDS)
            else:
                break
        publisher.drop()


def _declare(channel: amqp.Channel) -> Any:
    declare_exchange(channel, EXCHANGE)
    channel.queue_declare(QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(QUEUE, EXCHANGE, "batch.*")

"""Declares the exchanges and queues of an outside party before anything is sent, so that all messages can be routed.

It does so only where all programs share one broker user; otherwise `deploy.broker` has declared them.
"""

import time

import structlog
from nameko.extensions import DependencyProvider

from services.kit.amqp.broker_users import BrokerUsers
from services.kit.amqp.connection import BROKER_ERRORS
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.settings import MessagingSettings, read_settings
from services.kit.system import ExternalQueues

_PAUSE_SECONDS = 2

log = structlog.get_logger()


class ExternalLink(DependencyProvider):
    """Declares the queues when the service starts, as soon as the broker is reachable.

    A subclass names them, and checks the keys of the outside party before anything starts.
    """

    queues: ExternalQueues

    def setup(self) -> None:
        """Reads the settings."""
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
        name = f"{self.queues.prefix} queues"
        publisher = ConfirmedPublisher(self._settings.amqp_uri, name, self._settings.publish_seconds)
        while not self._stopping:
            try:
                publisher.declare(self.queues.declare)
            except BROKER_ERRORS as error:
                log.warning("external_queues_not_declared", prefix=self.queues.prefix, error=type(error).__name__)
                time.sleep(_PAUSE_SECONDS)
            else:
                break
        publisher.drop()

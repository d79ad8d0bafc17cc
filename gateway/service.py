"""The gateway's Nameko service: hands each request to its route, and each event to the pages that listen."""

from functools import partial
from typing import Any

from nameko.extensions import DependencyProvider
from werkzeug.wrappers import Request, Response

from gateway import documentation
from gateway.api import ROUTES
from gateway.notices import STREAMED, notice_of
from gateway.routes import Backends, Service
from gateway.routing import Router
from gateway.server import everything
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.stream import Streams
from services.common.health import not_ready
from services.common.messaging.envelope import Event
from services.common.messaging.rpc import ServiceClient
from services.common.messaging.subscribe import listen
from services.common.settings import read_settings

_ROUTER = Router((*ROUTES, *documentation.ROUTES))


class Surroundings(DependencyProvider):
    """What one process has of its own: the key of sessions, the open streams, and how ready it is."""

    def setup(self) -> None:
        """Reads the settings, so that a process without a secret does not start."""
        settings = read_settings(GatewaySettings)
        self._streams = Streams()
        self._backends = partial(
            Backends,
            sessions=Sessions(settings.session_secret, secure=settings.cookies_need_https),
            streams=self._streams,
            not_ready=lambda: not_ready([self.container]),
        )

    def stop(self) -> None:
        """Ends the streams: their pages come back to another process."""
        self._streams.close()

    def get_dependency(self, worker_ctx: Any) -> "Surroundings":
        """Itself: it is the same for all workers."""
        return self

    def backends(self, **services: Service) -> Backends:
        """All that routes make answers from."""
        return self._backends(services=services)

    def tell_pages(self, event: Event) -> None:
        """Tells the pages that are to hear of it."""
        self._streams.publish(notice_of(event))


class Gateway:
    """What comes in: requests and events."""

    name = "gateway"

    membership = ServiceClient("membership")
    validation = ServiceClient("validation")
    batching = ServiceClient("batching")
    revocation = ServiceClient("revocation")
    notification = ServiceClient("notification")
    surroundings = Surroundings()

    @everything
    def answer(self, request: Request) -> Response:
        """Any request: the routes know the rest."""
        backends = self.surroundings.backends(
            membership=self.membership,
            validation=self.validation,
            batching=self.batching,
            revocation=self.revocation,
            notification=self.notification,
        )
        return _ROUTER.answer(request, backends)

    @listen(*STREAMED)
    def tell_pages(self, event: Event) -> None:
        """Any event that pages hear of."""
        self.surroundings.tell_pages(event)

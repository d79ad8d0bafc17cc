"""The gateway's Nameko service: passes each request to its route, and each event to the open pages."""

from functools import partial
from typing import Any

from nameko.extensions import DependencyProvider
from werkzeug.wrappers import Request, Response

from gateway import documentation, pages
from gateway.api import ROUTES
from gateway.captchas import Captchas
from gateway.devices import Devices
from gateway.gossip import CounterGossip
from gateway.limits import Limits
from gateway.live_updates import STREAMED, live_update_of
from gateway.routes import Dependencies, Service
from gateway.routing import Router
from gateway.server import catch_all
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.stream import Streams
from services.contracts.events.membership import SESSIONS_ENDED
from services.kit.events.envelope import Event
from services.kit.events.subscribe import listen
from services.kit.operations.health import not_ready
from services.kit.rpc.methods import ServiceClient
from services.kit.settings import MessagingSettings, read_settings

_ROUTER = Router((*ROUTES, *documentation.ROUTES, *pages.ROUTES))


class Runtime(DependencyProvider):
    """The runtime context of one process: known sessions, open streams, request counts, and readiness."""

    def setup(self) -> None:
        """Creates what routes need from the settings."""
        settings = read_settings(GatewaySettings)
        limits = Limits(settings.budgets)
        self._streams = Streams(
            most_per_account=settings.streams_per_account,
            elsewhere=self._open_elsewhere,
        )
        self._gossip = CounterGossip(read_settings(MessagingSettings), limits, self._streams.open_by_account)
        self._dependencies = partial(
            Dependencies,
            captchas=Captchas(settings.session_secret, settings.proof_of_work_bits),
            devices=Devices(settings.session_secret, secure=settings.needs_https),
            sessions=Sessions(settings.session_secret, secure=settings.needs_https),
            streams=self._streams,
            not_ready=lambda: not_ready([self.container]),
            limits=limits,
            hosts=settings.hosts,
            by_https=settings.needs_https,
        )

    def start(self) -> None:
        """Starts the gossip of counts with the other processes; the broker may be away at first."""
        self._hearing = self.container.spawn_managed_thread(self._gossip.reader.run)
        self._telling = self.container.spawn_managed_thread(self._gossip.run)

    def stop(self) -> None:
        """Ends the streams; their pages reconnect to another process."""
        self._streams.close()
        self._gossip.stop()
        self._telling.wait()
        self._hearing.wait()

    def why_not_ready(self) -> str | None:
        """Why people cannot open the pages here; None where they can, or where a proxy serves them."""
        return (
            "the pages are not built" if read_settings(GatewaySettings).serve_pages and not pages.are_built() else None
        )

    def get_dependency(self, worker_ctx: Any) -> "Runtime":
        """Returns itself: all workers share it."""
        return self

    def dependencies(self, **services: Service) -> Dependencies:
        """Returns what routes need to answer."""
        return self._dependencies(services=services)

    def forget_sessions(self, event: Event) -> None:
        """Drops the event's sessions and ends their streams."""
        self.dependencies().forget_sessions([str(session_id) for session_id in event.data.session_ids])

    def broadcast(self, event: Event) -> None:
        """Sends the event's notification to its pages."""
        self._streams.publish(live_update_of(event))

    def _open_elsewhere(self, account: str) -> int:
        return self._gossip.streams_elsewhere(account)


class Gateway:
    """The entrypoints: HTTP requests and events."""

    name = "gateway"

    membership = ServiceClient("membership")
    validation = ServiceClient("validation")
    batching = ServiceClient("batching")
    revocation = ServiceClient("revocation")
    notification = ServiceClient("notification")
    runtime = Runtime()

    @catch_all
    def answer(self, request: Request) -> Response:
        """Answers any HTTP request by its route."""
        dependencies = self.runtime.dependencies(
            membership=self.membership,
            validation=self.validation,
            batching=self.batching,
            revocation=self.revocation,
            notification=self.notification,
        )
        return _ROUTER.answer(request, dependencies)

    @listen(SESSIONS_ENDED)
    def forget_sessions(self, event: Event) -> None:
        """Drops sessions that ended at any process."""
        self.runtime.forget_sessions(event)

    @listen(*STREAMED)
    def broadcast(self, event: Event) -> None:
        """Notifies pages of an event."""
        self.runtime.broadcast(event)

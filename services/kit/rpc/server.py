"""The RPC server: one queue of requests for each service, each request handled by a worker."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import amqp
import structlog
from nameko.exceptions import ContainerBeingKilled
from nameko.extensions import Entrypoint, ProviderCollector, SharedExtension

from services.kit.amqp.broker_users import BrokerUsers
from services.kit.amqp.publishing import DirectPublisher
from services.kit.amqp.queues import (
    RPC_EXCHANGE,
    bind_requests,
    declare_request_queue,
    former_request_queue,
    replies_exchange,
    request_queue,
)
from services.kit.amqp.reader import NothingToRead, QueueReader
from services.kit.amqp.transport import Delivery
from services.kit.data.encryption import CannotDecrypt, Keyring
from services.kit.operations import metrics
from services.kit.operations.logs import class_name
from services.kit.problems import Problem, Unavailable
from services.kit.rpc.caller_signature import verifier
from services.kit.rpc.operation import operation_of
from services.kit.rpc.request import REPLY_BY_SERVICE_EXCHANGE, RETRY_AFTER, Request, problem_json
from services.kit.rpc.request_encryption import ENCRYPTED_CONTENT, request_decrypter
from services.kit.settings import MessagingSettings, read_settings
from services.kit.system import the_system

log = structlog.get_logger()

_GATEWAY = "gateway"
_MISSING = "no queue"
"""Words of the broker's error for a queue that does not exist, unlike one whose node is away."""


class RequestServer(SharedExtension, ProviderCollector):
    """The service's one queue of requests: each is handled by a worker, answered, and acked.

    Only requests that the gateway published, signed and encrypted for this service are accepted. The queue of release
    0.2 is read too as long as it exists, since requests come by it until all processes of that release are replaced.
    """

    def check_keys(self) -> None:
        """Raises SettingsError where callers could not be verified, or requests not be decrypted."""
        verifier()
        request_decrypter()

    def setup(self) -> None:
        """Creates the reader of requests and the publisher of replies."""
        self._settings = settings = read_settings(MessagingSettings)
        service = self.container.service_name
        metrics.begin_series_of_requests(service)
        self._users = BrokerUsers.of(settings.amqp_uri, service)
        self._verifier, self._decrypter = verifier(), request_decrypter()
        self._running = 0
        self._threads: list[Any] = []
        self._readers = [
            self._reader(f"{service} requests", self._declare),
            self._reader(f"{service} former requests", self._find_former),
        ]
        self._publisher = DirectPublisher(settings.amqp_uri, f"{service} replies", seconds=3)

    def start(self) -> None:
        """Starts taking requests; returns when the broker has confirmed it."""
        self._threads = [self.container.spawn_managed_thread(reader.run) for reader in self._readers]
        for reader in self._readers:
            reader.wait_until_ready()

    def why_not_ready(self) -> str | None:
        """Why requests cannot be received; None where they can."""
        return next(filter(None, (reader.why_not_ready() for reader in self._readers)), None)

    def drain(self) -> None:
        """Takes nothing new and returns when all taken requests are answered and acked."""
        for reader in self._readers:
            reader.stop()
        for thread in self._threads:
            thread.wait()
        self._publisher.close()

    def _reader(self, name: str, declare: Callable[[amqp.Channel], str]) -> QueueReader:
        def receive(message: Delivery) -> None:
            self._running += 1
            self.container.spawn_managed_thread(lambda: self._serve(message, partial(self._answer, reader, message)))

        reader = QueueReader(name, self._settings, declare, receive, prefetch=self.container.max_workers)
        reader.is_idle = lambda: self._running == 0
        return reader

    def _declare(self, channel: amqp.Channel) -> str:
        service = self.container.service_name
        if self._users.is_shared:
            declare_request_queue(channel, service)
            bind_requests(channel, service)
        return request_queue(service)

    def _find_former(self, channel: amqp.Channel) -> str:
        """The queue of release 0.2; raises NothingToRead where it was never declared or is deleted."""
        name = former_request_queue(self.container.service_name)
        try:
            with channel.connection.channel() as probe:
                probe.queue_declare(name, passive=True)
        except amqp.NotFound as error:
            if _MISSING in error.reply_text:
                raise NothingToRead from None
            raise  # its one node is away
        return name

    def _serve(self, message: Delivery, answer: "_Answer") -> None:
        name = message.delivery_info["routing_key"].rpartition(".")[2]
        entrypoint = next((one for one in self._providers if one.method_name == name), None)
        try:
            request, answer_keys = self._read(message)
        except CannotDecrypt as error:
            self._refuse(name, message, str(error), answer)
            return
        answer = partial(answer, keys=answer_keys)
        if request is not None and (refusal := self._refusal(message, request)):
            self._refuse(name, message, refusal, answer)
            return
        if entrypoint is None or request is None:
            answer(problem_json(Problem("unknown_request", 500, "系统不支持此操作")))
            return
        if self._verifier.is_repeated(message, request):
            metrics.rpc_refused.labels(self.container.service_name).inc()
            log.error("request_repeated", request=name, user=message.properties.get("user_id"))
            answer(None)
            return
        if message.delivery_info["redelivered"] and not entrypoint.can_repeat(request):
            answer(problem_json(Unavailable(RETRY_AFTER)))
            return

        def settle(_context: Any, result: str | None, exc_info: Any) -> tuple[Any, Any]:
            answer(result)
            return None, exc_info

        try:
            self.container.spawn_worker(entrypoint, (request,), {}, handle_result=settle)
        except ContainerBeingKilled:
            self._running -= 1

    def _read(self, message: Delivery) -> tuple[Request | None, Keyring | None]:
        """The request, if the body is one, and the keys for its answer, if it is encrypted. Raises CannotDecrypt."""
        body, answer_keys = self._decrypter.decrypt(message, accepts_clear=self._settings.accepts_clear_requests)
        try:
            return Request.from_body(body, message), answer_keys
        except Exception:
            # An outsider's bytes can raise any error in reading.
            return None, answer_keys

    def _refuse(self, name: str, message: Delivery, reason: str, answer: "_Answer") -> None:
        metrics.rpc_refused.labels(self.container.service_name).inc()
        log.error("request_refused", request=name, reason=reason, user=message.properties.get("user_id"))
        answer(problem_json(Problem("request_refused", 500, "系统内部错误", "请联系技术支持。")))

    def _refusal(self, message: Delivery, request: Request) -> str | None:
        accepts_former = self._settings.accepts_former
        return self._users.refusal(
            message, _GATEWAY, queue=request_queue(self.container.service_name), accepts_former=accepts_former
        ) or self._verifier.refusal(message, request, accepts_former=accepts_former)

    def _exchange_for(self, message: Delivery) -> str | None:
        """The exchange to reply by: the service's own, or for the previous release's callers that of requests."""
        if (message.headers or {}).get(REPLY_BY_SERVICE_EXCHANGE):
            return replies_exchange(self.container.service_name)
        return RPC_EXCHANGE if self._users.is_shared or self._settings.accepts_former else None

    def _answer(self, reader: QueueReader, message: Delivery, answer: str | None, keys: Keyring | None = None) -> None:
        """Replies, where someone waits, and acks; if the reply cannot be sent, the caller runs into its deadline.

        With `keys`, those of an encrypted request, the reply is encrypted.
        """
        try:
            exchange = self._exchange_for(message)
            if answer is not None and exchange and message.properties.get("reply_to"):
                body = f'{{"result":{answer},"error":null}}'.encode()
                self._publisher.publish(
                    keys.encrypt(body) if keys else body,
                    exchange,
                    message.properties["reply_to"],
                    correlation_id=message.properties.get("correlation_id"),
                    **(ENCRYPTED_CONTENT if keys else {}),
                )
        except Exception as error:
            log.warning("reply_lost", error=class_name(error))
        finally:
            reader.ack(message)
            self._running -= 1


class _Answer(Protocol):
    """Replies to a request, encrypted by `keys` if there are any, and acks it."""

    def __call__(self, answer: str | None, /, *, keys: Keyring | None = None) -> None: ...


class MethodMisnamed(AssertionError):
    """A service's attribute is not named as its operation, so calls would reach the wrong method."""


class QueryEntrypoint(Entrypoint):
    """The entrypoint of a query; `operation_method` is the operation's name in its service."""

    server = RequestServer()

    def __init__(self, operation_method: str) -> None:
        super().__init__()
        self._operation_method = operation_method

    def setup(self) -> None:
        """Registers the method with the server; raises MethodMisnamed, and UnknownOperation where none is declared."""
        name = f"{self.container.service_name}.{self.method_name}"
        if self.method_name != self._operation_method:
            raise MethodMisnamed(f"{name} handles {self._operation_method}.")
        operation_of(name)
        metrics.begin_series_of_request(self.method_name)
        self.server.register_provider(self)

    def stop(self) -> None:
        """Returns when the server has answered all taken requests."""
        self.server.drain()

    def can_repeat(self, request: Request) -> bool:
        """Whether a request may run again that the broker redelivers after a lost connection."""
        return True


class CommandEntrypoint(QueryEntrypoint):
    """The entrypoint of a command."""

    def setup(self) -> None:
        """Registers the method with the server; raises KeyError in a service without a contract for audit events."""
        _ = the_system().audit_events[self.container.service_name]
        super().setup()

    def can_repeat(self, request: Request) -> bool:
        """Only with a request id; without one it is unknown whether the first delivery was done, or still runs."""
        return request.request_id is not None

"""The RPC client: calls with a deadline, and one reply queue for each process."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import amqp
import structlog
from nameko.extensions import DependencyProvider, SharedExtension
from opentelemetry.trace import SpanKind

from services.kit.amqp.broker_users import BrokerUsers
from services.kit.amqp.connection import BROKER_ERRORS
from services.kit.amqp.publishing import DirectPublisher
from services.kit.amqp.queues import (
    RPC_EXCHANGE,
    bind,
    declare_direct_exchange,
    declare_exchange,
    declare_transient_queue,
    replies_exchange,
)
from services.kit.amqp.reader import QueueReader
from services.kit.amqp.transport import Delivery
from services.kit.amqp.watch import BrokerWatch
from services.kit.concurrency import Signal, leave_after, time_limit
from services.kit.data.encryption import CannotDecrypt, Keyring
from services.kit.events.envelope import correlation, new_message_id
from services.kit.events.outbox import to_json
from services.kit.operations import metrics
from services.kit.operations.logs import class_name
from services.kit.operations.tracing import child_span, trace_headers
from services.kit.problems import BrokerBlocked, Problem, Unavailable
from services.kit.rpc.caller_signature import signer
from services.kit.rpc.request import REPLY_BY_SERVICE_EXCHANGE, RETRY_AFTER, Caller
from services.kit.rpc.request_encryption import ENCRYPTED_CONTENT, request_encrypter
from services.kit.settings import MessagingSettings, read_settings

log = structlog.get_logger()

_SECONDS_TO_LISTEN = 1.0
_SECONDS_BETWEEN_LOOKS = 0.2
"""How often a call that waits looks whether its request was refused."""


class ReplyListener(SharedExtension):
    """The process's one reply queue, and the calls that wait for replies."""

    watch = BrokerWatch()

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, _PendingCall] = {}
        self.services: set[str] = set()
        """The services that are called, and so may reply."""
        self.address = ""

    def setup(self) -> None:
        """Creates the reader of replies and the publisher of requests."""
        self._settings = settings = read_settings(MessagingSettings)
        self._users = BrokerUsers.of(settings.amqp_uri, self.container.service_name)
        self._encrypter, self._signer = request_encrypter(), signer()
        name = f"{self.container.service_name} replies"
        self.reader = QueueReader(name, settings, self._declare, self._receive, prefetch=0)
        self.reader.on_lost = self._fail_waiting
        self.watch.on_restored.append(self.reader.reconnect)
        self.publisher = DirectPublisher(settings.amqp_uri, f"{self.container.service_name} requests", seconds=3)

    def start(self) -> None:
        """Starts listening; the broker need not be reachable yet."""
        self._thread = self.container.spawn_managed_thread(self.reader.run)

    def stop(self) -> None:
        """Stops listening; the workers have ended before."""
        self.reader.stop()
        self._thread.wait()
        self.publisher.close()

    def why_not_ready(self) -> str | None:
        """Why replies cannot be received; None where they can."""
        return self.reader.why_not_ready()

    def call(self, routing_key: str, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Sends a request and waits for its reply; raises Unavailable, at once BrokerBlocked for a blocked broker."""
        if self.watch.is_blocked:
            raise BrokerBlocked(RETRY_AFTER)
        if not self._is_listening():
            raise Unavailable(RETRY_AFTER)
        call_id, address = new_message_id(), self.address
        clear = to_json({"args": [request], "kwargs": {}})
        body, answer_keys = self._encrypter.encrypt(routing_key, call_id, clear)
        headers = {
            REPLY_BY_SERVICE_EXCHANGE: True,
            **self._signer.headers(routing_key, call_id, address, body),
        }
        properties = {"reply_to": address, "correlation_id": call_id, "headers": headers}
        if answer_keys:
            properties |= ENCRYPTED_CONTENT
        self.waiting[call_id] = waiting = _PendingCall(routing_key.partition(".")[0], answer_keys)
        try:
            with time_limit(seconds, _DeadlinePassed()):
                return self._answer(waiting, routing_key, body, properties, time.monotonic() + seconds)
        except (_DeadlinePassed, *BROKER_ERRORS) as error:
            log.warning("no_answer", request=routing_key, error=class_name(error))
            raise (BrokerBlocked if self.watch.is_blocked else Unavailable)(RETRY_AFTER) from error
        finally:
            self.waiting.pop(call_id, None)

    def _answer(
        self, waiting: "_PendingCall", routing_key: str, body: bytes, properties: dict[str, Any], until: float
    ) -> dict[str, Any]:
        """Publishes a request and waits for its reply; publishes it again when no queue has taken it.

        That is so for a moment when the node that led the service's queue was lost.
        """
        while True:
            expiration = max(until - time.monotonic(), 0)
            published = self.publisher.publish(body, RPC_EXCHANGE, routing_key, expiration=expiration, **properties)
            is_refused = False
            while not is_refused:
                with leave_after(_SECONDS_BETWEEN_LOOKS):
                    answer: dict[str, Any] = waiting.reply.wait()
                    return answer
                is_refused = self.publisher.was_refused(published)
            log.info("request_published_again", request=routing_key)

    def _is_listening(self) -> bool:
        """Whether replies can be received. Early requests wait a moment for the first connection."""
        with leave_after(_SECONDS_TO_LISTEN):
            self.reader.wait_until_ready()
        return self.reader.is_consuming

    def _declare(self, channel: amqp.Channel) -> str:
        """Declares a new queue for each connection, for the broker may still hold that of a lost connection."""
        self.address = new_message_id()
        queue = declare_transient_queue(channel, f"rpc.reply-{self.container.service_name}-{self.address}")
        for service in sorted(self.services):
            if self._users.is_shared:
                declare_direct_exchange(channel, replies_exchange(service))
            bind(channel, queue, replies_exchange(service), self.address)
        if self._users.is_shared:
            declare_exchange(channel, RPC_EXCHANGE)
        if self._settings.accepts_former:
            # Services of the previous release reply by the exchange of requests; an upgrade's permissions allow it.
            with suppress(amqp.AccessRefused), channel.connection.channel() as former:
                bind(former, queue, RPC_EXCHANGE, self.address)
        return queue

    def _receive(self, message: Delivery) -> None:
        """Takes a reply from the called service's own exchange, to which nobody else can publish."""
        call_id, exchange = message.properties.get("correlation_id"), message.delivery_info["exchange"]
        waiting = self.waiting.get(call_id)
        if waiting is None:
            return
        is_former = exchange == RPC_EXCHANGE and self._settings.accepts_former
        if exchange != replies_exchange(waiting.service) and not is_former:
            log.error("reply_refused", asked=waiting.service, exchange=exchange)
            return
        try:
            answer = waiting.read(message.body)
        except CannotDecrypt as error:
            log.error("reply_refused", asked=waiting.service, reason=str(error))
            return
        del self.waiting[call_id]
        waiting.reply.send(answer)

    def _fail_waiting(self) -> None:
        """Fails all waiting calls, whose reply queue was lost with the connection."""
        for waiting in list(self.waiting.values()):
            waiting.reply.send_exception(ConnectionResetError("The connection for replies was lost."))
        self.waiting.clear()


@dataclass
class _PendingCall:
    """A waiting call: the called service, the key of its answer if the request was encrypted, and the reply to come."""

    service: str
    answer_keys: Keyring | None = None
    reply: Signal = field(default_factory=Signal)

    def read(self, body: bytes) -> dict[str, Any]:
        """The answer in a reply; raises CannotDecrypt.

        A service that could not decrypt the request says so in clear; nothing else is taken in clear then.
        """
        if self.answer_keys is None or body.startswith(b"{"):
            answer: dict[str, Any] = json.loads(body)["result"]
            if self.answer_keys is not None and "problem" not in answer:
                raise CannotDecrypt("The answer is not encrypted.")
            return answer
        decrypted: dict[str, Any] = json.loads(self.answer_keys.decrypt(body))["result"]
        return decrypted


class ServiceClient(DependencyProvider):
    """Calls another service: `self.membership.call("queue_members", caller, data)`."""

    replies = ReplyListener()

    def __init__(self, service: str, deadline: float = 5.0) -> None:
        self.service = service
        self.deadline = deadline

    def check_keys(self) -> None:
        """Raises SettingsError where requests could not be signed, or not be encrypted for the service."""
        signer()
        request_encrypter().check(self.service)

    def setup(self) -> None:
        """Registers the service as one whose replies are accepted."""
        self.replies.services.add(self.service)

    def get_dependency(self, worker_ctx: Any) -> "ServiceClient":
        """The client itself: it is safe for many workers."""
        return self

    def call(
        self,
        name: str,
        caller: Caller,
        data: dict[str, Any],
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> Any:
        """The service's answer. Raises Problem: the service's own, or Unavailable (503) after `deadline` seconds.

        After a 503 a command may still have been carried out: repeat it with the same request id.
        """
        seconds = deadline or self.deadline
        request = {
            "caller": caller.to_dict(),
            "request_id": request_id,
            "correlation_id": correlation.get() or new_message_id(),
            "deadline": time.time() + seconds,
            "data": data,
        }
        started, outcome = time.monotonic(), "unavailable"
        try:
            with child_span(f"{self.service}.{name}", SpanKind.CLIENT):
                answer = self.replies.call(f"{self.service}.{name}", {**request, **trace_headers()}, seconds)
            outcome = "problem" if "problem" in answer else "answered"
        finally:
            metrics.rpc_call_seconds.labels(f"{self.service}.{name}", outcome).observe(time.monotonic() - started)
        if "problem" in answer:
            raise Problem.from_dict(answer["problem"])
        return answer["result"]


class _DeadlinePassed(Exception):
    """The time for an answer is over."""

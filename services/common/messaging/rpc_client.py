"""The side of RPC that asks: calls with a deadline, and one queue of replies a process."""

import json
import time
from typing import Any

import amqp
import eventlet
import structlog
from amqp.basic_message import Message as AmqpMessage
from eventlet.event import Event as Signal
from nameko.extensions import DependencyProvider, SharedExtension

from services.common import metrics
from services.common.logs import class_name
from services.common.messaging.connection import BROKER_ERRORS, Outgoing
from services.common.messaging.envelope import correlation, new_message_id
from services.common.messaging.outbox import to_json
from services.common.messaging.publishing import DirectPublisher
from services.common.messaging.queues import RPC_EXCHANGE, declare_exchange, declare_passing_queue
from services.common.messaging.reader import QueueReader
from services.common.messaging.request import RETRY_AFTER, Caller
from services.common.messaging.watch import BrokerWatch
from services.common.problems import BrokerBlocked, Problem, Unavailable
from services.common.settings import MessagingSettings, read_settings

log = structlog.get_logger()

_SECONDS_TO_LISTEN = 1.0


class ReplyListener(SharedExtension):
    """The process's one queue of replies, and who waits for which."""

    watch = BrokerWatch()

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, Signal] = {}
        self.address = ""

    def setup(self) -> None:
        """Makes the reader of replies and the publisher of requests."""
        settings = read_settings(MessagingSettings)
        name = f"{self.container.service_name} replies"
        self.reader = QueueReader(name, settings, self._declare, self._receive, prefetch=0)
        self.reader.on_lost = self._disappoint
        self.publisher = DirectPublisher(settings.amqp_uri, f"{self.container.service_name} requests", seconds=3)

    def start(self) -> None:
        """Listens; the broker may come later."""
        self._thread = self.container.spawn_managed_thread(self.reader.run)

    def stop(self) -> None:
        """Stops listening; the workers have ended before."""
        self.reader.stop()
        self._thread.wait()
        self.publisher.close()

    def why_not_ready(self) -> str | None:
        """What keeps messages from coming."""
        return self.reader.why_not_ready()

    def ask(self, routing_key: str, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Sends a request and waits for its reply; raises Unavailable, and says at once where the broker takes none."""
        if self.watch.is_blocked:
            raise BrokerBlocked(RETRY_AFTER)
        if not self._is_listening():
            raise Unavailable(RETRY_AFTER)
        call_id = new_message_id()
        self.waiting[call_id] = reply = Signal()
        try:
            with eventlet.Timeout(seconds, _DeadlinePassed()):
                self.publisher.publish(
                    Outgoing(
                        RPC_EXCHANGE,
                        routing_key,
                        to_json({"args": [request], "kwargs": {}}),
                        {
                            "content_type": "application/json",
                            "content_encoding": "utf-8",
                            "delivery_mode": 1,
                            "reply_to": self.address,
                            "correlation_id": call_id,
                            "expiration": str(int(seconds * 1000)),
                        },
                    )
                )
                answer: dict[str, Any] = reply.wait()
                return answer
        except (_DeadlinePassed, *BROKER_ERRORS) as error:
            log.warning("no_answer", request=routing_key, error=class_name(error))
            raise (BrokerBlocked if self.watch.is_blocked else Unavailable)(RETRY_AFTER) from error
        finally:
            self.waiting.pop(call_id, None)

    def _is_listening(self) -> bool:
        """Whether a reply can come. Requests come before the first connection is there: they wait a moment for it."""
        with eventlet.Timeout(_SECONDS_TO_LISTEN, False):
            self.reader.wait_until_ready()
        return self.reader.is_consuming

    def _declare(self, channel: amqp.Channel) -> str:
        """A new queue for each connection: the broker may still hold the one of the connection that was lost."""
        self.address = new_message_id()
        queue = declare_passing_queue(channel, f"rpc.reply-{self.container.service_name}-{self.address}")
        declare_exchange(channel, RPC_EXCHANGE)
        channel.queue_bind(queue, RPC_EXCHANGE, self.address)
        return queue

    def _receive(self, message: AmqpMessage) -> None:
        reply = self.waiting.pop(message.properties.get("correlation_id"), None)
        if reply is not None:
            reply.send(json.loads(message.body)["result"])

    def _disappoint(self) -> None:
        """Replies to what was asked over a lost connection have nowhere to go."""
        for reply in list(self.waiting.values()):
            reply.send_exception(ConnectionResetError("The connection for replies was lost."))
        self.waiting.clear()


class ServiceClient(DependencyProvider):
    """Asks another service: `self.membership.call("queue_members", caller, data)`."""

    replies = ReplyListener()

    def __init__(self, service: str, deadline: float = 5.0) -> None:
        self.service = service
        self.deadline = deadline

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
        """The service's answer. Raises Problem: the service's own, or Unavailable (503) past the deadline in seconds.

        After a 503 a command may still have been done: ask again with the same request id.
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
            answer = self.replies.ask(f"{self.service}.{name}", request, seconds)
            outcome = "problem" if "problem" in answer else "answered"
        finally:
            metrics.rpc_call_seconds.labels(f"{self.service}.{name}", outcome).observe(time.monotonic() - started)
        if "problem" in answer:
            raise Problem.from_dict(answer["problem"])
        return answer["result"]


class _DeadlinePassed(Exception):
    """The time for an answer is over. Not eventlet's own Timeout, which is no Exception and would kill the worker."""

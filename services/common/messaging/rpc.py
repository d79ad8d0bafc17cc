"""Questions and commands between the gateway and the services: Nameko's RPC wire, with deadlines and request ids."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import wraps
from typing import Any
from uuid import UUID

import amqp
import eventlet
import structlog
from amqp.basic_message import Message as AmqpMessage
from eventlet.event import Event as Signal
from marshmallow import Schema, ValidationError
from nameko.exceptions import ContainerBeingKilled
from nameko.extensions import DependencyProvider, Entrypoint, ProviderCollector, SharedExtension, register_entrypoint
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from services.common import metrics
from services.common.logs import class_name, traceback_without_values
from services.common.messaging.connection import BROKER_ERRORS, Outgoing
from services.common.messaging.envelope import causation, correlation, new_message_id
from services.common.messaging.failures import is_passing
from services.common.messaging.outbox import to_json
from services.common.messaging.publishing import DirectPublisher
from services.common.messaging.queues import (
    RPC_EXCHANGE,
    declare_passing_queue,
    declare_request_queue,
)
from services.common.messaging.reader import QueueReader
from services.common.persistence import handled_request
from services.common.problems import Forbidden, Invalid, Problem, Unavailable, invalid_fields
from services.common.settings import MessagingSettings, read_settings

log = structlog.get_logger()

ANONYMOUS = "anonymous"
_RETRY_AFTER = 5
_GRACE = 2.0
"""Seconds by which clocks of two machines may differ before a request counts as late."""

Method = Callable[..., Any]


@dataclass(frozen=True)
class Caller:
    """Who asks: an account of a union, a member on the phone (role `member`), or nobody known (role `anonymous`)."""

    account_id: str | None = None
    account_name: str | None = None
    display_name: str | None = None
    roles: frozenset[str] = frozenset({ANONYMOUS})
    union_id: str | None = None
    union_code: str | None = None
    union_name: str | None = None
    superior_union_id: str | None = None
    member_id: str | None = None
    origin: str | None = None
    """The address that the request came from."""

    def to_dict(self) -> dict[str, Any]:
        """The caller as JSON types."""
        return {**asdict(self), "roles": sorted(self.roles)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Caller":
        """The caller that `to_dict` wrote; attributes of a newer version are ignored."""
        known = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        return cls(**{**known, "roles": frozenset(document.get("roles", ()))})


@dataclass(frozen=True)
class Request:
    """One request as it travels. `deadline` is in seconds of the epoch: past it nobody waits for the answer."""

    caller: dict[str, Any]
    data: dict[str, Any]
    request_id: str | None
    correlation_id: str
    deadline: float

    @classmethod
    def from_body(cls, body: bytes, message: AmqpMessage) -> "Request":
        """The request in a Nameko RPC body; raises ValueError, KeyError or TypeError."""
        document = json.loads(body)["args"][0]
        return cls(
            caller=document.get("caller") or {},
            data=document.get("data") or {},
            request_id=document.get("request_id"),
            correlation_id=document.get("correlation_id") or str(message.properties.get("correlation_id")),
            deadline=float(document.get("deadline") or time.time() + 60),
        )

    def is_late(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return time.time() > self.deadline + _GRACE


def command(schema: type[Schema], *, roles: set[str]) -> Callable[[Method], Method]:
    """A method that changes state on request: `method(self, session, caller: Caller, data: dict) -> dict | list`.

    `data` is loaded by the schema (unknown fields are refused), the caller has one of the roles (`anonymous` lets all
    in), and all is one transaction of `self.database`. A request id that was handled before answers the same again and
    changes nothing; with other data it is the Problem `idempotency_key_reused`. The result is JSON types; dates, UUIDs
    and decimals become strings.
    """

    def decorate(method: Method) -> Method:
        def run(service: Any, caller: Caller, request: Request) -> str:
            data = schema().load(request.data)
            with service.database.begin() as session:
                if request.request_id is None:
                    return _plain_json(method(service, session, caller, data))
                return _once(session, method.__name__, caller, request, lambda: method(service, session, caller, data))

        answer = _answering(method, roles, run)
        register_entrypoint(answer, CommandEntrypoint())
        return answer

    return decorate


def query(schema: type[Schema], *, roles: set[str]) -> Callable[[Method], Method]:
    """A method that answers and changes nothing: as `command`, in a transaction that cannot write."""

    def decorate(method: Method) -> Method:
        def run(service: Any, caller: Caller, request: Request) -> str:
            data = schema().load(request.data)
            with service.database.read() as session:
                return _plain_json(method(service, session, caller, data))

        answer = _answering(method, roles, run)
        register_entrypoint(answer, QueryEntrypoint())
        return answer

    return decorate


class ReplyListener(SharedExtension):
    """The process's one queue of replies, and who waits for which."""

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
        self.publisher.drop()

    def why_not_ready(self) -> str | None:
        """What keeps messages from coming."""
        return self.reader.why_not_ready()

    def ask(self, routing_key: str, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Sends a request and waits for its reply; raises Unavailable."""
        if not self.reader.is_consuming:
            raise Unavailable(_RETRY_AFTER)
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
            raise Unavailable(_RETRY_AFTER) from error
        finally:
            self.waiting.pop(call_id, None)

    def _declare(self, channel: amqp.Channel) -> str:
        """A new queue for each connection: the broker may still hold the one of the connection that was lost."""
        self.address = new_message_id()
        queue = declare_passing_queue(channel, f"rpc.reply-{self.container.service_name}-{self.address}")
        channel.exchange_declare(RPC_EXCHANGE, "topic", durable=True, auto_delete=False)
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


class RequestServer(SharedExtension, ProviderCollector):
    """The service's one queue of requests: each is handled by a worker, answered, and acked."""

    def setup(self) -> None:
        """Makes the reader of requests and the publisher of replies."""
        settings = read_settings(MessagingSettings)
        service = self.container.service_name
        self._running = 0
        self._thread: Any = None
        self.reader = QueueReader(
            f"{service} requests", settings, self._declare, self._receive, prefetch=self.container.max_workers
        )
        self.reader.is_idle = lambda: self._running == 0
        self._publisher = DirectPublisher(settings.amqp_uri, f"{service} replies", seconds=3)

    def start(self) -> None:
        """Takes requests; returns when the broker has said so."""
        self._thread = self.container.spawn_managed_thread(self.reader.run)
        self.reader.wait_until_ready()

    def why_not_ready(self) -> str | None:
        """What keeps messages from coming."""
        return self.reader.why_not_ready()

    def drain(self) -> None:
        """Takes nothing new and returns when what runs is answered and acked."""
        self.reader.stop()
        if self._thread is not None:
            self._thread.wait()
        self._publisher.drop()

    def _declare(self, channel: amqp.Channel) -> str:
        return declare_request_queue(channel, self.container.service_name)

    def _receive(self, message: AmqpMessage) -> None:
        self._running += 1
        self.container.spawn_managed_thread(lambda: self._serve(message))

    def _serve(self, message: AmqpMessage) -> None:
        name = message.delivery_info["routing_key"].rpartition(".")[2]
        entrypoint = next((one for one in self._providers if one.method_name == name), None)
        try:
            request = Request.from_body(message.body, message)
        except (ValueError, KeyError, TypeError, IndexError):
            entrypoint = None
        if entrypoint is None:
            self._answer(message, _problem_json(Problem("unknown_request", 500, "系统不支持此操作")))
            return
        if message.delivery_info["redelivered"] and not entrypoint.can_repeat(request):
            self._answer(message, _problem_json(Unavailable(_RETRY_AFTER)))
            return

        def settle(_context: Any, answer: str | None, exc_info: Any) -> tuple[Any, Any]:
            self._answer(message, answer)
            return None, exc_info

        try:
            self.container.spawn_worker(entrypoint, (request,), {}, handle_result=settle)
        except ContainerBeingKilled:
            self._running -= 1

    def _answer(self, message: AmqpMessage, answer: str | None) -> None:
        """Replies, where someone waits, and acks; a reply that cannot be sent is the caller's deadline's affair."""
        try:
            if answer is not None and message.properties.get("reply_to"):
                self._publisher.publish(
                    Outgoing(
                        RPC_EXCHANGE,
                        message.properties["reply_to"],
                        f'{{"result":{answer},"error":null}}'.encode(),
                        {
                            "content_type": "application/json",
                            "content_encoding": "utf-8",
                            "delivery_mode": 1,
                            "correlation_id": message.properties.get("correlation_id"),
                        },
                    )
                )
        except BROKER_ERRORS as error:
            log.warning("reply_lost", error=class_name(error))
        finally:
            self.reader.ack(message)
            self._running -= 1


class QueryEntrypoint(Entrypoint):
    """The entrypoint behind `query`."""

    server = RequestServer()

    def setup(self) -> None:
        """Lets the server find this method."""
        self.server.register_provider(self)

    def stop(self) -> None:
        """Returns when the server has answered what it had taken."""
        self.server.drain()

    def can_repeat(self, request: Request) -> bool:
        """Whether a request may be run that the broker delivers again after a lost connection."""
        return True


class CommandEntrypoint(QueryEntrypoint):
    """The entrypoint behind `command`."""

    def can_repeat(self, request: Request) -> bool:
        """Without a request id nobody knows whether the first delivery was carried out, or still is."""
        return request.request_id is not None


class _DeadlinePassed(Exception):
    """The time for an answer is over. Not eventlet's own Timeout, which is no Exception and would kill the worker."""


def _answering(method: Method, roles: set[str], run: Callable[[Any, Caller, Request], str]) -> Method:
    @wraps(method)
    def answer(service: Any, request: Request) -> str | None:
        """The answer as JSON; None where nobody waits for it any more."""
        if request.is_late():
            metrics.rpc_expired.labels(service.name).inc()
            return None
        correlation.set(request.correlation_id)
        causation.set(request.request_id)
        started = time.monotonic()
        with bound_contextvars(
            correlation_id=request.correlation_id, request_id=request.request_id, request=method.__name__
        ):
            problem, answered = None, ""
            try:
                caller = Caller.from_dict(request.caller)
                if ANONYMOUS not in roles and not caller.roles & roles:
                    raise Forbidden
                answered = f'{{"result":{run(service, caller, request)}}}'
            except Exception as error:
                problem = _as_problem(error, request)
                answered = _problem_json(problem)
        outcome = problem.code if problem else "answered"
        metrics.rpc_seconds.labels(method.__name__, outcome).observe(time.monotonic() - started)
        return answered

    return answer


def _once(session: Session, name: str, caller: Caller, request: Request, run: Callable[[], Any]) -> str:
    """The answer that the request id got before, or what `run` answers now, kept in the same transaction.

    A second request with the id, at the same time, waits here for the first one's commit.
    """
    account = caller.account_id or caller.member_id or ANONYMOUS
    fingerprint = hashlib.sha256(json.dumps([name, request.data], sort_keys=True, ensure_ascii=False).encode()).digest()
    row = {"account_id": account, "request_id": request.request_id, "name": name, "fingerprint": fingerprint}
    this = (handled_request.c.account_id == account, handled_request.c.request_id == request.request_id)
    remember = insert(handled_request).values(row).on_conflict_do_nothing().returning(handled_request.c.request_id)
    if session.scalar(remember) is None:
        kept = session.execute(select(handled_request.c.fingerprint, handled_request.c.answer).where(*this)).one()
        if kept.fingerprint != fingerprint:
            raise Invalid((), "idempotency_key_reused", "同一请求编号已用于其他内容", "请更换请求编号后重试。")
        return str(kept.answer)
    answer = _plain_json(run())
    session.execute(update(handled_request).where(*this).values(answer=answer))
    return answer


def _as_problem(error: Exception, request: Request) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return invalid_fields(error.messages)
    log.error("request_failed", error=class_name(error), traceback=traceback_without_values(error))
    if is_passing(error):
        return Unavailable(_RETRY_AFTER)
    return Problem(
        "internal_error", 500, "系统内部错误", f"请稍后重试；如仍有问题，请提供编号 {request.correlation_id}。"
    )


def _problem_json(problem: Problem) -> str:
    return _plain_json({"problem": problem.to_dict()})


def _plain_json(value: Any) -> str:
    """Dates, UUIDs and decimals as strings: kombu's JSON would wrap them in envelopes of its own."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_as_text)


def _as_text(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON type")

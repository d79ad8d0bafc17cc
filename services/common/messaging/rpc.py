"""Methods that other processes ask for: queries and commands on Nameko's RPC wire, with roles and request ids."""

import hashlib
import json
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from marshmallow import Schema, ValidationError
from nameko.extensions import register_entrypoint
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from services.common import metrics
from services.common.logs import class_name, traceback_without_values
from services.common.messaging.envelope import causation, correlation
from services.common.messaging.failures import is_passing
from services.common.messaging.request import ANONYMOUS, RETRY_AFTER, Caller, Request, plain_json, problem_json
from services.common.messaging.rpc_client import ServiceClient
from services.common.messaging.rpc_server import CommandEntrypoint, QueryEntrypoint
from services.common.persistence import handled_request
from services.common.problems import Forbidden, Invalid, Problem, Unavailable, invalid_fields

__all__ = ["ANONYMOUS", "Caller", "ServiceClient", "command", "query"]

log = structlog.get_logger()

Method = Callable[..., Any]


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
                    return plain_json(method(service, session, caller, data))
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
                return plain_json(method(service, session, caller, data))

        answer = _answering(method, roles, run)
        register_entrypoint(answer, QueryEntrypoint())
        return answer

    return decorate


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
                answered = problem_json(problem)
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
    answer = plain_json(run())
    session.execute(update(handled_request).where(*this).values(answer=answer))
    return answer


def _as_problem(error: Exception, request: Request) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return invalid_fields(error.messages)
    log.error("request_failed", error=class_name(error), traceback=traceback_without_values(error))
    if is_passing(error):
        return Unavailable(RETRY_AFTER)
    return Problem(
        "internal_error", 500, "系统内部错误", f"请稍后重试；如仍有问题，请提供编号 {request.correlation_id}。"
    )

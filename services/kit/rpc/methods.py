"""RPC entrypoints of queries and commands, with authorization, audit events and request ids."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, overload

import structlog
from marshmallow import ValidationError
from nameko.extensions import register_entrypoint
from opentelemetry.trace import SpanKind
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from services.kit.data.database import handled_request, is_not_writable
from services.kit.data.encryption import blind_index
from services.kit.events.envelope import causation, correlation
from services.kit.events.failures import is_transient
from services.kit.operations import audit, metrics
from services.kit.operations.audit import AuditEvent
from services.kit.operations.logs import class_name, traceback_without_values
from services.kit.operations.tracing import span
from services.kit.problems import DatabaseReadOnly, Forbidden, Invalid, Problem, Unavailable, invalid_fields
from services.kit.rpc.client import ServiceClient
from services.kit.rpc.operation import ANONYMOUS, CommonOperation, Operation, operation_of
from services.kit.rpc.request import RETRY_AFTER, Caller, Request, plain_json, problem_json
from services.kit.rpc.server import CommandEntrypoint, QueryEntrypoint
from services.kit.rpc.work import Work

__all__ = ["ANONYMOUS", "Caller", "ServiceClient", "handles"]

log = structlog.get_logger()

Method = Callable[..., Any]
RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


@overload
def handles(
    operation: Operation[RequestT, AnswerT], use_case: Callable[[Work, RequestT], AnswerT]
) -> Callable[..., str | None]: ...
@overload
def handles(
    operation: Operation[RequestT, AnswerT] | CommonOperation[RequestT, AnswerT],
) -> Callable[[Callable[[Any, Work, RequestT], AnswerT]], Callable[..., str | None]]: ...
def handles(operation: Any, use_case: Any = None) -> Any:
    """The entrypoint of an operation. `approve = handles(APPROVE, requests.approve)` calls `use_case(work, request)`;
    as a decorator it takes a method `(self, work, request)` of a service that has more than a database.

    The schema loads the request (unknown fields are refused), the caller is authorized, and all runs in one transaction
    of `self.database`, with the audit event of a command. A repeated request id gets the same answer again and changes
    nothing; with other data it is the Problem `idempotency_key_reused`. The answer becomes JSON; dates, UUIDs and
    decimals become strings.
    """
    if use_case is None:
        return partial(_entrypoint_of, operation)
    return _entrypoint_of(operation, lambda _service, work, request: use_case(work, request))


def _entrypoint_of(
    operation: Operation[Any, Any] | CommonOperation[Any, Any], method: Callable[[Any, Work, Any], Any]
) -> Method:
    load = operation.request_schema().load

    def run(service: Any, audit_event: AuditEvent, request: Request) -> str:
        loaded = load(request.data)
        if not operation.uses_database:
            return plain_json(method(service, Work(None, audit_event.caller), loaded))
        if not operation.is_command:
            caller = audit_event.caller
            return str(
                service.database.answer(
                    lambda session: plain_json(method(service, Work(session, caller, service.database), loaded)),
                    may_lag=operation.may_lag_for(caller.roles),
                )
            )
        return _carry_out(service, audit_event, request, lambda work: method(service, work, loaded))

    is_command, name = operation.is_command, operation.method
    answer = _answering(name, run, _record_refusal if is_command else _record_nothing)
    register_entrypoint(answer, CommandEntrypoint(name) if is_command else QueryEntrypoint(name))
    return answer


def _carry_out(service: Any, audit_event: AuditEvent, request: Request, run: Callable[[Work], Any]) -> str:
    """Runs a command in its transaction, once for each request id, with its audit event."""
    with service.database.begin() as session:
        audit.begin(session, audit_event)

        def carry_out() -> Any:
            result = run(Work(session, audit_event.caller, service.database))
            audit.publish_audit_event(session, service.name, audit_event)
            return result

        if request.request_id is None:
            return plain_json(carry_out())
        return _once(session, audit_event.action.partition(".")[2], audit_event.caller, request, carry_out)


def _answering(
    name: str,
    run: Callable[[Any, AuditEvent, Request], str],
    record_refusal: Callable[[Any, AuditEvent, Problem], None],
) -> Method:
    def answer(service: Any, request: Request) -> str | None:
        """The answer as JSON; None where nobody waits for it any more."""
        if request.is_late():
            metrics.rpc_expired.labels(service.name).inc()
            return None
        with _work_of(request, f"{service.name}.{name}") as handled:
            problem, answered, audit_event = None, "", None
            try:
                audit_event = audit.audit_event_of(f"{service.name}.{name}", request)
                audit_event.caller = _authorize(audit_event.action, audit_event.caller)
                answered = f'{{"result":{run(service, audit_event, request)}}}'
            except Exception as error:
                problem = _as_problem(error, request)
                answered = problem_json(problem)
                if audit_event is not None and isinstance(error, Problem):
                    record_refusal(service, audit_event, error)
            handled(problem.code if problem else "answered")
        return answered

    return answer


@contextmanager
def _work_of(request: Request, operation: str) -> Iterator[Callable[[str], None]]:
    """The ids and the span of a request's work; yields what logs and measures its outcome."""
    started = time.monotonic()
    correlation.set(request.correlation_id)
    causation.set(request.request_id)
    name = operation.partition(".")[2]
    ids = {"correlation_id": request.correlation_id, "request_id": request.request_id, "request": name}

    def handled(outcome: str) -> None:
        seconds = time.monotonic() - started
        metrics.rpc_seconds.labels(name, outcome).observe(seconds)
        work.set_attribute("outcome", outcome)
        log.info("request_handled", outcome=outcome, ms=round(seconds * 1000, 1))

    with (
        metrics.busy_worker(),
        span(operation, SpanKind.SERVER, request.traceparent, request.correlation_id) as work,
        bound_contextvars(**ids),
    ):
        yield handled


def _record_refusal(service: Any, audit_event: AuditEvent, problem: Problem) -> None:
    """Records a refusal; an invalid request raises ValidationError, which is no Problem, and is not recorded."""
    audit.publish_refusal(service.database, service.name, audit_event, problem)


def _record_nothing(service: Any, audit_event: AuditEvent, problem: Problem) -> None:
    """Does nothing: queries have no audit events."""


def _authorize(name: str, caller: Caller) -> Caller:
    """The caller with its scope for the operation; raises Forbidden."""
    rule = operation_of(name).allow
    if not rule.allows(caller.roles):
        raise Forbidden
    return replace(caller, scope=rule.scope_of(caller.roles))


def _once(session: Session, name: str, caller: Caller, request: Request, run: Callable[[], Any]) -> str:
    """The earlier answer to the request id, or the result of `run`, stored in the same transaction.

    A concurrent request with the same id waits here for the first one's commit.
    """
    account = caller.account_id or caller.member_id or ANONYMOUS
    # Keyed, so that a reader of the table alone cannot find numbers by trying all possible ones.
    fingerprint = blind_index(json.dumps([name, request.data], sort_keys=True, ensure_ascii=False), "request")
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
    if is_not_writable(error):
        return DatabaseReadOnly(RETRY_AFTER)
    if is_transient(error):
        return Unavailable(RETRY_AFTER)
    return Problem(
        "internal_error", 500, "系统内部错误", f"请稍后重试；如仍有问题，请提供编号 {request.correlation_id}。"
    )

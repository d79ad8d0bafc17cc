"""Operations for operators (运维): status of services and queues, dead letters, bank messages; no personal data."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from werkzeug.wrappers import Response

from gateway import queue_depths
from gateway.answers import json_answer
from gateway.routes import RequestContext, gateway_query, route, rpc_route
from gateway.settings import DeadLetterSettings
from services.contracts.operations import audit, batching, overview
from services.contracts.operations.membership import accounts
from services.contracts.overdue import overdue_before
from services.contracts.services import SERVICES
from services.kit.amqp.queues import owner_of, request_queue
from services.kit.amqp.watch import RESTORE
from services.kit.dead_letters.order import oldest_first
from services.kit.operations import operators as rpc
from services.kit.problems import NotFound, Unavailable, invalid_fields
from services.kit.rpc.operation import CommonOperation, no_union
from services.kit.rpc.paging import Counted
from services.kit.schemas import as_dict, schema_of
from services.kit.settings import ProcessSettings, read_settings

_OPERATORS = no_union("operator")
_LIST_SERVICES = gateway_query("list_services", _OPERATORS)
_LIST_QUEUES = gateway_query("list_queues", _OPERATORS)
_LIST_DEAD_LETTERS = gateway_query("list_dead_letters", _OPERATORS)


_LETTERS = "/api/v1/operations/dead-letters"
_BATCHES = "/api/v1/operations/batches"
_SECONDS = 2.0
_STARTED_AT = datetime.now(UTC)
Answer = TypeVar("Answer")


@route(
    "GET",
    "/api/v1/operations/services",
    _LIST_SERVICES,
    request=rpc.GetStatusRequest,
    answer=rpc.ServicesAnswer,
    deadline=_SECONDS,
    summary="Each service and this gateway: whether it answers, its version, and why it is not ready",
)
def list_services(context: RequestContext) -> Response:
    request = context.read()
    statuses = _of_each(SERVICES, lambda service: context.call(rpc.GET_STATUS.of(service), request))
    processes = _processes()
    items = [
        {
            "service": service,
            "answers": status is not None,
            "processes": processes.get(request_queue(service)),
            "status": status,
        }
        for service, status in statuses.items()
    ]
    return json_answer({"items": [*items, _gateway(context)]})


@route(
    "GET",
    "/api/v1/operations/queues",
    _LIST_QUEUES,
    answer=rpc.QueuesAnswer,
    summary="Each queue: whether it is missing, how many messages are ready in it, how many consumers it has",
)
def list_queues(context: RequestContext) -> Response:
    found, missing = queue_depths.depths_of_all()
    items = [_queue(queue, size, consumers) for queue, size, consumers in found]
    items += [_queue(queue, 0, 0, is_missing=True) for queue in missing]
    return json_answer({"items": items, "restore_command": RESTORE})


@route(
    "GET",
    _LETTERS,
    _LIST_DEAD_LETTERS,
    request=rpc.ListDeadLettersRequest,
    answer=rpc.DeadLettersAnswer,
    deadline=10,
    summary="Dead letters and rejected messages of the bank, the oldest failure first",
)
def list_dead_letters(context: RequestContext) -> Response:
    request: rpc.ListDeadLettersRequest = schema_of(rpc.ListDeadLettersRequest)().load(context.read())
    deepest = request.page * request.size
    if deepest > rpc.DEEPEST_LETTER:
        raise invalid_fields({"page": f"只能查看最早的 {rpc.DEEPEST_LETTER} 条"})
    services = [_owner(request.queue)] if request.queue else SERVICES
    service_request = as_dict(rpc.ServiceDeadLettersRequest(queue=request.queue, limit=deepest))
    answers = _of_each(services, lambda service: context.call(rpc.LIST_DEAD_LETTERS.of(service), service_request))
    answered = [answer for answer in answers.values() if answer is not None]
    letters = sorted((one for answer in answered for one in answer["items"]), key=oldest_first)
    total = Counted(sum(answer["total"] for answer in answered), len(answered) == len(answers))
    items = _with_marks(_with_unions(context, letters[deepest - request.size : deepest]))
    unanswered = [service for service, answer in answers.items() if answer is None]
    return json_answer(as_dict(rpc.DeadLettersAnswer.of(items, request, total, unanswered=unanswered)))


get_overview = rpc_route(
    "GET",
    "/api/v1/operations/overview",
    overview.GET_OVERVIEW,
    summary="The last hour of services, outboxes, queues, bank and text messages; what changed; alerts",
)
list_interventions = rpc_route(
    "GET",
    "/api/v1/operations/interventions",
    audit.LIST_INTERVENTIONS,
    summary="What operators did last with dead letters and the bank's messages, with their reasons",
)


def _letter_route(method: str, path: str, common: CommonOperation[Any, Any], **properties: Any) -> Any:
    """Returns a route that calls the service that owns the queue."""
    common.declare_for(["gateway"], _OPERATORS)

    def respond(context: RequestContext) -> Response:
        data = context.read()
        answer = context.call(common.of(_owner(data["queue"])), data)
        return json_answer(_with_marks(_with_unions(context, [answer]))[0] if method == "GET" else answer)

    return route(method, f"{_LETTERS}/<queue>{path}", common.of("gateway"), deadline=30, **properties)(respond)


get_dead_letter = _letter_route(
    "GET",
    "/<id>",
    rpc.GET_DEAD_LETTER,
    summary="One dead letter, with the unencrypted part of its content",
)
replay_dead_letters = _letter_route(
    "POST",
    "/replay",
    rpc.REPLAY_DEAD_LETTERS,
    summary="Send dead letters back to their queue; a message that is replayed twice is applied once",
)
discard_dead_letters = _letter_route(
    "POST",
    "/discard",
    rpc.DISCARD_DEAD_LETTERS,
    summary="Delete dead letters permanently, with a reason that is recorded",
)

get_bank_batch = rpc_route(
    "GET",
    f"{_BATCHES}/<batch_no>",
    batching.GET_BANK_BATCH,
    summary="A batch at the bank: its feedback and the bank's times, without persons",
)
resend_to_bank = rpc_route(
    "POST",
    f"{_BATCHES}/<batch_no>/resend",
    batching.RESEND_TO_BANK,
    deadline=30,
    summary="Send a batch or its recall to the bank again, unchanged, marked as repeated",
)
correct_processed_at = rpc_route(
    "POST",
    f"{_BATCHES}/<batch_no>/processed-at",
    batching.CORRECT_PROCESSED_AT,
    summary="Correct a wrong time that the bank gave",
)

ROUTES = (
    *(list_services, list_queues, list_dead_letters, get_dead_letter, replay_dead_letters, discard_dead_letters),
    *(get_overview, list_interventions),
    *(get_bank_batch, resend_to_bank, correct_processed_at),
)


def _with_unions(context: RequestContext, letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds the unions' names to dead letters that have only their id or code, if membership answers."""
    unnamed = [letter for letter in letters if letter.get("union_name") is None]
    unions = {
        "union_ids": list({letter["union_id"] for letter in unnamed if letter.get("union_id")}),
        "codes": list({letter["union_code"] for letter in unnamed if letter.get("union_code")}),
    }
    if not any(unions.values()):
        return letters
    answer = _unless_away(lambda _: context.call(accounts.NAME_UNIONS, unions), "membership")
    names = {union[key]: union["name"] for union in (answer or {"items": ()})["items"] for key in ("union_id", "code")}
    for letter in unnamed:
        letter["union_name"] = names.get(letter.get("union_id")) or names.get(letter.get("union_code"))
    return letters


def _with_marks(letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Marks the dead letters that have waited too long since they failed last."""
    limit = overdue_before(read_settings(DeadLetterSettings).overdue_dead_letter_days)
    for letter in letters:
        letter["overdue"] = _is_before(letter["failed_at"], limit)
    return letters


def _is_before(failed_at: str | None, limit: datetime) -> bool:
    """Whether a letter failed before the limit; what a strange message says of it may be no moment at all."""
    try:
        moment = datetime.fromisoformat(failed_at or "")
    except ValueError:
        return False
    return moment.tzinfo is not None and moment < limit


def _of_each(services: Sequence[str], call: Callable[[str], Answer]) -> dict[str, Answer | None]:
    """Calls all services at once and returns each answer, None for a service that is away."""
    with ThreadPoolExecutor(len(services)) as at_once:
        return dict(zip(services, at_once.map(partial(_unless_away, call), services), strict=True))


def _unless_away(call: Callable[[str], Answer], service: str) -> Answer | None:
    try:
        return call(service)
    except Unavailable:
        return None


def _processes() -> dict[str, int]:
    """Returns the number of consumers of each request queue; empty if the broker is away."""
    try:
        return {queue: consumers for queue, _, consumers in queue_depths.depths(map(request_queue, SERVICES))}
    except Unavailable:
        return {}


def _gateway(context: RequestContext) -> dict[str, Any]:
    """Returns the status of this process, including why it cannot reach services."""
    release, reasons = read_settings(ProcessSettings).release, context.dependencies.not_ready()
    status = {"release": release, "started_at": _STARTED_AT.isoformat(), "reasons": reasons}
    return {"service": "gateway", "answers": True, "processes": None, "status": status}


def _queue(queue: str, messages: int, consumers: int, *, is_missing: bool = False) -> dict[str, Any]:
    return {
        "queue": queue,
        "service": owner_of(queue),
        "kind": queue_depths.kind_of(queue),
        "messages": messages,
        "consumers": consumers,
        "is_missing": is_missing,
    }


def _owner(queue: str) -> str:
    owner = owner_of(queue)
    if owner not in SERVICES:
        raise NotFound
    return owner

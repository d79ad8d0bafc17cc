"""Counts and series for the workbench (业务工作台)."""

from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.routes import RequestContext, gateway_query, route
from services.contracts.operations import batching
from services.contracts.operations.membership.accounts import UnionAnswer
from services.contracts.operations.membership.members import GET_MEMBER_SUMMARY, MemberSummaryAnswer
from services.contracts.operations.roles import STAFF, subordinates

_GET_SUMMARY = gateway_query("get_summary", subordinates(*STAFF))


@dataclass(frozen=True, kw_only=True)
class NamedUnionBatches(batching.UnionBatches):
    """Batches of a direct subordinate, named by membership, and of its own subordinates."""

    union: UnionAnswer


@dataclass(frozen=True, kw_only=True)
class BatchesAnswer(batching.BatchSummaryAnswer):
    by_union: list[NamedUnionBatches]  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class SummaryAnswer:
    """Counts of membership and batching in a union and, for a superior union, its subordinates."""

    members: MemberSummaryAnswer
    batches: BatchesAnswer


@route(
    "GET",
    "/api/v1/summary",
    _GET_SUMMARY,
    request=batching.BatchSummaryRequest,
    answer=SummaryAnswer,
    summary="Members by card state, applications and batches by day, refusals by reason",
)
def summary(context: RequestContext) -> Response:
    request = context.read()
    # First, because it refuses a union out of the caller's scope.
    members = context.call(GET_MEMBER_SUMMARY, request)
    batches = context.call(batching.GET_BATCH_SUMMARY, request)
    return json_answer({"members": members, "batches": {**batches, "by_union": _by_name(members, batches)}})


ROUTES = (summary,)


def _by_name(members: dict[str, Any], batches: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the batch counts with the unions' names, in membership's order, without unions that have no batch."""
    counted = {one["union_id"]: one for one in batches["by_union"]}
    unions = [one["union"] for one in members["by_union"]]
    return [{**counted[one["union_id"]], "union": one} for one in unions if one["union_id"] in counted]

"""Counts and series for the workbench (业务工作台)."""

from marshmallow import Schema, fields
from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.policy import STAFF
from gateway.routes import Exchange, route
from services.common.contracts.rpc import batching, membership


class SummaryAnswer(Schema):
    """What membership and batching count in the caller's union, and for a superior in its subordinates."""

    members = fields.Nested(membership.MemberSummaryAnswer, required=True)
    batches = fields.Nested(batching.BatchSummaryAnswer, required=True)


@route(
    "GET",
    "/api/v1/summary",
    roles=STAFF,
    request=batching.BatchSummaryRequest,
    answer=SummaryAnswer,
    summary="Members by card state, applications and batches by day, refusals by reason",
)
def summary(exchange: Exchange) -> Response:
    asked = exchange.read()
    return json_answer(
        {
            "members": exchange.ask("membership.get_member_summary", asked),
            "batches": exchange.ask("batching.get_batch_summary", asked),
        }
    )


ROUTES = (summary,)

"""Revocations (撤销): a union asks to have a batch back, its superior union decides."""

from gateway.routes import rpc_route
from services.contracts.operations import revocation as rpc

_REVOCATIONS = "/api/v1/revocations"

ROUTES = (
    rpc_route(
        "POST",
        _REVOCATIONS,
        rpc.REQUEST_REVOCATION,
        status=201,
        location=f"{_REVOCATIONS}/{{revocation_id}}",
        summary="Ask the superior union to revoke a batch (撤销申请)",
    ),
    rpc_route(
        "GET",
        _REVOCATIONS,
        rpc.LIST_REVOCATIONS,
        summary="My union's requests and, for reviewers and administrators, those of its subordinates; open ones first",
    ),
    rpc_route(
        "GET",
        f"{_REVOCATIONS}/<uuid:revocation_id>",
        rpc.GET_REVOCATION,
        summary="One request",
    ),
    rpc_route(
        "POST",
        f"{_REVOCATIONS}/<uuid:revocation_id>/approve",
        rpc.APPROVE_REVOCATION,
        summary="Agree (同意): what the bank has not decided is released",
    ),
    rpc_route(
        "POST",
        f"{_REVOCATIONS}/<uuid:revocation_id>/reject",
        rpc.REJECT_REVOCATION,
        summary="Refuse (不同意): the members stay locked in the batch",
    ),
    rpc_route(
        "POST",
        f"{_REVOCATIONS}/decide",
        rpc.DECIDE_REVOCATIONS,
        deadline=30,
        summary="Decide on several requests, each by its own decision and remark; the answer says what became of each",
    ),
    rpc_route(
        "POST",
        f"{_REVOCATIONS}/<uuid:revocation_id>/applicant",
        rpc.REVEAL_APPLICANT,
        has_secrets=True,
        summary="The applicant's whole telephone number, for who reviews the request; the reason is recorded",
    ),
)

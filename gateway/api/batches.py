"""Batches (办卡批次): their members, their register (清册) and attachments."""

from werkzeug.wrappers import Response

from gateway.answers import file_download
from gateway.routes import RequestContext, Route, file_route, route, rpc_route
from services.contracts.operations import batching as rpc
from services.kit.documents.content_types import PDF, XLSX

_BATCHES = "/api/v1/batches"
_FILE_SECONDS = 30


def _register(form: str, content_type: str) -> Route:
    """Returns the route of the register in one format; X-Register-Hash is the hash of its content, as printed on it."""

    @route(
        "GET",
        f"{_BATCHES}/<batch_no>/register.{form}",
        rpc.GET_REGISTER,
        fixed={"format": form},
        answer=content_type,
        deadline=_FILE_SECONDS,
        summary=f"The register (清册) as .{form}; marks it as printed",
    )
    def download(context: RequestContext) -> Response:
        register = context.call(rpc.GET_REGISTER, context.read())
        response = file_download(register)
        response.headers["X-Register-Hash"] = register["register_hash"]
        return response

    return download


ROUTES = (
    rpc_route(
        "POST",
        _BATCHES,
        rpc.SUBMIT_BATCH,
        status=201,
        location=f"{_BATCHES}/{{batch_no}}",
        deadline=30,
        summary="Submit the whole pending list of a channel as one batch (提交办卡)",
    ),
    rpc_route(
        "GET",
        _BATCHES,
        rpc.LIST_BATCHES,
        summary="Batches of the union; reviewers and administrators see those of subordinates too, all or of one",
    ),
    rpc_route(
        "GET",
        f"{_BATCHES}/<batch_no>",
        rpc.GET_BATCH,
        summary="One batch",
    ),
    rpc_route(
        "GET",
        f"{_BATCHES}/<batch_no>/members",
        rpc.LIST_BATCH_MEMBERS,
        summary="The members of a batch and the outcomes of their applications",
    ),
    _register("pdf", PDF),
    _register("xlsx", XLSX),
    file_route(
        f"{_BATCHES}/<batch_no>/attachments.zip",
        rpc.GET_ATTACHMENTS,
        content_type="application/zip",
        deadline=_FILE_SECONDS,
        summary="The documents to print and take to the outlet",
    ),
)

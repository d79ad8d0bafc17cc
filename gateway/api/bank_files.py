"""Files for branches that take no messages: operators fetch ours, and upload the bank's results."""

from gateway.routes import file_route, rpc_route
from services.contracts.operations import bank_files as rpc
from services.kit.documents.content_types import XLSX

_FILES = "/api/v1/operations/bank-files"
_RESULTS = "/api/v1/operations/result-files"

ROUTES = (
    rpc_route(
        "POST",
        "/api/v1/operations/branches/<branch_code>/result-files",
        rpc.UPLOAD_RESULTS,
        status=201,
        location=f"{_RESULTS}/{{result_file_id}}",
        uploads=True,
        deadline=60,
        summary="Apply the results and reports of a branch's file; says which lines were not taken",
    ),
    rpc_route(
        "GET",
        _FILES,
        rpc.LIST_BANK_FILES,
        summary="Files for branches that take no messages, newest first",
    ),
    file_route(
        f"{_FILES}/<uuid:file_id>/content.xlsx",
        rpc.FETCH_BANK_FILE,
        content_type=XLSX,
        deadline=60,
        summary="A batch or recall for a branch, locked by its password; counts as fetched from now on",
    ),
    rpc_route(
        "GET",
        _RESULTS,
        rpc.LIST_RESULT_FILES,
        summary="Uploaded files of results, newest first",
    ),
    rpc_route(
        "GET",
        f"{_RESULTS}/<uuid:result_file_id>",
        rpc.GET_RESULT_FILE,
        summary="An uploaded file of results, with the lines that were not taken",
    ),
    file_route(
        f"{_RESULTS}/<uuid:result_file_id>/receipt.xlsx",
        rpc.GET_RESULT_RECEIPT,
        content_type=XLSX,
        summary="What became of a file of results, for the bank",
    ),
    rpc_route(
        "POST",
        "/api/v1/branches/<code>/file-password",
        rpc.RENEW_FILE_PASSWORD,
        has_secrets=True,
        summary="A new password for a branch's files, shown only once; for the city union",
    ),
)

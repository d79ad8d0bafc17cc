"""Members (卡片信息管理): search, register, change, show numbers, export, and queue for a card."""

from werkzeug.wrappers import Response

from gateway.answers import file_download
from gateway.routes import RequestContext, route, rpc_route
from services.contracts.operations.membership import members as rpc
from services.kit.documents.content_types import XLSX

_MEMBERS = "/api/v1/members"


@route(
    "POST",
    f"{_MEMBERS}/export",
    rpc.EXPORT_MEMBERS,
    answer=XLSX,
    deadline=60,
    has_secrets=True,
    summary="The members of a filter as .xlsx; with full numbers for administrators who give a reason",
)
def export(context: RequestContext) -> Response:
    return file_download(context.call(rpc.EXPORT_MEMBERS, context.read()))


ROUTES = (
    rpc_route(
        "GET",
        _MEMBERS,
        rpc.LIST_MEMBERS,
        summary="Members of affiliated employers, of one union or with all below; each with whether it can be chosen,"
        " and if not, why",
    ),
    rpc_route(
        "POST",
        _MEMBERS,
        rpc.REGISTER_MEMBER,
        status=201,
        location=f"{_MEMBERS}/{{member_id}}",
        summary="Register a member; the member number is assigned asynchronously",
    ),
    rpc_route(
        "POST",
        f"{_MEMBERS}/find",
        rpc.FIND_PERSON,
        has_secrets=True,
        summary="Whether a person is a member of my union or one below, where, and how far the card is (会员核查);"
        " counted and recorded like every search by number",
    ),
    rpc_route(
        "GET",
        f"{_MEMBERS}/<uuid:member_id>",
        rpc.GET_MEMBER,
        summary="One member with the history of all applications (查看详情)",
    ),
    rpc_route(
        "PATCH",
        f"{_MEMBERS}/<uuid:member_id>",
        rpc.UPDATE_MEMBER,
        summary="Change a member's data",
    ),
    rpc_route(
        "POST",
        f"{_MEMBERS}/<uuid:member_id>/reveal",
        rpc.REVEAL_MEMBER,
        has_secrets=True,
        summary="Show the full numbers of a member (显示); the reason is recorded, and the number an hour is limited",
    ),
    rpc_route(
        "POST",
        f"{_MEMBERS}/<uuid:member_id>/leave",
        rpc.END_MEMBERSHIP,
        summary="Record that a member has left or retired (办理退会)",
    ),
    rpc_route(
        "POST",
        f"{_MEMBERS}/<uuid:member_id>/resume",
        rpc.RESUME_MEMBERSHIP,
        summary="Take a former member back (恢复会籍)",
    ),
    export,
    rpc_route(
        "POST",
        f"{_MEMBERS}/queue",
        rpc.QUEUE_MEMBERS,
        deadline=30,
        summary="Queue those chosen, or all that match a filter (添加未办卡会员至待办)",
    ),
)

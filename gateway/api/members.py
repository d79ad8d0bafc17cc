"""Members (卡片信息管理): search, register, change, and queue for a card."""

from gateway.policy import CLERK, STAFF
from gateway.routes import rpc_route
from services.common.contracts.rpc import membership as rpc

_MEMBERS = "/api/v1/members"

ROUTES = (
    rpc_route(
        "GET",
        _MEMBERS,
        "membership.list_members",
        roles=STAFF,
        request=rpc.ListMembersRequest,
        answer=rpc.ListMembersAnswer,
        summary="Members of affiliated employers, each with whether it can be chosen and if not why",
    ),
    rpc_route(
        "POST",
        _MEMBERS,
        "membership.register_member",
        roles=CLERK,
        request=rpc.RegisterMemberRequest,
        answer=rpc.MemberAnswer,
        status=201,
        location=f"{_MEMBERS}/{{member_id}}",
        summary="Register a member; the member number follows by and by",
    ),
    rpc_route(
        "GET",
        f"{_MEMBERS}/<uuid:member_id>",
        "membership.get_member",
        roles=STAFF,
        request=rpc.GetMemberRequest,
        answer=rpc.MemberAnswer,
        summary="One member with the history of all applications (查看详情)",
    ),
    rpc_route(
        "PATCH",
        f"{_MEMBERS}/<uuid:member_id>",
        "membership.update_member",
        roles=CLERK,
        request=rpc.UpdateMemberRequest,
        answer=rpc.MemberAnswer,
        summary="Change what is known of a member",
    ),
    rpc_route(
        "POST",
        f"{_MEMBERS}/queue",
        "membership.queue_members",
        roles=CLERK,
        request=rpc.QueueMembersRequest,
        answer=rpc.QueueMembersAnswer,
        deadline=30,
        summary="Queue those chosen, or all that match a filter (添加未办卡会员至待办)",
    ),
)

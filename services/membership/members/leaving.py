"""Leaving 退会 and retirement: a former member stays on record, is not queued any more, and can come back."""

from datetime import UTC, datetime
from uuid import UUID

from services.contracts.operations.membership.members import EndMembershipRequest, GetMemberRequest, MemberAnswer
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound
from services.kit.rpc.work import Work
from services.membership.applications.application_states import CardState
from services.membership.facts import publish_changed
from services.membership.members.members import member_answer
from services.membership.models import Member
from services.membership.unions import require_open


def end_membership(work: Work, request: EndMembershipRequest) -> MemberAnswer:
    """Records that a member has left or retired; number, card and history stay.

    Raises NotFound, Conflict `has_left`, and Conflict `application_live` while a card is being applied for.
    """
    member = _own_member(work, request.member_id)
    if member.left_at is not None:
        raise Conflict("has_left", "该会员已退会", "请刷新后查看。")
    if member.card_state in (CardState.PENDING, CardState.SUBMITTED):
        raise Conflict("application_live", "会员正在办卡，不能退会", "请先将其移出待办，或等待本次办卡结束。")
    member.left_at, member.left_because = datetime.now(UTC), request.because
    audit.record(work.session, new={"left_because": request.because})
    publish_changed(work.session, member)
    return member_answer(work.session, member)


def resume_membership(work: Work, request: GetMemberRequest) -> MemberAnswer:
    """Takes a former member back; raises NotFound, Conflict `has_not_left` and `union_ended`."""
    member = _own_member(work, request.member_id)
    if member.left_at is None:
        raise Conflict("has_not_left", "该会员没有退会", "请刷新后查看。")
    require_open(work.session, member.union_id)
    audit.record(work.session, old={"left_because": member.left_because, "left_at": member.left_at})
    member.left_at = member.left_because = None
    publish_changed(work.session, member)
    return member_answer(work.session, member)


def _own_member(work: Work, member_id: UUID) -> Member:
    audit.record(work.session, ("member", member_id))
    member = work.session.get(Member, member_id, with_for_update=True)
    if member is None or member.erased_at or str(member.union_id) != work.caller.union_id:
        raise NotFound(title="未找到该会员")
    return member

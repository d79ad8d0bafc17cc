"""Requests for a member's data: an administrator takes one in; an erasure is carried out when another one confirms."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select, update
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from services.contracts.events.subjects import ASKED
from services.contracts.operations.membership.subjects import (
    ListSubjectRequestsRequest,
    RequestSubjectRequest,
    SubjectPartAnswer,
    SubjectRequestAnswer,
    SubjectRequestId,
    SubjectRequestsAnswer,
)
from services.kit.data.lists.page_rows import page_of
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.kit.settings import read_settings, settings_class
from services.membership.accounts import controls
from services.membership.accounts.accounts import ADMINISTRATOR
from services.membership.models import Account, Member, SubjectAnswer, SubjectCopy, SubjectRequest, Union
from services.membership.retention import ErasureTerms
from services.membership.subjects import copying, erasing
from services.membership.subjects.answers import OWN, keep_answer
from services.membership.subjects.asking import publish_requested
from services.membership.unions import is_union_or_below

_REQUESTER, _DECIDER = aliased(Account, name="requester"), aliased(Account, name="decider")
_Columns = tuple[SubjectRequest, Union, Account, Account]


@settings_class
class SubjectSettings:
    """How long an erasure waits for its second administrator."""

    erasure_confirm_hours: float = 72
    """Choice: an erasure that nobody confirmed after so many hours has to be requested again."""


def request_subject(work: Work, request: RequestSubjectRequest) -> SubjectRequestAnswer:
    """Takes a request in: a copy is asked of all services at once, an erasure waits for another administrator.

    Raises NotFound for a member out of scope, Conflict `subject_request_waits`, and `not_erasable` with the reasons.
    """
    session, caller = work.session, work.caller
    member = _member_in_scope(session, caller, request.member_no)
    audit.record(session, ("member", member.member_id), union_id=member.union_id)
    _expire(session, SubjectRequest.member_id == member.member_id)
    if _waits(session, member.member_id, request.kind):
        raise Conflict("subject_request_waits", "该会员已有同类请求正在办理", "请等待其办结，或先撤回。")
    if request.kind == "erasure":
        _refuse_unless_erasable(session, member)
    now = datetime.now(UTC)
    row = SubjectRequest(
        request_id=uuid7(),
        kind=request.kind,
        member_id=member.member_id,
        member_no=request.member_no,
        union_id=member.union_id,
        reason=request.reason,
        state="requested",
        requested_by=UUID(caller.account_id),
        requested_at=now,
        expires_at=now + timedelta(hours=read_settings(SubjectSettings).erasure_confirm_hours),
    )
    session.add(row)
    session.flush()
    audit.record(session, ("subject_request", row.request_id), new={"kind": row.kind, "reason": row.reason})
    if row.kind == "copy":
        row.state = "working"
        publish_requested(session, row)
        keep_answer(session, row, OWN, copying.parts_of(session, member), copying.sheets_of(session, member))
    return _answer_of(work, row.request_id)


def list_subject_requests(work: Work, request: ListSubjectRequestsRequest) -> SubjectRequestsAnswer:
    """The requests of members in scope, newest first."""
    matching = _in_scope(work.caller).order_by(SubjectRequest.requested_at.desc(), SubjectRequest.request_id)
    if request.kind is not UNSET:
        matching = matching.where(SubjectRequest.kind == request.kind)
    if request.state is not UNSET:
        matching = matching.where(_is(request.state))
    rows, counted = page_of(work.session, matching, request)
    with_copies = _with_copies(work.session, [row[0].request_id for row in rows])
    items = [_answer(work, row, (), row[0].request_id in with_copies) for row in rows]
    return SubjectRequestsAnswer.of(items, request, counted)


def get_subject_request(work: Work, request: SubjectRequestId) -> SubjectRequestAnswer:
    """One of them, with what each service has answered; raises NotFound."""
    return _answer_of(work, request.request_id)


def confirm_erasure(work: Work, request: SubjectRequestId) -> SubjectRequestAnswer:
    """Erases the member here, and asks the other services to; it cannot be undone.

    Raises NotFound, Forbidden `own_request` and `same_administrator`, Conflict `subject_request_ended`,
    `requester_gone` and `not_erasable`.
    """
    session, caller = work.session, work.caller
    row, requester = _waiting(session, caller, request.request_id)
    controls.refuse_unless_independent(session, requester, session.get_one(Account, UUID(caller.account_id)))
    if requester.disabled or ADMINISTRATOR not in requester.roles:
        raise Conflict("requester_gone", "受理人已不是管理员，请求不再有效", "请重新受理。")
    member = session.get_one(Member, row.member_id, with_for_update=True)
    _refuse_unless_erasable(session, member)
    _decide(row, caller, "working")
    publish_requested(session, row)
    keep_answer(session, row, OWN, erasing.erase(session, member), [])
    audit.record(session, new={"state": "erased", "requested_by": requester.account_name}, union_id=row.union_id)
    return _answer_of(work, row.request_id)


def decline_erasure(work: Work, request: SubjectRequestId) -> SubjectRequestAnswer:
    """Ends a waiting erasure: another administrator declines it, or the requester withdraws it.

    Raises NotFound, Conflict `subject_request_ended`.
    """
    row, requester = _waiting(work.session, work.caller, request.request_id)
    is_own = str(requester.account_id) == work.caller.account_id
    _decide(row, work.caller, "withdrawn" if is_own else "declined")
    audit.record(work.session, old={"state": "requested"}, new={"state": row.state})
    return _answer_of(work, row.request_id)


def request_in_scope(session: Session, caller: Caller, request_id: UUID) -> Row[*_Columns]:
    """A request with its union and accounts; raises NotFound."""
    row = session.execute(_in_scope(caller).where(SubjectRequest.request_id == request_id)).first()
    if row is None:
        raise NotFound(title="未找到该请求")
    return row


def parts_of(session: Session, request_id: UUID) -> list[SubjectPartAnswer]:
    """What the services have answered, in their order."""
    answers = session.scalars(select(SubjectAnswer).where(SubjectAnswer.request_id == request_id)).all()
    by_service = {one.service: json.loads(one.parts) for one in answers}
    return [
        SubjectPartAnswer(service=service, **part) for service in (OWN, *ASKED) for part in by_service.get(service, ())
    ]


def _member_in_scope(session: Session, caller: Caller, member_no: str) -> Member:
    found = (
        select(Member)
        .join(Union, Union.union_id == Member.union_id)
        .where(Member.member_no == member_no, is_union_or_below(UUID(caller.union_id)), Member.erased_at.is_(None))
    )
    member = session.scalar(found.with_for_update(of=Member))
    if member is None:
        raise NotFound(title="未找到该会员")
    return member


def _refuse_unless_erasable(session: Session, member: Member) -> None:
    days = read_settings(ErasureTerms).erasure_days
    if reasons := erasing.why_not_erasable(session, member, days):
        raise Conflict("not_erasable", "该会员的个人信息还不能删除", "；".join(reasons) + "。")


def _waits(session: Session, member_id: UUID, kind: str) -> bool:
    waiting = SubjectRequest.state.in_(("requested", "working"))
    found = select(SubjectRequest.request_id).where(SubjectRequest.member_id == member_id, waiting)
    return session.scalar(found.where(SubjectRequest.kind == kind)) is not None


def _waiting(session: Session, caller: Caller, request_id: UUID) -> tuple[SubjectRequest, Account]:
    """An erasure that nobody has decided on, locked after its member, with its requester; raises NotFound, Conflict."""
    row = request_in_scope(session, caller, request_id)[0]
    session.get_one(Member, row.member_id, with_for_update=True)
    session.refresh(row, with_for_update=True)
    audit.record(session, ("subject_request", request_id), ("member", row.member_id), union_id=row.union_id)
    if _state_of(row) != "requested":
        raise Conflict("subject_request_ended", "该请求已处理或已过期", "请刷新后查看；需要时请重新受理。")
    return row, session.get_one(Account, row.requested_by)


def _decide(row: SubjectRequest, caller: Caller, state: str) -> None:
    row.state, row.decided_by, row.decided_at = state, UUID(caller.account_id), datetime.now(UTC)


def _expire(session: Session, which: ColumnElement[bool]) -> None:
    over = and_(SubjectRequest.state == "requested", SubjectRequest.expires_at <= datetime.now(UTC))
    session.execute(
        update(SubjectRequest).where(which, over).values(state="expired").execution_options(synchronize_session=False)
    )


def _is(state: str) -> ColumnElement[bool]:
    now, waits = datetime.now(UTC), SubjectRequest.state == "requested"
    if state == "requested":
        return and_(waits, SubjectRequest.expires_at > now)
    if state == "expired":
        return or_(SubjectRequest.state == "expired", and_(waits, SubjectRequest.expires_at <= now))
    return SubjectRequest.state == state


def _state_of(row: SubjectRequest) -> str:
    return "expired" if row.state == "requested" and row.expires_at <= datetime.now(UTC) else row.state


def _in_scope(caller: Caller) -> Select[*_Columns]:
    """The requests of members of the caller's union and below, wherever these were at the request."""
    return (
        select(SubjectRequest, Union, _REQUESTER, _DECIDER)
        .join(Member, Member.member_id == SubjectRequest.member_id)
        .join(Union, Union.union_id == Member.union_id)
        .join(_REQUESTER, _REQUESTER.account_id == SubjectRequest.requested_by)
        .outerjoin(_DECIDER, _DECIDER.account_id == SubjectRequest.decided_by)
        .where(is_union_or_below(UUID(caller.union_id)))
    )


def _with_copies(session: Session, request_ids: Sequence[UUID]) -> set[UUID]:
    found = select(SubjectCopy.request_id).where(SubjectCopy.request_id.in_(request_ids), SubjectCopy.service == OWN)
    return set(session.scalars(found))


def _answer_of(work: Work, request_id: UUID) -> SubjectRequestAnswer:
    work.session.flush()
    row = request_in_scope(work.session, work.caller, request_id)
    return _answer(work, row, parts_of(work.session, request_id), bool(_with_copies(work.session, [request_id])))


def _answer(
    work: Work, row: Row[*_Columns], parts: Sequence[SubjectPartAnswer], has_copy: bool
) -> SubjectRequestAnswer:
    request, union, requester, decider = row
    state = _state_of(request)
    is_own = str(request.requested_by) == work.caller.account_id
    answered = {part.service for part in parts}
    shown: dict[str, Any] = {
        name: getattr(request, name)
        for name in (
            *("request_id", "kind", "member_no", "reason", "requested_at", "expires_at", "decided_at", "done_at"),
        )
    }
    return SubjectRequestAnswer(
        **shown,
        state=state,
        union_id=union.union_id,
        union_name=union.name,
        requested_by_name=requester.display_name,
        decided_by_name=decider.display_name if decider else None,
        parts=list(parts),
        unanswered=[one for one in (OWN, *ASKED) if one not in answered] if parts and state == "working" else [],
        can_confirm=state == "requested" and not is_own,
        can_end=state == "requested",
        can_fetch=request.kind == "copy" and state == "done" and has_copy,
    )

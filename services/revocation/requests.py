"""Revocation requests: made by the union of the batch, decided by its superior union, kept permanently.

rights.py says who may decide: reviewers of the direct superior, their deputies, or the next superior where it has none.
closing.py closes a request when the bank decides first.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, or_, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.revocation import (
    REVOCATION_APPROVED,
    REVOCATION_REJECTED,
    REVOCATION_REQUESTED,
    Applicant,
    Represented,
    RevocationApprovedData,
    RevocationDecidedData,
    RevocationRejectedData,
    RevocationRequestedData,
)
from services.contracts.masks import mask_phone
from services.contracts.operations.revocation import (
    APPROVE_REVOCATION,
    REJECT_REVOCATION,
    ApplicantPhone,
    ApproveRevocation,
    DecidedOne,
    DecidedRevocations,
    DecideRevocations,
    GetRevocation,
    ListRevocations,
    OneDecision,
    RejectRevocation,
    RequestRevocation,
    RevealApplicant,
    RevocationAnswer,
    RevocationsAnswer,
)
from services.contracts.overdue import today
from services.contracts.shared import BATCH_NO_BEGINNING, UnionFacts
from services.kit.data.bulk import is_any_of
from services.kit.data.lists.number_search import begins_or_ends_with
from services.kit.data.lists.ordering import in_order
from services.kit.data.lists.page_rows import page_of
from services.kit.events.contract import EventContract
from services.kit.events.envelope import correlation
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.operations.audit import AuditEvent
from services.kit.problems import Conflict, Forbidden, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, required
from services.revocation import overdue
from services.revocation.closing import publish_closed
from services.revocation.models import Batch, Revocation
from services.revocation.progress import Progress, progress_of
from services.revocation.request_states import AlreadyDecided, RequestState, decide
from services.revocation.rights import (
    Right,
    one_person_may_act_as_both,
    represented_union_ids,
    require_right,
    right_to_decide,
    waits_for,
)

_SORTABLE = {
    "batch_no": Revocation.batch_no,
    "requested_at": Revocation.requested_at,
    "decided_at": Revocation.decided_at,
}
_OPEN_FIRST = (Revocation.state == RequestState.REQUESTED).desc()
_DECISIONS: dict[RequestState, tuple[EventContract[Any], type[RevocationDecidedData]]] = {
    RequestState.APPROVED: (REVOCATION_APPROVED, RevocationApprovedData),
    RequestState.REJECTED: (REVOCATION_REJECTED, RevocationRejectedData),
}
_DECISION_OF = {"approve": RequestState.APPROVED, "reject": RequestState.REJECTED}


def request_revocation(work: Work, request: RequestRevocation) -> RevocationAnswer:
    """Requests the superior union to revoke a batch of the caller's union.

    Raises NotFound for another union's batch, Conflict when the bank has decided on all of it, when a request is open
    or was approved, or when the union has no superior.
    """
    session, caller = work.session, work.caller
    audit.record(session, ("batch", request.batch_no))
    batch = session.get(Batch, request.batch_no, with_for_update=True)
    if batch is None or str(batch.union_id) != caller.union_id:
        raise NotFound(title="未找到该办卡批次", detail="请核对批次编号；刚提交的批次请稍候再申请撤销。")
    _check_revocable(session, batch)
    revocation = Revocation(
        revocation_id=uuid7(),
        batch_no=batch.batch_no,
        union_id=batch.union_id,
        reviewer_union_id=batch.superior_union_id,
        applicant_name=request.applicant_name,
        applicant_phone=request.applicant_phone,
        reason_code=request.reason_code,
        reason=request.reason,
        requested_by=caller.account_id,
        requested_at=datetime.now(UTC),
        requester_controllers=[UUID(one) for one in caller.controllers],
        state=RequestState.REQUESTED,
    )
    session.add(revocation)
    session.flush()
    session.refresh(revocation)
    told = {name: getattr(request, name) for name in ("applicant_name", "applicant_phone", "reason_code", "reason")}
    audit.record(session, ("revocation", revocation.revocation_id), new=told)
    _publish_requested(session, revocation, batch)
    return _visible(work, revocation.revocation_id)


def list_revocations(work: Work, request: ListRevocations) -> RevocationsAnswer:
    """A page of the requests of the caller's union, and for its reviewers and administrators of all subordinates.

    A deputy sees those, too, that its principals may decide on.

    Unless the caller wants another order, open requests come first, then the newest.
    """
    newest = (_OPEN_FIRST, Revocation.requested_at.desc(), Revocation.revocation_id)
    order = newest if request.sort is UNSET else in_order(request.sort, _SORTABLE, Revocation.revocation_id)
    matching = _visible_to(work.caller).order_by(*order)
    if request.state is not UNSET:
        matching = matching.where(Revocation.state == request.state)
    if request.batch_no is not UNSET:
        matching = matching.where(begins_or_ends_with(Revocation.batch_no, request.batch_no, BATCH_NO_BEGINNING))
    if request.can_decide is not UNSET:
        waits = waits_for(work.caller)
        matching = matching.where(waits if request.can_decide else ~waits)
    if request.overdue is not UNSET:
        is_late = overdue.is_overdue()
        matching = matching.where(is_late if request.overdue else ~is_late)
    rows, counted = page_of(work.session, matching, request)
    return RevocationsAnswer.of(_answers(work, rows), request, counted)


def get_revocation(work: Work, request: GetRevocation) -> RevocationAnswer:
    """One request that the caller may see. Raises NotFound."""
    return _visible(work, request.revocation_id)


def approve(work: Work, request: ApproveRevocation) -> RevocationAnswer:
    """Approves a request: batching will release the applications that the bank has not decided."""
    return _decide(work, request, RequestState.APPROVED)


def reject(work: Work, request: RejectRevocation) -> RevocationAnswer:
    """Rejects a request: the batch's members stay locked."""
    return _decide(work, request, RequestState.REJECTED)


def decide_several(work: Work, request: DecideRevocations) -> DecidedRevocations:
    """Decides on each request as `approve` and `reject` do; a refused decision leaves the others as they are.

    Each decision, and each refusal, has an audit event of its own besides that of the command.
    """
    # In one order, so that two reviewers who decide on the same requests cannot deadlock.
    outcomes = {
        one.revocation_id: _decide_one(work, one)
        for one in sorted(request.decisions, key=lambda one: one.revocation_id)
    }
    return DecidedRevocations(items=[outcomes[one.revocation_id] for one in request.decisions])


def reveal_applicant(work: Work, request: RevealApplicant) -> ApplicantPhone:
    """The applicant's whole telephone number for who reviews the request; caller and reason are recorded.

    Raises NotFound, and Forbidden for who only reads the request.
    """
    _visible(work, request.revocation_id)
    revocation = work.session.get_one(Revocation, request.revocation_id)
    records = (("revocation", revocation.revocation_id), ("batch", revocation.batch_no))
    audit.record(work.session, *records, new={"reason": request.reason}, union_id=revocation.union_id)
    if right_to_decide(work.caller, revocation) is None:
        raise Forbidden("not_the_reviewer", "只有该申请的审核人可以查看申请人的完整电话")
    return ApplicantPhone(applicant_phone=revocation.applicant_phone)


def publish_again(session: Session, revocation: Revocation, recipient: str) -> None:
    """Publishes a request's current state for one consumer that lacks it: the request, or its decision or closing."""
    if revocation.state == RequestState.REQUESTED:
        _publish_requested(session, revocation, session.get_one(Batch, revocation.batch_no), recipient)
    elif revocation.state == RequestState.CLOSED:
        publish_closed(session, revocation, recipient)
    else:
        _publish_decided(session, revocation, recipient)


def reassign(session: Session, revocation: Revocation, batch: Batch) -> None:
    """Has the reviewers of the batch's superior decide, who are told in the place of the former ones."""
    former = revocation.reviewer_union_id
    revocation.former_reviewer_union_ids = [*revocation.former_reviewer_union_ids, former]
    revocation.reviewer_union_id = required(batch.superior_union_id)
    _publish_requested(session, revocation, batch)


def _check_revocable(session: Session, batch: Batch) -> None:
    if batch.superior_union_id is None:
        raise Conflict("no_superior_union", "本工会没有上级工会，无法审核撤销申请", "请联系技术支持处理。")
    states = set(session.scalars(select(Revocation.state).where(Revocation.batch_no == batch.batch_no)))
    if RequestState.REQUESTED in states:
        raise Conflict("revocation_open", "该批次已有撤销申请待审核", "请等待上级工会审核。")
    progress = progress_of(session, {batch.batch_no: batch.total})[batch.batch_no]
    if RequestState.APPROVED in states and (progress.released or not progress.is_decided):
        raise Conflict("already_revoked", "该批次已撤销", "批次内人员可在卡片信息管理重新提交办卡。")
    if progress.is_decided:
        raise Conflict("batch_decided", "银行已办结该批次，不能撤销", "如有疑问，请联系经办网点。")


def _decide_one(work: Work, one: OneDecision) -> DecidedOne:
    operation, request = (
        (APPROVE_REVOCATION, ApproveRevocation(revocation_id=one.revocation_id, remark=one.remark))
        if one.decision == "approve"
        else (REJECT_REVOCATION, RejectRevocation(revocation_id=one.revocation_id, remark=str(one.remark)))
    )
    audit_event = AuditEvent(operation.name, work.caller, correlation_id=correlation.get())
    try:
        with work.session.begin_nested(), audit.recording(work.session, "revocation", audit_event):
            state = _decide(work, request, _DECISION_OF[one.decision]).state
    except Problem as problem:
        audit.publish_refusal(work.database, "revocation", audit_event, problem)
        return DecidedOne(revocation_id=one.revocation_id, state=None, problem_code=problem.code, problem=problem.title)
    return DecidedOne(revocation_id=one.revocation_id, state=state, problem_code=None, problem=None)


def _decide(work: Work, request: ApproveRevocation | RejectRevocation, decision: RequestState) -> RevocationAnswer:
    session, caller = work.session, work.caller
    audit.record(session, ("revocation", request.revocation_id))
    _visible(work, request.revocation_id)
    revocation = session.get_one(Revocation, request.revocation_id, with_for_update=True, populate_existing=True)
    audit.record(session, ("batch", revocation.batch_no), union_id=revocation.union_id)
    right = require_right(caller, revocation)
    try:
        revocation.state = decide(RequestState(revocation.state), decision)
    except AlreadyDecided as decided:
        raise _already_decided(decided.state) from decided
    revocation.decided_by = UUID(caller.account_id)
    revocation.decided_at = datetime.now(UTC)
    revocation.remark = request.remark
    _store_principal(revocation, right)
    session.flush()
    audit.record(session, old={"state": RequestState.REQUESTED}, new={"state": decision, "remark": revocation.remark})
    _record_principal(session, revocation)
    _publish_decided(session, revocation)
    return _visible(work, revocation.revocation_id)


def _store_principal(revocation: Revocation, right: Right) -> None:
    if right.principal is not None:
        revocation.on_behalf_of = UUID(right.principal.account_id)
        revocation.represented_name = right.principal.name


def _record_principal(session: Session, revocation: Revocation) -> None:
    """Adds to the audit event for whom a deputy acts, so that a search for either of them finds it."""
    if revocation.on_behalf_of is not None:
        principal = ("account", revocation.on_behalf_of)
        audit.record(session, principal, new={"on_behalf_of": revocation.represented_name})


def _already_decided(state: RequestState) -> Conflict:
    if state is RequestState.CLOSED:
        return Conflict("already_decided", "银行已全部办结，该撤销申请无需审核", "请刷新后查看办理结果。")
    return Conflict("already_decided", "该撤销申请已审核", "请刷新后查看审核结果。")


def _visible(work: Work, revocation_id: UUID) -> RevocationAnswer:
    rows = work.session.execute(_visible_to(work.caller).where(Revocation.revocation_id == revocation_id)).all()
    if not rows:
        raise NotFound(title="未找到该撤销申请")
    return _answers(work, rows)[0]


def _visible_to(caller: Caller) -> Select[Revocation, Batch]:
    scope = [Revocation.union_id == caller.union_id]
    if caller.scope >= Scope.SUBORDINATES:
        scope.append(Batch.superior_ids.contains([UUID(caller.union_id)]))
    if represented := represented_union_ids(caller):
        scope.append(is_any_of(Revocation.reviewer_union_id, represented))
    return select(Revocation, Batch).join(Batch, Batch.batch_no == Revocation.batch_no).where(or_(*scope))


def _answers(work: Work, rows: Sequence[Row[Revocation, Batch]]) -> list[RevocationAnswer]:
    progress = progress_of(work.session, {batch.batch_no: batch.total for _, batch in rows})
    return [_answer(work.caller, row, progress[row.Batch.batch_no]) for row in rows]


def _answer(caller: Caller, row: Row[Revocation, Batch], progress: Progress) -> RevocationAnswer:
    revocation, batch = row
    right, due_on = right_to_decide(caller, revocation), overdue.due_on(revocation)
    can_decide = right is not None and revocation.state == RequestState.REQUESTED
    return RevocationAnswer(
        revocation_id=revocation.revocation_id,
        batch_no=batch.batch_no,
        union=_union_facts(batch),
        channel=batch.channel,
        outlet_name=batch.outlet_name,
        submitted_at=batch.submitted_at,
        total=progress.total,
        issued=progress.issued,
        refused=progress.refused,
        released=progress.released,
        applicant_name=revocation.applicant_name,
        applicant_phone=mask_phone(revocation.applicant_phone),
        reason_code=revocation.reason_code,
        reason=revocation.reason,
        can_call=right is not None,
        requested_by=revocation.requested_by,
        requested_at=revocation.requested_at,
        state=revocation.state,
        decided_by=revocation.decided_by,
        on_behalf_of=revocation.represented_name,
        decided_at=revocation.decided_at,
        remark=revocation.remark,
        is_of_same_administrator=one_person_may_act_as_both(revocation, caller.account_id, caller.controllers),
        can_decide=can_decide,
        decides_for=right.principal.name if can_decide and right and right.principal else None,
        due_on=due_on,
        overdue=due_on is not None and due_on < today(),
    )


def _union_facts(batch: Batch) -> UnionFacts:
    return UnionFacts(
        union_id=batch.union_id,
        code=batch.union_code,
        name=batch.union_name,
        superior_union_id=batch.superior_union_id,
        superior_ids=batch.superior_ids,
    )


def _publish_requested(session: Session, revocation: Revocation, batch: Batch, recipient: str | None = None) -> None:
    data = RevocationRequestedData(
        revocation_id=revocation.revocation_id,
        batch_no=revocation.batch_no,
        union=_union_facts(batch),
        reviewer_union_id=revocation.reviewer_union_id,
        requested_by=revocation.requested_by,
        requested_at=revocation.requested_at,
        reason_code=revocation.reason_code,
        former_reviewer_union_ids=revocation.former_reviewer_union_ids,
        applicant=_applicant(revocation),
    )
    publish(session, REVOCATION_REQUESTED, data, subject=revocation.batch_no, recipient=recipient)


def _publish_decided(session: Session, revocation: Revocation, recipient: str | None = None) -> None:
    contract, kind = _DECISIONS[RequestState(revocation.state)]
    if (decided_by := revocation.decided_by) is None or (decided_at := revocation.decided_at) is None:
        raise ValueError("nobody has decided")
    data = kind(
        revocation_id=revocation.revocation_id,
        batch_no=revocation.batch_no,
        union_id=revocation.union_id,
        reviewer_union_id=revocation.reviewer_union_id,
        decided_by=decided_by,
        decided_at=decided_at,
        remark=revocation.remark,
        on_behalf_of=revocation.on_behalf_of,
        represented=Represented(name=revocation.represented_name) if revocation.represented_name else None,
        applicant=_applicant(revocation),
    )
    publish(session, contract, data, subject=revocation.batch_no, recipient=recipient)


def _applicant(revocation: Revocation) -> Applicant:
    return Applicant(name=revocation.applicant_name, phone=revocation.applicant_phone)

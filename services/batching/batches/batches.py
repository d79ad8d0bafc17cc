"""Batches 办卡批次 as clerks and their superiors see them: lists, details, and persons with their outcome."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select

from services.batching import overdue
from services.batching.batches.outlets import branch_answer
from services.batching.models import HAS_UNDECIDED, Application, Batch, BatchPerson, Branch, ConsentReceipt
from services.batching.pending.application_states import Outcome
from services.batching.pending.consents import receipt_answer, receipts_of
from services.contracts.masks import mask_card, mask_document, mask_phone
from services.contracts.operations.batching import (
    BatchAnswer,
    BatchContact,
    BatchDetailAnswer,
    BatchMemberAnswer,
    BatchOutlet,
    BatchRequest,
    BatchUnion,
    ListBatchesAnswer,
    ListBatchesRequest,
    ListBatchMembersAnswer,
    ListBatchMembersRequest,
)
from services.contracts.shared import BATCH_NO_BEGINNING
from services.contracts.values import end_of, start_of
from services.kit.data.lists.name_search import begins_with
from services.kit.data.lists.number_search import begins_or_ends_with
from services.kit.data.lists.ordering import in_order
from services.kit.data.lists.page_rows import page_of
from services.kit.problems import NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET

UNTIL_FEEDBACK = "自行前往所选银行网点申办卡"

UNDECIDED = Batch.total - Batch.issued - Batch.refused - Batch.released
"""The number of a batch's applications that the bank has not decided."""

# `approved` is stored only where the approval released somebody: see releases.py.
_STATE = case(
    (Batch.revocation_state == "approved", "revoked"),
    (UNDECIDED == 0, "decided"),
    (Batch.total > UNDECIDED, "partly_decided"),
    else_="submitted",
)
_REVOCABLE = and_(
    Batch.superior_union_id.is_not(None),
    UNDECIDED > 0,
    func.coalesce(Batch.revocation_state, "rejected") == "rejected",
)
_PERSONS_BY = {"position": BatchPerson.position, "name": BatchPerson.name, "decided_at": Application.decided_at}
_PROGRESS = (Outcome.ACCEPTED, Outcome.MADE)


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """The batches in the caller's scope: of its union, and where the scope includes them of its subordinates."""
    own = Batch.union_id == caller.union_id
    if caller.scope >= Scope.SUBORDINATES:
        return or_(own, Batch.superior_ids.contains([UUID(caller.union_id)]))
    return own


def of_union(union_id: UUID) -> ColumnElement[bool]:
    """The batches of a union and of all below it."""
    return or_(Batch.union_id == union_id, Batch.superior_ids.contains([union_id]))


def list_batches(work: Work, request: ListBatchesRequest) -> ListBatchesAnswer:
    """A page of batches, newest first unless the caller wants another order."""
    columns = {name: getattr(Batch, name) for name in ("batch_no", "total", "issued", "submitted_at", "feedback_at")}
    matching = _batches(work.caller).where(*_filters(work.caller, request))
    rows, counted = page_of(work.session, matching.order_by(*in_order(request.sort, columns, Batch.batch_no)), request)
    return ListBatchesAnswer.of([BatchAnswer(**_batch_facts(row)) for row in rows], request, counted)


def get_batch(work: Work, request: BatchRequest) -> BatchDetailAnswer:
    """A batch with branch and contact; raises NotFound."""
    row = work.session.execute(_batches(work.caller).where(Batch.batch_no == request.batch_no)).one_or_none()
    if row is None:
        raise NotFound()
    batch: Batch = row.Batch
    return BatchDetailAnswer(
        **_batch_facts(row),
        branch=branch_answer(work.session.get_one(Branch, batch.branch_code)),
        contact=BatchContact(name=batch.contact_name, phone=mask_phone(batch.contact_phone)),
        register_hash=batch.register_hash,
    )


def list_batch_members(work: Work, request: ListBatchMembersRequest) -> ListBatchMembersAnswer:
    """A page of a batch's persons, in the register's order unless the caller wants another; raises NotFound."""
    load_batch(work, request.batch_no)
    matching = (
        select(BatchPerson, Application)
        .join(Application, Application.application_id == BatchPerson.application_id)
        .where(BatchPerson.batch_no == request.batch_no)
        .order_by(*in_order(request.sort, _PERSONS_BY, BatchPerson.position))
    )
    if request.state is not UNSET:
        matching = matching.where(Application.state == request.state)
    if request.name is not UNSET:
        matching = matching.where(begins_with(BatchPerson.name, request.name))
    rows, counted = page_of(work.session, matching, request)
    receipts = receipts_of(work.session, [row.Application.application_id for row in rows])
    items = [
        _member_answer(row.BatchPerson, row.Application, receipts.get(row.Application.application_id)) for row in rows
    ]
    return ListBatchMembersAnswer.of(items, request, counted)


def load_batch(work: Work, batch_no: str) -> Batch:
    """A batch that the caller may see; raises NotFound."""
    batch = work.session.scalar(select(Batch).where(Batch.batch_no == batch_no, visible_to(work.caller)))
    if batch is None:
        raise NotFound()
    return batch


def bank_progress(application: Application) -> str | None:
    """The bank's progress with an undecided application; None without any, and after the decision."""
    return application.bank_outcome if application.bank_outcome in _PROGRESS else None


def _batches(caller: Caller) -> Select[Batch, str, bool]:
    return select(Batch, _STATE.label("state"), _REVOCABLE.label("revocable")).where(visible_to(caller))


def _filters(caller: Caller, request: ListBatchesRequest) -> list[ColumnElement[bool]]:
    filters = _of_unions(caller, request) + [
        column == value
        for name, column in {
            "register_state": Batch.register_state,
            "channel": Batch.channel,
            "state": _STATE,
        }.items()
        if (value := getattr(request, name)) is not UNSET
    ]
    if request.batch_no is not UNSET:
        filters.append(begins_or_ends_with(Batch.batch_no, request.batch_no, BATCH_NO_BEGINNING))
    if request.submitted_from is not UNSET:
        filters.append(Batch.submitted_at >= start_of(request.submitted_from))
    if request.submitted_to is not UNSET:
        filters.append(Batch.submitted_at < end_of(request.submitted_to))
    if request.overdue is not UNSET:
        is_late = overdue.is_overdue(overdue.BATCHES)
        filters.append(is_late if request.overdue else ~is_late)
    if request.outcome is not UNSET:
        filters.append(HAS_UNDECIDED if request.outcome == "awaiting" else Batch.refused > 0)
    return filters


def _of_unions(caller: Caller, request: ListBatchesRequest) -> list[ColumnElement[bool]]:
    if request.union_id is UNSET:
        return [Batch.union_id == caller.union_id] if request.with_subordinates is False else []
    return [of_union(request.union_id) if request.with_subordinates else Batch.union_id == request.union_id]


def _batch_facts(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """The fields of a BatchAnswer and its subclasses."""
    batch: Batch = row.Batch
    return {
        "batch_no": batch.batch_no,
        "union": BatchUnion(union_id=batch.union_id, code=batch.union_code, name=batch.union_name),
        "channel": batch.channel,
        "personal": batch.personal,
        "state": row.state,
        "total": batch.total,
        "issued": batch.issued,
        "refused": batch.refused,
        "released": batch.released,
        "submitted_at": batch.submitted_at,
        "feedback_at": batch.feedback_at,
        "feedback_text": None if batch.feedback_at else UNTIL_FEEDBACK,
        "count_month": batch.count_month,
        "revocation_state": batch.revocation_state,
        "outlet": BatchOutlet(code=batch.outlet_code, name=batch.outlet_name, address=batch.outlet_address),
        "register_state": batch.register_state,
        "revocable": row.revocable,
        "overdue": overdue.kinds_of_overdue(batch),
    }


def _member_answer(person: BatchPerson, application: Application, receipt: ConsentReceipt | None) -> BatchMemberAnswer:
    return BatchMemberAnswer(
        application_id=person.application_id,
        member_id=application.member_id,
        member_no=person.member_no,
        name=person.name,
        document_type=person.document_type,
        document_number=mask_document(person.document_number),
        state=application.state,
        bank_progress=bank_progress(application),
        card_no=mask_card(application.card_no) if application.card_no else None,
        reason=application.reason,
        decided_at=application.decided_at,
        consent=receipt_answer(receipt),
    )

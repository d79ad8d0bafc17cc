"""The pending list 待办会员列表 of a union: list and count entries, complete them, switch channels, remove them."""

import json
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.orm import Session

from services.batching import overdue
from services.batching.event_builders import publish_pending_changed, steps
from services.batching.models import COMPLETE, PENDING, Application, ListedUnion
from services.batching.pending.application_states import Check, State, Step, states_allowing
from services.batching.pending.channels import Charset, channel_for, outside_charset
from services.batching.pending.corrections import CORRECTABLE, correct
from services.batching.pending.persons import document_digest, facts_of
from services.batching.places import let_nobody_move
from services.contracts.events.batching import (
    CHANNEL_ASSIGNED,
    MEMBERS_REMOVED,
    ChannelAssignedData,
    MembersRemovedData,
)
from services.contracts.masks import mask_document
from services.contracts.operations.batching import (
    FindingAnswer,
    ListPendingAnswer,
    ListPendingRequest,
    OrdinaryCounts,
    PendingAnswer,
    PendingCounts,
    RemovePendingAnswer,
    RemovePendingManyRequest,
    RemovePendingRequest,
    SpecialCounts,
    UpdatePendingRequest,
)
from services.contracts.overdue import today
from services.contracts.rules.findings import shown_message
from services.contracts.shared import SWITCH_REASONS
from services.kit.data.bulk import is_any_of
from services.kit.data.lists.name_search import begins_with
from services.kit.data.lists.ordering import in_order
from services.kit.data.lists.page_rows import page_of
from services.kit.documents.typeface import document_typeface
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET

LISTING_CHARSET: Charset = "gbk"
"""The character set for names while no branch is chosen: some branch takes all of GBK on the ordinary channel."""

_REQUIRED_OF_SPECIAL = ("document_expiry", "nationality")


def lock_pending(session: Session, union_id: UUID) -> None:
    """Locks a union's pending list against other changes until the transaction ends; nobody moves meanwhile."""
    let_nobody_move(session)
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:list, 0))"), {"list": f"pending {union_id}"})


def list_pending(work: Work, request: ListPendingRequest) -> ListPendingAnswer:
    """A page of one channel's list with the counts of both channels, by member number as the register is.

    The caller may want another order. Raises NotFound for another union than the caller's where the scope does not
    include it.
    """
    session, of_unions = work.session, listed_unions(work.caller, request)
    columns = {name: getattr(Application, name) for name in ("member_no", "name", "listed_at", "document_expiry")}
    matching = (
        select(Application)
        .where(of_unions, PENDING, *_filters(request))
        .order_by(*in_order(request.sort, columns, Application.application_id))
    )
    rows, counted = page_of(session, matching, request)
    names = _union_names(session, {row.Application.union_id for row in rows} - {UUID(work.caller.union_id)})
    items = [pending_answer(row.Application, names.get(row.Application.union_id)) for row in rows]
    return ListPendingAnswer.of(items, request, counted, counts=count_pending(session, of_unions))


def listed_unions(caller: Caller, request: ListPendingRequest) -> ColumnElement[bool]:
    """The entries of the requested union, and if so requested of all below; never beyond the caller's scope.

    Raises NotFound for a clerk who asks for another union than the own.
    """
    own = UUID(caller.union_id)
    chosen = request.union_id or own
    if chosen == own and not request.with_subordinates:
        return Application.union_id == own
    if caller.scope < Scope.SUBORDINATES:
        raise NotFound(title="未找到该工会", detail="经办人只能查看本工会的待办会员。")
    in_scope = or_(ListedUnion.union_id == own, ListedUnion.superior_ids.contains([own]))
    wanted = [ListedUnion.union_id == chosen]
    if request.with_subordinates:
        wanted.append(ListedUnion.superior_ids.contains([chosen]))
    return Application.union_id.in_(select(ListedUnion.union_id).where(in_scope, or_(*wanted)))


def count_pending(session: Session, of_unions: ColumnElement[bool]) -> PendingCounts:
    """The counts of these unions' entries on each channel, by check state and by completeness."""
    ordinary = dict.fromkeys(["total", *Check, "overdue"], 0)
    special = ordinary | dict.fromkeys(["complete", "incomplete", "ready"], 0)
    late = func.count().filter(overdue.is_overdue(overdue.ENTRIES))
    by = (Application.channel, Application.check_state, COMPLETE)
    grouped = select(*by, func.count(), late).where(of_unions, PENDING).group_by(*by)
    for channel, check_state, is_complete, count, late_count in session.execute(grouped):
        counted = ordinary if channel == "ordinary" else special
        counted["total"] += count
        counted["overdue"] += late_count
        counted[check_state] += count
        if channel == "special":
            special["complete" if is_complete else "incomplete"] += count
            special["ready"] += count * (is_complete and check_state == Check.PASSED)
    return PendingCounts(ordinary=OrdinaryCounts(**ordinary), special=SpecialCounts(**special))


def update_pending(work: Work, request: UpdatePendingRequest) -> PendingAnswer:
    """Changes what is known of an entry's person, or the channel; a changed person needs a new check.

    Raises NotFound, Invalid for values that the rules refuse and for a switch without a reason, Conflict
    `document_known`, and Conflict `channel_locked` for a document that requires the special channel.
    """
    session, union_id = work.session, UUID(work.caller.union_id)
    audit.record(session, ("application", request.application_id))
    lock_pending(session, union_id)
    application = session.scalar(
        select(Application).where(
            Application.application_id == request.application_id, Application.union_id == union_id, PENDING
        )
    )
    if application is None:
        raise NotFound()
    before = _changeable(application)
    correct(session, application, request, UUID(work.caller.account_id))
    _switch_channel(application, request, is_renamed=application.name != before["name"])
    is_switched = application.channel != before["channel"]
    if is_switched:
        application.version += 1
        publish_channel(session, union_id, application.channel, [application], application.channel_reason)
    audit.record(session, old=before, new=_changeable(application))
    publish_pending_changed(session, union_id, "switched" if is_switched else "changed", 1)
    return pending_answer(application)


def publish_channel(
    session: Session, union_id: UUID, channel: str, applications: Sequence[Any], reason: str | None = None
) -> None:
    """Publishes the new channel of these applications."""
    for part in in_chunks(applications):
        data = ChannelAssignedData(union_id=union_id, channel=channel, reason=reason, applications=steps(part))
        publish(session, CHANNEL_ASSIGNED, data)


def remove_pending(work: Work, request: RemovePendingRequest) -> RemovePendingAnswer:
    """Removes one entry; raises NotFound."""
    removed = _remove_chosen(work, [request.application_id])
    if not removed:
        raise NotFound()
    return RemovePendingAnswer(removed=removed)


def remove_pending_many(work: Work, request: RemovePendingManyRequest) -> RemovePendingAnswer:
    """Removes the named entries that still exist, or all of one kind; returns how many.

    `not_passed`: those of the ordinary channel that failed the check or had none (移除全部校验未通过及未校验会员),
    `special_not_passed`: those of the special channel; `incomplete`: those of the special channel whose information is
    incomplete (移除全部信息未完善会员).
    """
    without_pass = Application.check_state.in_((Check.FAILED, Check.UNCHECKED))
    kinds = {
        "not_passed": and_(Application.channel == "ordinary", without_pass),
        "special_not_passed": and_(Application.channel == "special", without_pass),
        "incomplete": and_(Application.channel == "special", ~COMPLETE),
    }
    if request.application_ids is not UNSET:
        return RemovePendingAnswer(removed=_remove_chosen(work, request.application_ids))
    reason = "incomplete" if request.which == "incomplete" else "not_passed"
    return RemovePendingAnswer(removed=_remove_entries(work, reason, kinds[str(request.which)]))


def remove(
    session: Session, union_id: UUID, reason: str, *chosen: ColumnElement[bool], detail: str | None = None
) -> int:
    """Removes queued applications of the union, personal ones too, and publishes why; returns how many."""
    removed = session.execute(
        update(Application)
        .where(Application.union_id == union_id, Application.state.in_(states_allowing(Step.REMOVE)), *chosen)
        .values(state=State.REMOVED, version=Application.version + 1)
        .returning(Application.application_id, Application.member_id, Application.version)
        .execution_options(synchronize_session=False)
    ).all()
    application_ids = (row.application_id for row in removed)
    audit.record(
        session, *audit.references("application", application_ids), new={"removed": len(removed), "reason": reason}
    )
    for part in in_chunks(removed):
        data = MembersRemovedData(union_id=union_id, reason=reason, detail=detail, applications=steps(part))
        publish(session, MEMBERS_REMOVED, data)
    return len(removed)


def pending_answer(application: Application, union_name: str | None = None) -> PendingAnswer:
    """An entry in the form of the list, with the union's name unless it is the caller's own."""
    choice = channel_for(application.document_type, application.name, LISTING_CHARSET)
    missing, due_on = missing_of(application), overdue.due_on(application)
    return PendingAnswer(
        application_id=application.application_id,
        member_id=application.member_id,
        union_id=application.union_id,
        union_name=union_name,
        member_no=application.member_no,
        name=application.name,
        document_type=application.document_type,
        document_number=mask_document(application.document_number),
        document_expiry=application.document_expiry,
        nationality=application.nationality,
        listed_at=application.listed_at,
        check_state=application.check_state,
        findings=[
            FindingAnswer(
                code=finding["code"],
                severity=finding["severity"],
                message=shown_message(finding["code"], finding["message"]),
            )
            for finding in json.loads(application.findings or "[]")
        ],
        channel=application.channel,
        channel_reason=application.channel_reason,
        channel_reason_code=application.channel_reason_code,
        channel_note=application.channel_note,
        checked_at=application.checked_at,
        can_switch=not choice.locked,
        complete=not missing,
        missing=missing,
        due_on=due_on,
        overdue=due_on is not None and due_on < today(),
    )


def missing_of(application: Application) -> list[str]:
    """The fields that the special channel still requires of an entry; COMPLETE is the same in SQL."""
    return [name for name in _REQUIRED_OF_SPECIAL if getattr(application, name) is None]


def _union_names(session: Session, union_ids: Collection[UUID]) -> dict[UUID, str]:
    if not union_ids:
        return {}
    named = select(ListedUnion.union_id, ListedUnion.name).where(is_any_of(ListedUnion.union_id, union_ids))
    return {row.union_id: row.name for row in session.execute(named)}


def _filters(request: ListPendingRequest) -> list[ColumnElement[bool]]:
    filters = [Application.channel == request.channel]
    if request.name is not UNSET:
        filters.append(begins_with(Application.name, request.name))
    if request.document_number is not UNSET:
        filters.append(Application.document_digest == document_digest(request.document_number))
    if request.check_state is not UNSET:
        filters.append(Application.check_state == request.check_state)
    if request.complete is not UNSET:
        filters.append(COMPLETE if request.complete else ~COMPLETE)
    if request.overdue is not UNSET:
        is_late = overdue.is_overdue(overdue.ENTRIES)
        filters.append(is_late if request.overdue else ~is_late)
    return filters


def _changeable(application: Application) -> dict[str, Any]:
    """The values of an entry that a clerk can change, for the audit event."""
    facts = facts_of(application)
    names = ("channel", "channel_reason_code", "channel_note")
    return {
        **{name: getattr(facts, name) for name in CORRECTABLE},
        **{name: getattr(application, name) for name in names},
    }


def _switch_channel(application: Application, request: UpdatePendingRequest, *, is_renamed: bool) -> None:
    """Switches as the clerk wants, or as the changed document or name requires; raises Conflict and Invalid."""
    choice = channel_for(application.document_type, application.name, LISTING_CHARSET)
    wanted = request.channel or None
    if choice.locked and wanted == "ordinary":
        raise Conflict("channel_locked", "该证件类型只能走特殊办卡通道", "如证件类型有误，请先在“完善信息”中更正。")
    is_of_name = is_renamed and application.channel_reason_code in (None, "rare_character")
    has_lost_its_reason = is_of_name or (application.channel_reason_code == "document_type" and not choice.locked)
    kept = choice.channel if has_lost_its_reason else application.channel
    channel = choice.channel if choice.locked else wanted or kept
    if channel == application.channel and not has_lost_its_reason:
        return
    application.channel, application.channel_note = channel, None
    if channel == choice.channel:
        application.channel_reason_code, application.channel_reason = choice.reason_code, choice.reason
    elif channel == "special":
        code = _reason_of_switch(application.name, request)
        application.channel_reason_code, application.channel_reason = code, SWITCH_REASONS[code]
        application.channel_note = request.channel_note or None
    else:
        application.channel_reason_code = application.channel_reason = None


def _reason_of_switch(name: str, request: UpdatePendingRequest) -> str:
    """The clerk's reason for the special channel where no rule requires it; raises Invalid without one."""
    code = request.channel_reason_code
    if code is UNSET:
        raise Invalid([FieldProblem("channel_reason_code", "required", "请选择转入特殊办卡通道的原因")])
    if code == "rare_character" and not outside_charset(name, "gb2312"):
        reason = "姓名中没有生僻字，请选择其他原因"
        raise Invalid([FieldProblem("channel_reason_code", "no_rare_character", reason)])
    note = request.channel_note or ""
    if code == "other" and not note:
        raise Invalid([FieldProblem("channel_note", "required", "请说明转入特殊办卡通道的原因")])
    if lacking := document_typeface().missing_characters(note):
        raise Invalid([FieldProblem("channel_note", "font_lacks", f"说明将印在清册上，不能有“{lacking}”，请改用文字")])
    return str(code)


def _remove_chosen(work: Work, application_ids: Sequence[UUID]) -> int:
    return _remove_entries(work, "by_clerk", is_any_of(Application.application_id, application_ids))


def _remove_entries(work: Work, reason: str, *chosen: ColumnElement[bool]) -> int:
    session, union_id = work.session, UUID(work.caller.union_id)
    lock_pending(session, union_id)
    removed = remove(session, union_id, reason, PENDING, *chosen)
    publish_pending_changed(session, union_id, "removed", removed)
    return removed

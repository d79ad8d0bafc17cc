"""Submission of a batch 提交办卡: all entries of a channel, or a member's own application, are frozen and published."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.batching.bank.handing_over import hand_over
from services.batching.batches.batch_numbers import next_batch_no
from services.batching.batches.batches import get_batch
from services.batching.batches.counting import count_month
from services.batching.batches.outlets import outlet_of_branch
from services.batching.event_builders import publish_pending_changed, steps, submitted_batch
from services.batching.member_notices import publish_notices
from services.batching.models import PENDING, Application, Batch, BatchPerson, Branch, Outlet
from services.batching.pending.application_states import Check, State, Step, states_allowing
from services.batching.pending.channels import channel_for, outside_charset
from services.batching.pending.checks import recheck_outdated
from services.batching.pending.consents import record_signed
from services.batching.pending.pending import lock_pending, missing_of
from services.batching.pending.persons import facts_of, nationality_of
from services.batching.places import current, let_nobody_move
from services.batching.register.register import Register, RegisteredPerson
from services.batching.register.register_pdf import refuse_unprintable
from services.contracts.consent import refuse_unless_current
from services.contracts.events.batching import BATCH_SUBMITTED, MemberNoticesDueData
from services.contracts.operations.batching import BatchRequest, SubmitBatchAnswer, SubmitBatchRequest
from services.contracts.shared import UnionFacts
from services.contracts.values import SHANGHAI
from services.kit.data.bulk import insert_rows, is_any_of
from services.kit.data.database import Database
from services.kit.documents.typeface import document_typeface
from services.kit.events.contract import in_chunks
from services.kit.events.envelope import correlation
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Invalid
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.kit.settings import read_settings, settings_class

_NAMED = 20
"""Most persons that a refusal names."""
_CHECK_TITLES = {
    Check.UNCHECKED: "未校验",
    Check.CHECKING: "校验中",
    Check.WAITING: "等待退休登记系统应答",
    Check.FAILED: "未通过校验",
}


@settings_class
class SubmissionSettings:
    """How long a passed check is valid."""

    check_holds_hours: int = 24
    """Choice: a check that passed longer ago, or in a former month, is repeated at the submission."""


@dataclass(frozen=True)
class Submission:
    """The data of a submission: the union, the outlet, and the contact whom the bank calls for collection."""

    union: UnionFacts
    channel: str
    outlet: Outlet
    contact_name: str
    contact_phone: str
    submitted_by: UUID
    consent_version: str
    consent_basis: str = "signed_form"
    personal: bool = False


def submit_batch(work: Work, request: SubmitBatchRequest) -> SubmitBatchAnswer:
    """Submits all entries of a channel as a batch; returns it, with warnings about names.

    Raises Invalid where no telephone number is known, `consent_required` and `consent_outdated`; Conflict
    `pending_empty` (also for the second of two clerks), `not_all_complete` and `not_all_passed`, both with the names,
    `name_outside_charset`, and `checks_outdated` where a passed check has expired: then a new check is requested, in a
    transaction of its own. Raises Problem `font_lacks` for a batch whose register cannot be printed.
    """
    session, caller = work.session, work.caller
    contact_phone = _contact_phone(session, caller, request)
    refuse_unless_current(request.consent_version or None)
    outlet = outlet_of_branch(session, request.branch_code, request.outlet_code)
    _recheck_outdated(work.database, caller, request.channel)
    let_nobody_move(session)
    submission = Submission(
        union=UnionFacts(
            union_id=UUID(caller.union_id),
            code=caller.union_code or "",
            name=caller.union_name or "",
            superior_union_id=UUID(caller.superior_union_id) if caller.superior_union_id else None,
            superior_ids=[UUID(superior) for superior in caller.superior_ids],
        ),
        channel=request.channel,
        outlet=outlet,
        contact_name=request.contact_name,
        contact_phone=contact_phone,
        submitted_by=UUID(caller.account_id),
        consent_version=str(request.consent_version),
    )
    lock_pending(session, submission.union.union_id)
    applications = session.scalars(
        select(Application)
        .where(Application.union_id == submission.union.union_id, PENDING, Application.channel == submission.channel)
        .order_by(Application.member_no, Application.application_id)
    ).all()
    _refuse_unless_ready(submission.channel, applications)
    branch = session.get_one(Branch, outlet.branch_code)
    _refuse_outside_charset(branch, submission.channel, applications)
    record_signed(session, caller, applications, submission.consent_version, datetime.now(UTC))
    batch = form_batch(session, submission, applications)
    publish_pending_changed(session, submission.union.union_id, "submitted", len(applications))
    answer = get_batch(work, BatchRequest(batch_no=batch.batch_no))
    return SubmitBatchAnswer(**vars(answer), warnings=_warnings(branch, submission.channel, applications))


def last_batch(session: Session, caller: Caller) -> Batch | None:
    """The batch of the caller's own last submission for the union."""
    return session.scalar(
        select(Batch)
        .where(
            Batch.union_id == UUID(caller.union_id),
            Batch.submitted_by == UUID(caller.account_id),
            Batch.personal.is_(False),
        )
        .order_by(Batch.submitted_at.desc())
        .limit(1)
    )


def form_batch(session: Session, submission: Submission, applications: Sequence[Application]) -> Batch:
    """Freezes the applications, which have consent receipts, into a new batch, publishes it and hands it to the bank.

    Register and the bank's copy are ordered by member number, by which people search on paper.
    """
    applications = sorted(applications, key=attrgetter("member_no", "application_id"))
    submitted_at = datetime.now(UTC).replace(microsecond=0)
    outlet, union = submission.outlet, current(session, submission.union)
    batch_no = next_batch_no(session, union.code, submitted_at.astimezone(SHANGHAI).date())
    persons = tuple(_freeze(position, application) for position, application in enumerate(applications, 1))
    register = Register(
        batch_no=batch_no,
        channel=submission.channel,
        union_code=union.code,
        union_name=union.name,
        outlet_name=outlet.name,
        outlet_address=outlet.address,
        contact_name=submission.contact_name,
        contact_phone=submission.contact_phone,
        submitted_at=submitted_at,
        persons=persons,
    )
    batch = Batch(
        batch_no=batch_no,
        union_id=union.union_id,
        union_code=union.code,
        union_name=union.name,
        superior_union_id=union.superior_union_id,
        superior_ids=union.superior_ids,
        personal=submission.personal,
        channel=submission.channel,
        branch_code=outlet.branch_code,
        outlet_code=outlet.code,
        outlet_name=outlet.name,
        outlet_address=outlet.address,
        contact_name=submission.contact_name,
        contact_phone=submission.contact_phone,
        submitted_by=submission.submitted_by,
        submitted_at=submitted_at,
        count_month=count_month(session.get_one(Branch, outlet.branch_code), submitted_at),
        register_hash=register.digest(),
        total=len(applications),
    )
    refuse_unprintable(register, document_typeface())
    session.add(batch)
    session.flush()
    _store_persons(session, batch_no, applications, persons)
    submitted = _move_into(session, batch_no, applications)
    _note(session, batch, submitted)
    _publish_submitted(session, submission, batch, submitted)
    _publish_notices(session, batch, outlet, applications)
    hand_over(session, batch, applications)
    return batch


def _contact_phone(session: Session, caller: Caller, request: SubmitBatchRequest) -> str:
    if request.contact_phone is not UNSET:
        return request.contact_phone
    last = last_batch(session, caller)
    if last is None:
        raise Invalid([FieldProblem("contact_phone", "required", "请填写联系方式")])
    return last.contact_phone


def _recheck_outdated(database: Database, caller: Caller, channel: str) -> None:
    """Raises Conflict `checks_outdated` after requesting new checks, which survive the refused submission."""
    hours = read_settings(SubmissionSettings).check_holds_hours
    with database.begin() as apart:
        audit_event = audit.AuditEvent("batching.check_pending", caller, correlation_id=correlation.get())
        audit.begin(apart, audit_event)
        outdated = recheck_outdated(apart, UUID(caller.union_id), channel, hours)
        if outdated:
            audit.publish_audit_event(apart, "batching", audit_event)
    if outdated:
        expired = [one for one in outdated if one.expired_on]
        raise Conflict(
            "checks_outdated",
            f"有 {len(outdated)} 人的校验结果已失效，已重新提交系统校验",
            "请等待校验完成；全部通过后再次提交办卡，未通过的请更正信息或移除。",
            [
                FieldProblem("document_expiry", "expired", f"{one.name}：证件已于{one.expired_on}到期")
                for one in expired[:_NAMED]
            ],
        )


def _refuse_unless_ready(channel: str, applications: Sequence[Application]) -> None:
    total = len(applications)
    if not total:
        raise Conflict("pending_empty", "待办会员列表中没有可提交的会员", "请先添加会员至待办，或查看是否已被提交。")
    incomplete = [one for one in applications if channel == "special" and missing_of(one)]
    if incomplete:
        raise Conflict(
            "not_all_complete",
            f"待办会员共: {total}人; 信息已完善: {total - len(incomplete)}人; 未完善: {len(incomplete)}人。",
            "请移除未完善信息的会员, 才能进行提交办卡。",
            _named("complete", "incomplete", ((one, "信息未完善") for one in incomplete)),
        )
    failed = [one for one in applications if one.check_state != Check.PASSED]
    if failed:
        raise Conflict(
            "not_all_passed",
            f"待办会员共: {total}人; 校验通过: {total - len(failed)}人; 未通过: {len(failed)}人。",
            "请移除校验未通过及未校验的会员, 才能进行提交办卡。",
            _named("check_state", "not_passed", ((one, _why_not_passed(one)) for one in failed)),
        )


def _why_not_passed(application: Application) -> str:
    findings = json.loads(application.findings or "[]")
    errors = (finding["message"] for finding in findings if finding["severity"] == "error")
    return next(errors, _CHECK_TITLES[Check(application.check_state)])


def _named(field: str, code: str, about: Iterable[tuple[Application, str]]) -> list[FieldProblem]:
    """The fields of a refusal that name the first persons concerned."""
    return [FieldProblem(field, code, f"{one.name}：{why}") for one, why in islice(about, _NAMED)]


def _refuse_outside_charset(branch: Branch, channel: str, applications: Sequence[Application]) -> None:
    """Refuses names on the ordinary channel that the branch's systems cannot hold; the special channel is for them."""
    if channel == "special":
        return
    outside = [(one, lacking) for one in applications if (lacking := outside_charset(one.name, branch.charset))]
    if outside:
        raise Conflict(
            "name_outside_charset",
            f"有 {len(outside)} 人的姓名含发卡支行系统无法录入的字",
            "请将其切换至特殊办卡通道，或选择其他支行。",
            _named("name", "outside_charset", ((one, f"“{lacking}”") for one, lacking in outside)),
        )


def _freeze(position: int, application: Application) -> RegisteredPerson:
    return RegisteredPerson(
        position=position,
        member_no=application.member_no,
        name=application.name,
        document_type=application.document_type,
        document_number=application.document_number,
        document_expiry=application.document_expiry,
        nationality=nationality_of(application),
        channel_reason=_reason_text(application),
    )


def _reason_text(application: Application) -> str | None:
    """Why the person takes the special channel, with the clerk's note, for the register."""
    if application.channel != "special":
        return None
    return "：".join(filter(None, (application.channel_reason, application.channel_note))) or None


def _store_persons(
    session: Session, batch_no: str, applications: Sequence[Application], persons: Sequence[RegisteredPerson]
) -> None:
    rows = [
        {"batch_no": batch_no, "application_id": application.application_id, **asdict(person)}
        for application, person in zip(applications, persons, strict=True)
    ]
    session.execute(insert_rows(BatchPerson, rows))


def _move_into(session: Session, batch_no: str, applications: Sequence[Application]) -> Sequence[Any]:
    """Marks the applications as submitted in the batch; returns their ids, members and new versions."""
    return session.execute(
        update(Application)
        .where(
            is_any_of(Application.application_id, (one.application_id for one in applications)),
            Application.state.in_(states_allowing(Step.SUBMIT)),
        )
        .values(state=State.SUBMITTED, batch_no=batch_no, version=Application.version + 1)
        .returning(Application.application_id, Application.member_id, Application.version)
        .execution_options(synchronize_session=False)
    ).all()


def _note(session: Session, batch: Batch, submitted: Sequence[Any]) -> None:
    applications = audit.references("application", (row.application_id for row in submitted))
    names = ("batch_no", "channel", "outlet_code", "contact_name", "contact_phone", "total")
    new = {name: getattr(batch, name) for name in names}
    audit.record(session, ("batch", batch.batch_no), *applications, new=new)


def _publish_submitted(session: Session, submission: Submission, batch: Batch, submitted: Sequence[Any]) -> None:
    whole = submitted_batch(session, batch, submission.consent_version, submission.consent_basis)
    parts = in_chunks(submitted)
    for number, part in enumerate(parts, 1):
        publish(session, BATCH_SUBMITTED, replace(whole, part=number, parts=len(parts), applications=steps(part)))


def _publish_notices(session: Session, batch: Batch, outlet: Outlet, applications: Sequence[Application]) -> None:
    whole = MemberNoticesDueData(
        union_id=batch.union_id,
        union_name=batch.union_name,
        occasion="submitted",
        outlet_name=outlet.name,
        outlet_address=outlet.address,
        outlet_phone=outlet.phone,
        handed_out_by_union=session.get_one(Branch, outlet.branch_code).union_hands_out,
        members=[],
    )
    phones = ((one.application_id, one.member_id, facts_of(one).phone) for one in applications)
    publish_notices(session, whole, phones)


def _warnings(branch: Branch, channel: str, applications: Sequence[Application]) -> list[str]:
    """Warnings for the clerk about names that the branch's systems can hold."""
    if channel == "special":
        return []
    choices = ((one.name, channel_for(one.document_type, one.name, branch.charset)) for one in applications)
    return [f"{name}：{choice.reason}" for name, choice in choices if choice.reason]

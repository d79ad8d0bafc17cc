"""Personal applications 个人办卡: checked and submitted automatically, each as a batch of one."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.batching.batches.batches import bank_progress
from services.batching.batches.outlets import can_be_chosen
from services.batching.batches.submission import Submission, form_batch
from services.batching.models import Application, Branch, ConsentReceipt, Outlet, PersonalApplication
from services.batching.pending.application_states import Check, State
from services.batching.pending.channels import channel_for
from services.batching.pending.checks import request_checks
from services.batching.pending.consents import receipts_of, record_on_phone
from services.batching.pending.pending import remove
from services.batching.pending.persons import facts_of
from services.batching.places import let_nobody_move
from services.contracts.events.membership import MembersQueuedData
from services.contracts.events.membership import PersonalApplication as PersonalApplicationData
from services.contracts.operations.batching import (
    CancelPersonallyRequest,
    CollectionOutlet,
    ListPersonalProgressAnswer,
    ListPersonalProgressRequest,
    PersonalProgressAnswer,
)
from services.contracts.shared import UnionFacts
from services.kit.data.bulk import is_any_of
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound, Problem
from services.kit.rpc.work import Work

log = structlog.get_logger()

CANCELLED_PERSONALLY = "本人取消申请并撤回同意"
_UNPRINTABLE = "姓名用字无法打印，请到所在工会办理"
NATIONALITY = "CHN"
"""Only holders of a resident ID can apply personally, and only citizens hold one."""


def list_progress(work: Work, _request: ListPersonalProgressRequest) -> ListPersonalProgressAnswer:
    """The outlet and the bank's progress of each personal application of the caller, newest first."""
    rows = work.session.execute(
        select(Application, Outlet)
        .join(PersonalApplication, PersonalApplication.application_id == Application.application_id)
        .join(Outlet, Outlet.code == PersonalApplication.outlet_code)
        .where(PersonalApplication.applied_by == UUID(work.caller.member_id))
        .order_by(Application.application_id.desc())
    )
    return ListPersonalProgressAnswer(items=[_progress_answer(row.Application, row.Outlet) for row in rows])


def cancel(work: Work, request: CancelPersonallyRequest) -> None:
    """Ends the application that the caller made on the phone, before it is submitted: the consent is withdrawn.

    Afterwards the union asks for its revocation (the consent's paragraph 7): Conflict `already_submitted`. An
    application that has ended stays as it is. Raises NotFound for any other application.
    """
    session = work.session
    audit.record(session, ("application", request.application_id))
    chosen = session.get(PersonalApplication, request.application_id)
    if chosen is None or chosen.applied_by != UUID(work.caller.member_id):
        raise NotFound()
    let_nobody_move(session)
    application = session.get_one(Application, request.application_id, with_for_update={"key_share": True})
    if application.state in (State.SUBMITTED, State.ISSUED):
        advice = "申请已送银行办理。如需取消，请联系所在工会提出撤销申请，银行尚未制卡的不再制卡。"
        raise Conflict("already_submitted", "申请已不能取消", advice)
    this = Application.application_id == application.application_id
    remove(session, application.union_id, "cancelled", this, detail=CANCELLED_PERSONALLY)


def start(
    session: Session, queued: MembersQueuedData, choice: PersonalApplicationData, application_ids: Sequence[UUID]
) -> None:
    """Stores the member's choice and consent, and requests the check.

    Without consent or an open outlet the application ends at once.
    """
    union = queued.union
    session.add_all(
        PersonalApplication(
            application_id=application_id,
            applied_by=queued.queued_by,
            outlet_code=choice.outlet_code,
            union_code=union.code,
            union_name=union.name,
            superior_union_id=union.superior_union_id,
            superior_ids=union.superior_ids,
        )
        for application_id in application_ids
    )
    these = is_any_of(Application.application_id, application_ids)
    session.execute(update(Application).where(these, Application.nationality.is_(None)).values(nationality=NATIONALITY))
    if queued.consent:
        record_on_phone(session, queued.consent, _load(session, application_ids))
    if queued.consent is None or not can_be_chosen(session, choice.outlet_code):
        remove(session, union.union_id, "incomplete", these)
    else:
        request_checks(session, union.union_id, these)


def resume(session: Session, checked: Sequence[Any]) -> None:
    """Submits applications that passed the check and removes those that failed; others keep waiting for the registry.

    An application without a consent receipt, as of an earlier release, is removed and not sent to the bank.
    """
    by_result = {
        result: [row.application_id for row in checked if row.check_state == result]
        for result in (Check.PASSED, Check.FAILED)
    }
    for application in _load(session, by_result[Check.FAILED]):
        this = Application.application_id == application.application_id
        remove(session, application.union_id, "check_failed", this)
    receipts = receipts_of(session, by_result[Check.PASSED])
    for application in _load(session, by_result[Check.PASSED]):
        this = Application.application_id == application.application_id
        receipt = receipts.get(application.application_id)
        if receipt is None:
            remove(session, application.union_id, "incomplete", this)
        elif not _submit(session, application, receipt):
            remove(session, application.union_id, "check_failed", this, detail=_UNPRINTABLE)


def _progress_answer(application: Application, outlet: Outlet) -> PersonalProgressAnswer:
    return PersonalProgressAnswer(
        application_id=application.application_id,
        outlet=CollectionOutlet(code=outlet.code, name=outlet.name, address=outlet.address, phone=outlet.phone),
        bank_progress=bank_progress(application),
    )


def _load(session: Session, application_ids: Sequence[UUID]) -> Sequence[Application]:
    return session.scalars(select(Application).where(is_any_of(Application.application_id, application_ids))).all()


def _submit(session: Session, application: Application, receipt: ConsentReceipt) -> bool:
    """Submits the application; False where its register cannot be printed."""
    chosen = session.get_one(PersonalApplication, application.application_id)
    outlet = session.get_one(Outlet, chosen.outlet_code)
    _suit_charset(application, session.get_one(Branch, outlet.branch_code))
    submission = Submission(
        union=UnionFacts(
            union_id=application.union_id,
            code=chosen.union_code,
            name=chosen.union_name,
            superior_union_id=chosen.superior_union_id,
            superior_ids=chosen.superior_ids,
        ),
        channel=application.channel,
        outlet=outlet,
        contact_name=application.name,
        contact_phone=facts_of(application).phone or "",
        submitted_by=chosen.applied_by,
        consent_version=receipt.version,
        consent_basis=receipt.basis,
        personal=True,
    )
    try:
        with session.begin_nested():
            form_batch(session, submission, [application])
    except Problem as unprintable:
        log.warning("personal_application_refused", reason=unprintable.code)
        return False
    return True


def _suit_charset(application: Application, branch: Branch) -> None:
    """Moves an application to the special channel if the branch's systems cannot hold its name."""
    choice = channel_for(application.document_type, application.name, branch.charset)
    if application.channel == "ordinary" and choice.reason_code:
        application.channel = "special"
        application.channel_reason_code, application.channel_reason = choice.reason_code, choice.reason

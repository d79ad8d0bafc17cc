"""Consent receipts: which member agreed to which text about personal data going to the bank, and who recorded it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.batching.models import PENDING, Application, ConsentReceipt
from services.batching.register.consent_form import consent_form
from services.contracts.consent import CONSENT_TITLE, CURRENT_CONSENT
from services.contracts.events.membership import GivenConsent
from services.contracts.operations.batching import ConsentFormRequest, ConsentReceiptAnswer
from services.kit.data.bulk import insert_rows, is_any_of
from services.kit.documents.content_types import PDF
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work


def record_signed(
    session: Session, caller: Caller, applications: Sequence[Application], version: str, at: datetime
) -> None:
    """Records a clerk's attestation that each member has signed."""
    rows = [
        {
            "application_id": application.application_id,
            "member_id": application.member_id,
            "version": version,
            "basis": "signed_form",
            "given_at": at,
            "recorded_by": UUID(caller.account_id),
            "origin": caller.origin,
        }
        for application in applications
    ]
    session.execute(insert_rows(ConsentReceipt, rows))


def record_on_phone(session: Session, consent: GivenConsent, applications: Sequence[Application]) -> None:
    """Records the consents that members gave on the phone."""
    session.add_all(
        ConsentReceipt(
            application_id=application.application_id,
            member_id=application.member_id,
            version=consent.version,
            basis="phone",
            given_at=consent.given_at,
            recorded_by=application.member_id,
            origin=consent.origin,
        )
        for application in applications
    )
    session.flush()


def receipts_of(session: Session, application_ids: Sequence[UUID]) -> dict[UUID, ConsentReceipt]:
    """The receipts by application."""
    found = session.scalars(select(ConsentReceipt).where(is_any_of(ConsentReceipt.application_id, application_ids)))
    return {receipt.application_id: receipt for receipt in found}


def consented_version(session: Session, batch_no: str) -> str:
    """The text version that a batch's members agreed to; the current one for batches from before receipts were kept."""
    of_batch = (
        select(ConsentReceipt.version)
        .join(Application, Application.application_id == ConsentReceipt.application_id)
        .where(Application.batch_no == batch_no)
    )
    return session.scalar(of_batch.limit(1)) or CURRENT_CONSENT.version


def get_form(work: Work, request: ConsentFormRequest) -> FileAnswer:
    """The consent form for all members on one channel of the pending list, to be signed before the submission."""
    waiting = work.session.execute(
        select(Application.member_no, Application.name)
        .where(Application.union_id == UUID(work.caller.union_id), PENDING, Application.channel == request.channel)
        .order_by(Application.member_no, Application.application_id)
    ).all()
    signers = [(row.member_no, row.name) for row in waiting]
    form = consent_form(CURRENT_CONSENT.version, work.caller.union_name or "", signers)
    return file_answer(f"{CONSENT_TITLE}.pdf", PDF, form)


def receipt_answer(receipt: ConsentReceipt | None) -> ConsentReceiptAnswer | None:
    """A receipt in the form of answers."""
    if receipt is None:
        return None
    return ConsentReceiptAnswer(version=receipt.version, basis=receipt.basis, given_at=receipt.given_at)

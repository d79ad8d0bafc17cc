"""Registers of stored batches: loaded as frozen, verified by their hash, returned as files."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.batching.batches.batches import load_batch
from services.batching.cards import collection_codes
from services.batching.models import Batch, BatchPerson, Branch
from services.batching.pending.consents import consented_version
from services.batching.register.attachments import attachments_zip
from services.batching.register.register import Register, RegisteredPerson
from services.batching.register.register_pdf import register_pdf
from services.batching.register.register_xlsx import register_xlsx
from services.contracts.operations.batching import BatchRequest, GetRegisterRequest, RegisterAnswer
from services.kit.documents.content_types import PDF, XLSX
from services.kit.operations import audit
from services.kit.problems import NotFound, Problem
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.work import Work

_CONTENT_TYPES = {
    "pdf": PDF,
    "xlsx": XLSX,
}


def print_register(work: Work, request: GetRegisterRequest) -> RegisterAnswer:
    """The register as a file; the batch counts as printed from now on. Raises NotFound and Problem `font_lacks`."""
    session, batch_no, form = work.session, request.batch_no, request.format
    batch = _load_own_batch(work, batch_no)
    audit.record(session, new={"format": form, "register_hash": batch.register_hash})
    register = _frozen_register(session, batch)
    content = register_xlsx(register) if form == "xlsx" else register_pdf(register, _codes(session, batch))
    batch.register_state = "printed"
    file = file_answer(f"办卡清册-{batch_no}.{form}", _CONTENT_TYPES[form], content)
    return RegisterAnswer(**vars(file), register_hash=batch.register_hash)


def get_attachments(work: Work, request: BatchRequest) -> FileAnswer:
    """The attachments to print as a .zip. Raises NotFound and Problem `font_lacks`."""
    session, batch_no = work.session, request.batch_no
    register = _frozen_register(session, _load_own_batch(work, batch_no))
    version = consented_version(session, batch_no)
    return file_answer(f"办卡附件-{batch_no}.zip", "application/zip", attachments_zip(register, version))


def digest_now(session: Session, batch: Batch) -> str:
    """The hash of a batch's register as it stands, for instance after a person was erased from it."""
    return _register_now(session, batch).digest()


def register_of(batch: Batch, persons: tuple[RegisteredPerson, ...]) -> Register:
    """The register of a stored batch with these persons, in their order."""
    return Register(
        batch_no=batch.batch_no,
        channel=batch.channel,
        union_code=batch.union_code,
        union_name=batch.union_name,
        outlet_name=batch.outlet_name,
        outlet_address=batch.outlet_address,
        contact_name=batch.contact_name,
        contact_phone=batch.contact_phone,
        submitted_at=batch.submitted_at,
        persons=persons,
    )


def _load_own_batch(work: Work, batch_no: str) -> Batch:
    """A batch of the caller's own union; others in scope may see the batch, but not its whole document numbers."""
    audit.record(work.session, ("batch", batch_no))
    batch = load_batch(work, batch_no)
    if str(batch.union_id) != work.caller.union_id:
        raise NotFound()
    return batch


def _register_now(session: Session, batch: Batch) -> Register:
    persons = session.scalars(
        select(BatchPerson).where(BatchPerson.batch_no == batch.batch_no).order_by(BatchPerson.position)
    )
    return register_of(batch, tuple(_line(person) for person in persons))


def _frozen_register(session: Session, batch: Batch) -> Register:
    register = _register_now(session, batch)
    if register.digest() != (batch.erased_register_hash or batch.register_hash):
        raise Problem("register_differs", 500, "清册内容与提交时不一致", "请勿使用此清册，并立即联系技术支持。")
    return register


def _codes(session: Session, batch: Batch) -> Sequence[UUID]:
    """The applications of the batch in the register's order, where it has codes for collection."""
    if not collection_codes.are_printed() or not session.get_one(Branch, batch.branch_code).union_hands_out:
        return ()
    in_order = select(BatchPerson.application_id).where(BatchPerson.batch_no == batch.batch_no)
    return session.scalars(in_order.order_by(BatchPerson.position)).all()


def _line(person: BatchPerson) -> RegisteredPerson:
    return RegisteredPerson(
        position=person.position,
        member_no=person.member_no,
        name=person.name,
        document_type=person.document_type,
        document_number=person.document_number,
        document_expiry=person.document_expiry,
        nationality=person.nationality,
        channel_reason=person.channel_reason,
    )

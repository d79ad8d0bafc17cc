"""The batching service: pending lists, batches, registers, and the bank's feedback."""

from nameko.timer import timer
from sqlalchemy.orm import Session

from services.batching import overdue, places, subjects
from services.batching.bank import bank_feedback, bank_operations, bank_reading, bank_receipts
from services.batching.bank.bank_queue import BankQueue
from services.batching.bank_files import files, result_files
from services.batching.batches import batches, outlets, preparation, releases, submission, summary
from services.batching.cards import cards, reminders
from services.batching.pending import (
    check_results,
    checks,
    consents,
    listing,
    pending,
    personal_applications,
    transfers,
)
from services.batching.register import registers
from services.batching.retention import TABLES
from services.contracts.events.batching import UNIONS_MOVED
from services.contracts.events.membership import (
    APPLICATION_CANCELLED,
    AUDIT_HEAD_SIGNED,
    CORRECTION_REFUSED,
    MEMBER_TRANSFERRED,
    MEMBERS_QUEUED,
    UNIONS_CHANGED,
)
from services.contracts.events.revocation import (
    REVOCATION_APPROVED,
    REVOCATION_CLOSED,
    REVOCATION_REJECTED,
    REVOCATION_REQUESTED,
)
from services.contracts.events.subjects import SUBJECT_REQUESTED
from services.contracts.events.validation import MEMBERS_VALIDATED
from services.contracts.external import bank
from services.contracts.operations import bank_files as file_ops
from services.contracts.operations import batching as ops
from services.contracts.operations import cards as card_ops
from services.kit.data.database import Database
from services.kit.data.retention import Retention
from services.kit.events.contract import MESSAGE_SIZE
from services.kit.events.relay import Relay
from services.kit.events.subscribe import Message, subscribe_batch, subscribes
from services.kit.operations.audit_heads import AuditHeadVerification, handle_signed_head
from services.kit.operations.base_service import BaseService
from services.kit.rpc.methods import handles


class BatchingService(BaseService):
    """The service's entrypoints; the code is in the modules that they call."""

    name = "batching"

    database = Database()
    relay = Relay()
    retention = Retention(TABLES)
    audit_heads = AuditHeadVerification()
    bank_queue = BankQueue()

    # Pending list

    list_pending = handles(ops.LIST_PENDING, pending.list_pending)
    check_pending = handles(ops.CHECK_PENDING, checks.check_pending)
    update_pending = handles(ops.UPDATE_PENDING, pending.update_pending)
    remove_pending = handles(ops.REMOVE_PENDING, pending.remove_pending)
    remove_pending_many = handles(ops.REMOVE_PENDING_MANY, pending.remove_pending_many)
    get_consent_form = handles(ops.GET_CONSENT_FORM, consents.get_form)

    # Branches and outlets

    list_branches = handles(ops.LIST_BRANCHES, outlets.list_branches)
    list_outlets = handles(ops.LIST_OUTLETS, outlets.list_outlets)
    create_branch = handles(ops.CREATE_BRANCH, outlets.create_branch)
    update_branch = handles(ops.UPDATE_BRANCH, outlets.update_branch)
    create_outlet = handles(ops.CREATE_OUTLET, outlets.create_outlet)
    update_outlet = handles(ops.UPDATE_OUTLET, outlets.update_outlet)

    # Batches

    prepare_submission = handles(ops.PREPARE_SUBMISSION, preparation.prepare_submission)
    submit_batch = handles(ops.SUBMIT_BATCH, submission.submit_batch)
    list_batches = handles(ops.LIST_BATCHES, batches.list_batches)
    get_batch = handles(ops.GET_BATCH, batches.get_batch)
    list_batch_members = handles(ops.LIST_BATCH_MEMBERS, batches.list_batch_members)
    get_register = handles(ops.GET_REGISTER, registers.print_register)
    get_attachments = handles(ops.GET_ATTACHMENTS, registers.get_attachments)
    get_batch_summary = handles(ops.GET_BATCH_SUMMARY, summary.summarise)

    # Cards

    list_cards = handles(card_ops.LIST_CARDS, cards.list_cards)
    get_card = handles(card_ops.GET_CARD, cards.get_card)
    export_cards = handles(card_ops.EXPORT_CARDS, cards.export_cards)
    get_collection_list = handles(card_ops.GET_COLLECTION_LIST, cards.get_collection_list)
    mark_collected = handles(card_ops.MARK_COLLECTED, cards.mark_collected)

    @timer(interval=300)
    def remind_of_collection(self) -> None:
        """Reminds members whose cards have waited long for collection."""
        reminded = MESSAGE_SIZE
        while reminded == MESSAGE_SIZE:
            with self.database.begin() as session:
                reminded = reminders.remind_some(session)

    # Batches at the bank, for operators

    get_bank_batch = handles(ops.GET_BANK_BATCH, bank_operations.get_bank_batch)
    resend_to_bank = handles(ops.RESEND_TO_BANK, bank_operations.resend)
    correct_processed_at = handles(ops.CORRECT_PROCESSED_AT, bank_operations.correct_processed_at)

    # Files for branches that take no messages

    list_bank_files = handles(file_ops.LIST_BANK_FILES, files.list_bank_files)
    fetch_bank_file = handles(file_ops.FETCH_BANK_FILE, files.fetch_bank_file)
    upload_results = handles(file_ops.UPLOAD_RESULTS, result_files.upload_results)
    list_result_files = handles(file_ops.LIST_RESULT_FILES, result_files.list_result_files)
    get_result_file = handles(file_ops.GET_RESULT_FILE, result_files.get_result_file)
    get_result_receipt = handles(file_ops.GET_RESULT_RECEIPT, result_files.get_result_receipt)
    renew_file_password = handles(file_ops.RENEW_FILE_PASSWORD, outlets.renew_file_password)

    @timer(interval=300)
    def observe_bank_files(self) -> None:
        """Measures how long files have waited."""
        with self.database.begin() as session:
            files.observe_waiting(session)

    # Members on the phone

    list_personal_progress = handles(ops.LIST_PERSONAL_PROGRESS, personal_applications.list_progress)
    cancel_personally = handles(ops.CANCEL_PERSONALLY, personal_applications.cancel)

    # Events of other services, and the bank

    members_queued = subscribes(MEMBERS_QUEUED, listing.members_queued)
    members_validated = subscribes(MEMBERS_VALIDATED, check_results.members_validated)
    application_cancelled = subscribes(APPLICATION_CANCELLED, releases.application_cancelled)
    correction_refused = subscribes(CORRECTION_REFUSED, releases.correction_refused)
    revocation_requested = subscribes(REVOCATION_REQUESTED, releases.revocation_requested)
    revocation_approved = subscribes(REVOCATION_APPROVED, releases.revocation_approved)
    revocation_rejected = subscribes(REVOCATION_REJECTED, releases.revocation_rejected)
    revocation_closed = subscribes(REVOCATION_CLOSED, releases.revocation_closed)
    member_transferred = subscribes(MEMBER_TRANSFERRED, transfers.member_transferred)
    unions_changed = subscribes(UNIONS_CHANGED, places.unions_changed)
    unions_moved = subscribes(UNIONS_MOVED, places.unions_moved)
    subject_requested = subscribes(SUBJECT_REQUESTED, subjects.subject_requested)
    audit_head_signed = subscribes(AUDIT_HEAD_SIGNED, handle_signed_head)

    @timer(interval=60)
    def remind_of_overdue_work(self) -> None:
        """Publishes overdue work, once on each working day."""
        overdue.remind(self.database)

    @subscribe_batch(queue=bank.FEEDBACK_QUEUE, size=500, decode=bank_reading.read_feedback)
    def bank_feedback(self, session: Session, messages: list[Message]) -> None:
        """Applies the bank's results, and answers it."""
        bank_receipts.answer(session, bank_feedback.apply_feedback(session, [message.data for message in messages]))

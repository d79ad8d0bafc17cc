"""The batching service: pending lists, batches, registers, and the bank's feedback."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.batching import (
    bank_feedback,
    bank_operations,
    bank_reading,
    batches,
    check_results,
    checks,
    consents,
    listing,
    outlets,
    pending,
    personal_applications,
    registers,
    releases,
    submission,
    summary,
)
from services.batching.bank_queue import BankQueue
from services.contracts import bank
from services.contracts.events.membership import (
    APPLICATION_CANCELLED,
    AUDIT_HEAD_SIGNED,
    CORRECTION_REFUSED,
    MEMBERS_QUEUED,
)
from services.contracts.events.revocation import (
    REVOCATION_APPROVED,
    REVOCATION_CLOSED,
    REVOCATION_REJECTED,
    REVOCATION_REQUESTED,
)
from services.contracts.events.validation import MEMBERS_VALIDATED
from services.contracts.operations import batching as rpc
from services.contracts.operations.batching import RegisterAnswer
from services.kit.data.database import Database
from services.kit.events.relay import Relay
from services.kit.events.subscribe import Event, Message, subscribe, subscribe_batch, subscribes
from services.kit.operations.audit_heads import RemembersAuditHeads, remember_head
from services.kit.operations.operable import Operable
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.methods import Caller, command, query


class BatchingService(Operable):
    """Entrypoints only; what they do is in the modules that they call."""

    name = "batching"

    database = Database()
    relay = Relay()
    audit_heads = RemembersAuditHeads()
    bank_queue = BankQueue()

    # Pending list

    @query(rpc.ListPendingRequest)
    def list_pending(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A page of the union's pending list, with counts."""
        return pending.list_pending(session, _union(caller), data)

    @command(rpc.CheckPendingRequest)
    def check_pending(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Asks for the system check."""
        return {"checking": checks.check_pending(session, _union(caller), data)}

    @command(rpc.UpdatePendingRequest)
    def update_pending(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes the expiry date, completes information, switches the channel."""
        return pending.update_pending(session, caller, data)

    @command(rpc.RemovePendingRequest)
    def remove_pending(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Removes one entry."""
        return {"removed": pending.remove_pending(session, _union(caller), data["application_id"])}

    @command(rpc.RemovePendingManyRequest)
    def remove_pending_many(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Removes the named entries, or all that cannot be submitted."""
        return {"removed": pending.remove_pending_many(session, _union(caller), data)}

    @query(rpc.ConsentFormRequest)
    def get_consent_form(self, session: Session, caller: Caller, data: dict[str, Any]) -> FileAnswer:
        """The form of consent for who is in the pending list."""
        return consents.get_form(session, caller, data["channel"])

    # Branches and outlets

    @query(rpc.ListBranchesRequest)
    def list_branches(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """All branches."""
        return outlets.list_branches(session, data["state"])

    @query(rpc.ListOutletsRequest)
    def list_outlets(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A page of outlets."""
        return outlets.list_outlets(session, data)

    @command(rpc.CreateBranchRequest)
    def create_branch(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A new branch."""
        return outlets.create_branch(session, caller, data)

    @command(rpc.UpdateBranchRequest)
    def update_branch(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Renames, closes or reopens a branch."""
        return outlets.update_branch(session, caller, data)

    @command(rpc.CreateOutletRequest)
    def create_outlet(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A new outlet."""
        return outlets.create_outlet(session, caller, data)

    @command(rpc.UpdateOutletRequest)
    def update_outlet(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes, closes or reopens an outlet."""
        return outlets.update_outlet(session, caller, data)

    # Batches

    @command(rpc.SubmitBatchRequest)
    def submit_batch(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Makes a batch of all entries of a channel."""
        return submission.submit_batch(session, self.database, caller, data)

    @query(rpc.ListBatchesRequest)
    def list_batches(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A page of batches."""
        return batches.list_batches(session, caller, data)

    @query(rpc.BatchRequest)
    def get_batch(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """One batch."""
        return batches.get_batch(session, caller, data["batch_no"])

    @query(rpc.ListBatchMembersRequest)
    def list_batch_members(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A page of a batch's persons."""
        return batches.list_batch_members(session, caller, data)

    @command(rpc.GetRegisterRequest)
    def get_register(self, session: Session, caller: Caller, data: dict[str, Any]) -> RegisterAnswer:
        """The register as a file; marks it as printed."""
        return registers.print_register(session, caller, data["batch_no"], data["format"])

    @command(rpc.BatchRequest)
    def get_attachments(self, session: Session, caller: Caller, data: dict[str, Any]) -> FileAnswer:
        """What is to be printed, as a .zip."""
        return registers.get_attachments(session, caller, data["batch_no"])

    @query(rpc.BatchSummaryRequest)
    def get_batch_summary(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Counts for the workbench."""
        return summary.summarise(session, caller)

    # Batches at the bank, for operators

    @query(rpc.BatchRequest)
    def get_bank_batch(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A batch with the bank's feedback."""
        return bank_operations.get_bank_batch(session, data["batch_no"])

    @command(rpc.ResendToBankRequest)
    def resend_to_bank(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Sends a batch or a recall once more."""
        return bank_operations.resend(session, data)

    @command(rpc.CorrectProcessedAtRequest)
    def correct_processed_at(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Corrects a time that the bank gave."""
        return bank_operations.correct_processed_at(session, data)

    # Members on the phone

    @query(rpc.ListPersonalProgressRequest)
    def list_personal_progress(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Outlet and bank's progress of the member's own applications."""
        return personal_applications.list_progress(session, caller)

    # What other services and the bank tell

    @subscribe(MEMBERS_QUEUED)
    def members_queued(self, session: Session, event: Event) -> None:
        """Lists the queued members."""
        listing.list_queued(session, event.data)

    @subscribe(MEMBERS_VALIDATED)
    def members_validated(self, session: Session, event: Event) -> None:
        """Takes results of checks."""
        check_results.take_results(session, event.data)

    @subscribe(APPLICATION_CANCELLED)
    def application_cancelled(self, session: Session, event: Event) -> None:
        """Ends an application whose member got a card otherwise."""
        releases.cancel(session, event.data)

    @subscribe(CORRECTION_REFUSED)
    def correction_refused(self, session: Session, event: Event) -> None:
        """Ends an application whose corrected document is another member's."""
        releases.refuse_correction(session, event.data)

    @subscribe(REVOCATION_REQUESTED)
    def revocation_requested(self, session: Session, event: Event) -> None:
        """Shows the request on the batch."""
        releases.note_revocation(session, event.data["batch_no"], "requested", event.data["requested_at"])

    @subscribe(REVOCATION_APPROVED)
    def revocation_approved(self, session: Session, event: Event) -> None:
        """Releases what the bank has not decided."""
        releases.revoke(session, event.data)

    @subscribe(REVOCATION_REJECTED)
    def revocation_rejected(self, session: Session, event: Event) -> None:
        """Shows the refusal on the batch."""
        releases.note_revocation(session, event.data["batch_no"], "rejected", event.data["decided_at"])

    @subscribe(REVOCATION_CLOSED)
    def revocation_closed(self, session: Session, event: Event) -> None:
        """Shows on the batch that nothing is to be decided."""
        releases.note_revocation(session, event.data["batch_no"], "closed", event.data["closed_at"])

    @subscribe_batch(queue=bank.FEEDBACK_QUEUE, size=500, decode=bank_reading.read_feedback)
    def bank_feedback(self, session: Session, messages: list[Message]) -> None:
        """Applies the bank's results."""
        bank_feedback.apply_feedback(session, [message.data for message in messages])

    audit_head_signed = subscribes(AUDIT_HEAD_SIGNED, remember_head)


def _union(caller: Caller) -> UUID:
    return UUID(caller.union_id)

"""The notification service: tells those concerned what happened, by inbox and SMS; keeps announcements and guides."""

from typing import Any

from nameko.extensions import DependencyProvider
from nameko.timer import timer
from sqlalchemy.orm import Session

from services.contracts.events.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    MEMBERS_REFUSED,
)
from services.contracts.events.membership import (
    ACCOUNT_CHANGED,
    APPLICATION_CANCELLED,
    AUDIT_HEAD_SIGNED,
    CORRECTION_REFUSED,
    IMPORT_PROGRESSED,
    MEMBER_PHONE_CHANGED,
    OTP_ISSUED,
    RESET_LINK_MADE,
)
from services.contracts.events.revocation import (
    REVOCATION_APPROVED,
    REVOCATION_CLOSED,
    REVOCATION_REJECTED,
    REVOCATION_REQUESTED,
)
from services.contracts.events.validation import MEMBERS_VALIDATED
from services.contracts.operations.notification import (
    CreateAnnouncementRequest,
    CreateGuideRequest,
    GetAnnouncementRequest,
    GetAttachmentRequest,
    GuideRequest,
    ListAnnouncementsRequest,
    ListGuidesRequest,
    ListMessagesRequest,
    MarkAllMessagesReadRequest,
    MarkMessageReadRequest,
    UpdateAnnouncementRequest,
    UpdateGuideRequest,
    WithdrawAnnouncementRequest,
)
from services.kit.data.database import Database
from services.kit.events.relay import Relay
from services.kit.events.subscribe import Event, subscribe, subscribes
from services.kit.operations.audit_heads import RemembersAuditHeads, remember_head
from services.kit.operations.operable import Operable
from services.kit.rpc.methods import Caller, command, query
from services.kit.settings import read_settings
from services.notification import announcements, guides, inbox, news, sms
from services.notification.sms import Provider, SmsSettings


class SmsProvider(DependencyProvider):
    """The SMS provider as a dependency: one client a process."""

    def setup(self) -> None:
        """Makes the client; nothing is sent yet."""
        self.provider = Provider(read_settings(SmsSettings))

    def stop(self) -> None:
        """Closes its connections."""
        self.provider.close()

    def get_dependency(self, worker_ctx: Any) -> Provider:
        """The client itself."""
        return self.provider


class NotificationService(Operable):
    """Entrypoints only; what is told to whom is in news.py, the words are in texts.py."""

    name = "notification"

    database = Database()
    relay = Relay()
    audit_heads = RemembersAuditHeads()
    sms_provider = SmsProvider()

    @subscribe(MEMBERS_VALIDATED)
    def members_validated(self, session: Session, event: Event) -> None:
        """Tells the clerk who did not pass."""
        news.members_validated(session, event.data)

    @subscribe(BATCH_SUBMITTED)
    def batch_submitted(self, session: Session, event: Event) -> None:
        """Tells the clerk what to do with the batch."""
        news.batch_submitted(session, event.data)

    @subscribe(CARDS_ISSUED)
    def cards_issued(self, session: Session, event: Event) -> None:
        """Tells clerk and contact."""
        news.cards_issued(session, self.sms_provider.settings, event.data)

    @subscribe(CARDS_REFUSED)
    def cards_refused(self, session: Session, event: Event) -> None:
        """Tells clerk and contact."""
        news.cards_refused(session, self.sms_provider.settings, event.data)

    @subscribe(BATCH_RELEASED)
    def batch_released(self, session: Session, event: Event) -> None:
        """Tells the clerk who is free again."""
        news.batch_released(session, event.data)

    @subscribe(REVOCATION_REQUESTED)
    def revocation_requested(self, session: Session, event: Event) -> None:
        """Tells the reviewers."""
        news.revocation_requested(session, event.data)

    @subscribe(REVOCATION_APPROVED)
    def revocation_approved(self, session: Session, event: Event) -> None:
        """Tells clerk and applicant."""
        news.revocation_approved(session, event.data)

    @subscribe(REVOCATION_REJECTED)
    def revocation_rejected(self, session: Session, event: Event) -> None:
        """Tells clerk and applicant."""
        news.revocation_rejected(session, event.data)

    @subscribe(REVOCATION_CLOSED)
    def revocation_closed(self, session: Session, event: Event) -> None:
        """Tells clerk and applicant."""
        news.revocation_closed(session, event.data)

    @subscribe(APPLICATION_CANCELLED)
    def application_cancelled(self, session: Session, event: Event) -> None:
        """Tells both unions' clerks."""
        news.application_cancelled(session, event.data)

    @subscribe(CORRECTION_REFUSED)
    def correction_refused(self, session: Session, event: Event) -> None:
        """Tells the clerk that the corrected document is another member's."""
        news.correction_refused(session, event.data)

    @subscribe(MEMBERS_REFUSED)
    def members_refused(self, session: Session, event: Event) -> None:
        """Tells the clerk who could not be listed."""
        news.members_refused(session, event.data)

    @subscribe(IMPORT_PROGRESSED)
    def import_progressed(self, session: Session, event: Event) -> None:
        """Tells the clerk when it has ended."""
        news.import_progressed(session, event.data)

    @subscribe(OTP_ISSUED)
    def otp_issued(self, session: Session, event: Event) -> None:
        """Sends the one-time password."""
        news.otp_issued(session, event.data)

    @subscribe(RESET_LINK_MADE)
    def reset_link_made(self, session: Session, event: Event) -> None:
        """Sends the link to choose another password."""
        news.reset_link_made(session, self.sms_provider.settings, event.data)

    @subscribe(MEMBER_PHONE_CHANGED)
    def member_phone_changed(self, session: Session, event: Event) -> None:
        """Tells both numbers."""
        news.member_phone_changed(session, event.data)

    @subscribe(ACCOUNT_CHANGED)
    def account_changed(self, session: Session, event: Event) -> None:
        """Tells the holder of an account what was changed of it."""
        news.account_changed(session, event.data)

    @timer(interval=0.5)
    def send_sms(self) -> None:
        """Sends what is due; the next tick goes on with what is left, so that a stop need not wait for it."""
        sms.send_due(self.database.begin, self.sms_provider)

    @query(ListMessagesRequest)
    def list_messages(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The caller's inbox."""
        return inbox.list_messages(session, caller, data)

    @command(MarkMessageReadRequest)
    def mark_message_read(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Marks one message as read."""
        return inbox.mark_read(session, caller, data["message_id"])

    @command(MarkAllMessagesReadRequest)
    def mark_all_messages_read(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Marks all messages as read."""
        return inbox.mark_all_read(session, caller)

    @query(ListAnnouncementsRequest)
    def list_announcements(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The announcements that stand."""
        return announcements.list_announcements(session, caller, data)

    @query(GetAnnouncementRequest)
    def get_announcement(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """One announcement."""
        return announcements.get_announcement(session, caller, data["announcement_id"])

    @command(CreateAnnouncementRequest)
    def create_announcement(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Publishes an announcement."""
        return announcements.create_announcement(session, caller, data)

    @command(UpdateAnnouncementRequest)
    def update_announcement(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Edits an announcement."""
        return announcements.update_announcement(session, caller, data)

    @command(WithdrawAnnouncementRequest)
    def withdraw_announcement(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Takes an announcement back."""
        return announcements.withdraw_announcement(session, caller, data["announcement_id"])

    @query(ListGuidesRequest)
    def list_guides(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The guides."""
        return guides.list_guides(session, data)

    @command(CreateGuideRequest)
    def create_guide(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Publishes a guide."""
        return guides.create_guide(session, caller, data)

    @command(UpdateGuideRequest)
    def update_guide(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes a guide."""
        return guides.update_guide(session, caller, data)

    @command(GuideRequest)
    def withdraw_guide(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Takes a guide back."""
        return guides.withdraw_guide(session, caller, data["guide_id"])

    @query(GetAttachmentRequest)
    def get_attachment(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A file."""
        return announcements.get_attachment(session, caller, data["attachment_id"])

    audit_head_signed = subscribes(AUDIT_HEAD_SIGNED, remember_head)

"""The notification service: notifies people by inbox and SMS; keeps announcements, guides, reports and samples."""

from datetime import UTC, datetime
from typing import Any

from nameko.extensions import DependencyProvider
from nameko.timer import timer
from sqlalchemy.orm import Session

from services.contracts.events.batching import (
    APPLICATIONS_COUNTED,
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    CHANNEL_ASSIGNED,
    COLLECTION_REMINDED,
    MEMBER_NOTICES_DUE,
    MEMBERS_REFUSED,
    MEMBERS_REMOVED,
    BatchReleasedData,
    BatchSubmittedData,
    CardsIssuedData,
    CardsRefusedData,
)
from services.contracts.events.membership import (
    ACCOUNT_CHANGED,
    APPLICATION_CANCELLED,
    AUDIT_HEAD_SIGNED,
    CORRECTION_REFUSED,
    DELEGATION_CHANGED,
    IMPORT_PROGRESSED,
    MEMBER_PHONE_CHANGED,
    MEMBER_TRANSFERRED,
    MEMBERS_COUNTED,
    OTP_ISSUED,
    REMINDERS_DUE,
    RESET_LINK_MADE,
    TRANSFER_ENDED,
    TRANSFER_REQUESTED,
    UNION_CHANGE_NOTED,
    UNIONS_CHANGED,
    MemberPhoneChangedData,
    ResetLinkMadeData,
)
from services.contracts.events.revocation import (
    REVOCATION_APPROVED,
    REVOCATION_CLOSED,
    REVOCATION_REJECTED,
    REVOCATION_REQUESTED,
)
from services.contracts.events.status import STATUSES_SAMPLED, StatusSampledData
from services.contracts.events.subjects import SUBJECT_REQUESTED
from services.contracts.events.validation import CHECKS_COUNTED, MEMBERS_VALIDATED
from services.contracts.operations.member_messages import LIST_MEMBER_MESSAGES, MARK_MEMBER_MESSAGES_READ
from services.contracts.operations.notification import (
    CREATE_ANNOUNCEMENT,
    CREATE_GUIDE,
    GET_ANNOUNCEMENT,
    GET_ATTACHMENT,
    LIST_ANNOUNCEMENTS,
    LIST_GUIDES,
    LIST_MESSAGES,
    MARK_ALL_MESSAGES_READ,
    MARK_MESSAGE_READ,
    UPDATE_ANNOUNCEMENT,
    UPDATE_GUIDE,
    WITHDRAW_ANNOUNCEMENT,
    WITHDRAW_GUIDE,
)
from services.contracts.operations.overview import GET_OVERVIEW, RECORD_ALERTS
from services.contracts.operations.reports import EXPORT_REPORT, GET_REPORT
from services.contracts.operations.templates import (
    GET_NOTICES,
    GET_TEMPLATE,
    LIST_TEMPLATES,
    PREVIEW_TEMPLATE,
    RESTORE_TEMPLATE,
    SET_NOTICES,
    UPDATE_TEMPLATE,
)
from services.kit.data.database import Database
from services.kit.data.retention import Retention
from services.kit.events.relay import Relay
from services.kit.events.subscribe import Event, subscribes
from services.kit.operations.audit_heads import AuditHeadVerification, handle_signed_head
from services.kit.operations.base_service import BaseService
from services.kit.rpc.methods import handles
from services.kit.settings import read_settings
from services.notification import (
    announcements,
    event_notifications,
    guides,
    message_inbox,
    sms,
    sms_months,
)
from services.notification.members import member_messages, member_notices, subjects
from services.notification.operators import alerts, overview, samples
from services.notification.reports import answers, exports, feeding, monthly
from services.notification.reports.monthly import MonthlyReportSettings
from services.notification.retention import TABLES
from services.notification.sms import Provider, SmsSettings
from services.notification.templates import editing


class SmsProvider(DependencyProvider):
    """The SMS provider as a dependency: one client for each process."""

    def setup(self) -> None:
        """Creates the client; nothing is sent yet."""
        self.provider = Provider(read_settings(SmsSettings))

    def stop(self) -> None:
        """Closes its connections."""
        self.provider.close()

    def get_dependency(self, worker_ctx: Any) -> Provider:
        """The client itself."""
        return self.provider


class NotificationService(BaseService):
    """The service's entrypoints; the notifications are in event_notifications.py, their texts in templates/."""

    name = "notification"

    database = Database()
    relay = Relay()
    retention = Retention(TABLES, sms_months.maintain)
    audit_heads = AuditHeadVerification()
    sms_provider = SmsProvider()

    members_validated = subscribes(MEMBERS_VALIDATED, event_notifications.members_validated)
    member_notices_due = subscribes(MEMBER_NOTICES_DUE, member_notices.member_notices_due)
    collection_reminded = subscribes(COLLECTION_REMINDED, member_notices.collection_reminded)
    revocation_requested = subscribes(REVOCATION_REQUESTED, event_notifications.revocation_requested)
    revocation_approved = subscribes(REVOCATION_APPROVED, event_notifications.revocation_approved)
    revocation_rejected = subscribes(REVOCATION_REJECTED, event_notifications.revocation_rejected)
    revocation_closed = subscribes(REVOCATION_CLOSED, event_notifications.revocation_closed)
    application_cancelled = subscribes(APPLICATION_CANCELLED, event_notifications.application_cancelled)
    correction_refused = subscribes(CORRECTION_REFUSED, event_notifications.correction_refused)
    members_refused = subscribes(MEMBERS_REFUSED, event_notifications.members_refused)
    import_progressed = subscribes(IMPORT_PROGRESSED, event_notifications.import_progressed)
    otp_issued = subscribes(OTP_ISSUED, event_notifications.otp_issued)
    transfer_requested = subscribes(TRANSFER_REQUESTED, event_notifications.transfer_requested)
    transfer_ended = subscribes(TRANSFER_ENDED, event_notifications.transfer_ended)
    member_transferred = subscribes(MEMBER_TRANSFERRED, event_notifications.member_transferred)
    union_change_noted = subscribes(UNION_CHANGE_NOTED, event_notifications.union_change_noted)
    delegation_changed = subscribes(DELEGATION_CHANGED, event_notifications.delegation_changed)
    account_changed = subscribes(ACCOUNT_CHANGED, event_notifications.account_changed)
    reminders_due = subscribes(REMINDERS_DUE, event_notifications.reminders_due)
    subject_requested = subscribes(SUBJECT_REQUESTED, subjects.subject_requested)
    audit_head_signed = subscribes(AUDIT_HEAD_SIGNED, handle_signed_head)

    unions_changed = subscribes(UNIONS_CHANGED, feeding.unions_changed)
    members_counted = subscribes(MEMBERS_COUNTED, feeding.members_counted)
    applications_counted = subscribes(APPLICATIONS_COUNTED, feeding.applications_counted)
    checks_counted = subscribes(CHECKS_COUNTED, feeding.checks_counted)
    channel_assigned = subscribes(CHANNEL_ASSIGNED, feeding.channel_assigned)
    members_removed = subscribes(MEMBERS_REMOVED, feeding.members_removed)

    list_messages = handles(LIST_MESSAGES, message_inbox.list_messages)
    mark_message_read = handles(MARK_MESSAGE_READ, message_inbox.mark_read)
    mark_all_messages_read = handles(MARK_ALL_MESSAGES_READ, message_inbox.mark_all_read)
    list_announcements = handles(LIST_ANNOUNCEMENTS, announcements.list_announcements)
    get_announcement = handles(GET_ANNOUNCEMENT, announcements.get_announcement)
    create_announcement = handles(CREATE_ANNOUNCEMENT, announcements.create_announcement)
    update_announcement = handles(UPDATE_ANNOUNCEMENT, announcements.update_announcement)
    withdraw_announcement = handles(WITHDRAW_ANNOUNCEMENT, announcements.withdraw_announcement)
    list_guides = handles(LIST_GUIDES, guides.list_guides)
    create_guide = handles(CREATE_GUIDE, guides.create_guide)
    update_guide = handles(UPDATE_GUIDE, guides.update_guide)
    withdraw_guide = handles(WITHDRAW_GUIDE, guides.withdraw_guide)
    get_attachment = handles(GET_ATTACHMENT, announcements.get_attachment)

    @subscribes(BATCH_SUBMITTED)
    def batch_submitted(self, session: Session, event: Event[BatchSubmittedData]) -> None:
        """Notifies the clerk, and counts."""
        event_notifications.batch_submitted(session, event)
        feeding.batch_submitted(session, event)

    @subscribes(BATCH_RELEASED)
    def batch_released(self, session: Session, event: Event[BatchReleasedData]) -> None:
        """Notifies clerk and members, and counts."""
        event_notifications.batch_released(session, event)
        member_notices.batch_released(session, event)
        feeding.batch_released(session, event)

    @subscribes(CARDS_ISSUED)
    def cards_issued(self, session: Session, event: Event[CardsIssuedData]) -> None:
        """Notifies clerk, contact and members, and counts."""
        event_notifications.cards_issued(session, self.sms_provider.settings, event)
        member_notices.cards_issued(session, event)
        feeding.cards_issued(session, event)

    @subscribes(CARDS_REFUSED)
    def cards_refused(self, session: Session, event: Event[CardsRefusedData]) -> None:
        """Notifies clerk, contact and members, and counts."""
        event_notifications.cards_refused(session, self.sms_provider.settings, event)
        member_notices.cards_refused(session, event)
        feeding.cards_refused(session, event)

    @subscribes(MEMBER_PHONE_CHANGED)
    def member_phone_changed(self, session: Session, event: Event[MemberPhoneChangedData]) -> None:
        """Notifies the member's old and new numbers; the new one hears of the member's applications."""
        event_notifications.member_phone_changed(session, event)
        member_notices.phone_changed(session, event)

    @subscribes(RESET_LINK_MADE)
    def reset_link_made(self, session: Session, event: Event[ResetLinkMadeData]) -> None:
        """Sends the link to choose another password."""
        event_notifications.reset_link_made(session, self.sms_provider.settings, event)

    @subscribes(*STATUSES_SAMPLED.values())
    def status_sampled(self, session: Session, event: Event[StatusSampledData]) -> None:
        """Stores how a service does."""
        samples.status_sampled(session, event)

    list_templates = handles(LIST_TEMPLATES, editing.list_templates)
    get_template = handles(GET_TEMPLATE, editing.get_template)
    preview_template = handles(PREVIEW_TEMPLATE, editing.preview_template)
    update_template = handles(UPDATE_TEMPLATE, editing.update_template)
    restore_template = handles(RESTORE_TEMPLATE, editing.restore_template)
    list_member_messages = handles(LIST_MEMBER_MESSAGES, member_messages.list_member_messages)
    mark_member_messages_read = handles(MARK_MEMBER_MESSAGES_READ, member_messages.mark_member_messages_read)
    get_notices = handles(GET_NOTICES, member_notices.get_notices)
    set_notices = handles(SET_NOTICES, member_notices.set_notices)

    get_overview = handles(GET_OVERVIEW, overview.get_overview)
    record_alerts = handles(RECORD_ALERTS, alerts.record_alerts)

    get_report = handles(GET_REPORT, answers.get_report)
    export_report = handles(EXPORT_REPORT, exports.export_report)

    @timer(interval=10)
    def send_monthly_reports(self) -> None:
        """Puts the report of the month before into the inbox of some unions; the next tick goes on."""
        monthly.send_due(self.database.begin, read_settings(MonthlyReportSettings), datetime.now(UTC))

    @timer(interval=1)
    def send_sms(self) -> None:
        """Sends due messages; the next tick sends the rest, so that a stop need not wait for it."""
        sms.send_due(self.database.begin, self.sms_provider)

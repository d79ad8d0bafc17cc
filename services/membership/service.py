"""The membership service: unions, accounts, members and their numbers, queueing, card states, the audit log."""

from nameko.timer import timer
from sqlalchemy.orm import Session

from services.contracts.events.audit import ACTS_RECORDED, ActRecordedData
from services.contracts.events.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_CHANGED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    CHANNEL_ASSIGNED,
    ISSUE_TIMES_CORRECTED,
    MEMBER_CORRECTED,
    MEMBERS_REMOVED,
)
from services.contracts.events.membership import (
    IMPORT_CONTINUED,
    IMPORT_REQUESTED,
    MEMBER_REGISTERED,
    OTP_REQUESTED,
    UNION_MERGED,
)
from services.contracts.events.overdue import WORK_OVERDUE, WorkOverdueData
from services.contracts.events.subjects import SUBJECT_ANSWERED, SubjectAnsweredData
from services.contracts.external import insurer
from services.contracts.operations import audit as audit_ops
from services.contracts.operations.membership import accounts as account_ops
from services.contracts.operations.membership import delegations as delegation_ops
from services.contracts.operations.membership import enrolments as enrolment_ops
from services.contracts.operations.membership import identity as identity_ops
from services.contracts.operations.membership import imports as import_ops
from services.contracts.operations.membership import members as member_ops
from services.contracts.operations.membership import preferences as preference_ops
from services.contracts.operations.membership import subjects as subject_ops
from services.contracts.operations.membership import transfers as transfer_ops
from services.contracts.operations.membership import union_changes as union_change_ops
from services.contracts.operations.membership import union_imports as union_import_ops
from services.kit.data.database import Database
from services.kit.data.retention import Retention
from services.kit.events.relay import Relay
from services.kit.events.subscribe import Event, Message, subscribe_batch, subscribes, subscribes_sets
from services.kit.operations.base_service import BaseService
from services.kit.rpc.methods import handles
from services.membership import reminders, unions
from services.membership.accounts import accounts, delegations, lost_second_factors, phone_changes, reset_links
from services.membership.applications import applications, cards, own_data, personal_applications, queueing
from services.membership.audit import audit_archive, audit_export, audit_log, audit_search, event_checks, saved_searches
from services.membership.audit.audit_heads import AuditHeads
from services.membership.audit.audit_log import ChainKeys
from services.membership.enrolments import enrolments, reading, reports
from services.membership.enrolments.link import InsurerQueue
from services.membership.identity import captchas, own_account, preferences, second_factor, sessions, sign_in, sms_codes
from services.membership.identity.demo_accounts import NoDemoAccounts
from services.membership.imports import import_parts, imports, stalled_imports
from services.membership.members import (
    corrections,
    disclosures,
    document_ends,
    exports,
    leaving,
    member_search,
    members,
    number_searches,
    numbering,
    person_search,
    summary,
    transfers,
)
from services.membership.retention import TABLES
from services.membership.subjects import answers, documents
from services.membership.subjects import requests as subject_requests
from services.membership.union_changes import merging
from services.membership.union_changes import requests as union_changes
from services.membership.union_imports import imports as union_imports


class MembershipService(BaseService):
    """The service's entrypoints; the code is in the modules that they call."""

    name = "membership"

    database = Database()
    relay = Relay()
    retention = Retention(TABLES, audit_archive.maintain)
    audit_keys = ChainKeys()
    audit_heads = AuditHeads()
    no_demo_accounts = NoDemoAccounts()
    insurer_queue = InsurerQueue()

    # Sign-in and the caller's own account

    get_captcha_level = handles(identity_ops.GET_CAPTCHA_LEVEL, captchas.captcha_level)
    sign_in = handles(identity_ops.SIGN_IN, sign_in.sign_in)
    use_session = handles(identity_ops.USE_SESSION, sessions.use)
    look_at_session = handles(identity_ops.LOOK_AT_SESSION, sessions.peek)
    sign_out = handles(identity_ops.SIGN_OUT, sessions.sign_out)
    get_me = handles(identity_ops.GET_ME, own_account.get_me)
    get_preferences = handles(preference_ops.GET_PREFERENCES, preferences.get_preferences)
    save_preference = handles(preference_ops.SAVE_PREFERENCE, preferences.save_preference)
    enrol_second_factor = handles(identity_ops.ENROL_SECOND_FACTOR, second_factor.enrol)
    confirm_second_factor = handles(identity_ops.CONFIRM_SECOND_FACTOR, second_factor.confirm)
    pass_second_factor = handles(identity_ops.PASS_SECOND_FACTOR, second_factor.verify)
    remove_second_factor = handles(identity_ops.REMOVE_SECOND_FACTOR, second_factor.remove)
    list_my_sessions = handles(identity_ops.LIST_MY_SESSIONS, sessions.list_own)
    end_my_session = handles(identity_ops.END_MY_SESSION, sessions.end_own)
    change_password = handles(identity_ops.CHANGE_PASSWORD, own_account.change_password)

    # Unions and their accounts

    list_unions = handles(account_ops.LIST_UNIONS, unions.list_unions)
    get_union = handles(account_ops.GET_UNION, unions.get_union)
    name_unions = handles(account_ops.NAME_UNIONS, unions.name_unions)
    create_union = handles(account_ops.CREATE_UNION, unions.create_union)
    rename_union = handles(account_ops.RENAME_UNION, unions.rename_union)
    preview_union_change = handles(union_change_ops.PREVIEW_UNION_CHANGE, union_changes.preview_union_change)
    request_union_change = handles(union_change_ops.REQUEST_UNION_CHANGE, union_changes.request_union_change)
    list_union_changes = handles(union_change_ops.LIST_UNION_CHANGES, union_changes.list_union_changes)
    confirm_union_change = handles(union_change_ops.CONFIRM_UNION_CHANGE, union_changes.confirm_union_change)
    decline_union_change = handles(union_change_ops.DECLINE_UNION_CHANGE, union_changes.decline_union_change)
    check_union_import = handles(union_import_ops.CHECK_UNION_IMPORT, union_imports.check_union_import)
    import_unions = handles(union_import_ops.IMPORT_UNIONS, union_imports.import_unions)
    get_union_template = handles(union_import_ops.GET_UNION_TEMPLATE, union_imports.get_union_template)
    union_merged = subscribes(UNION_MERGED, merging.union_merged)

    @timer(interval=300)
    def expire_union_changes(self) -> None:
        """Ends requests to change the tree that nobody confirmed in time."""
        with self.database.begin() as session:
            union_changes.expire_changes(session)

    list_accounts = handles(account_ops.LIST_ACCOUNTS, accounts.list_accounts)
    get_account = handles(account_ops.GET_ACCOUNT, accounts.get_account)
    create_account = handles(account_ops.CREATE_ACCOUNT, accounts.create_account)
    update_account = handles(account_ops.UPDATE_ACCOUNT, accounts.update_account)
    unlock_account = handles(account_ops.UNLOCK_ACCOUNT, accounts.unlock_account)
    remove_second_factor_of = handles(account_ops.REMOVE_SECOND_FACTOR_OF, lost_second_factors.remove_second_factor_of)
    request_phone_change = handles(account_ops.REQUEST_PHONE_CHANGE, phone_changes.request_phone_change)
    list_phone_changes = handles(account_ops.LIST_PHONE_CHANGES, phone_changes.list_phone_changes)
    confirm_phone_change = handles(account_ops.CONFIRM_PHONE_CHANGE, phone_changes.confirm_phone_change)
    decline_phone_change = handles(account_ops.DECLINE_PHONE_CHANGE, phone_changes.decline_phone_change)

    # Deputies of reviewers

    create_delegation = handles(delegation_ops.CREATE_DELEGATION, delegations.create_delegation)
    list_delegations = handles(delegation_ops.LIST_DELEGATIONS, delegations.list_delegations)
    end_delegation = handles(delegation_ops.END_DELEGATION, delegations.end_delegation)
    list_principals = handles(delegation_ops.LIST_PRINCIPALS, delegations.list_principals)
    list_deputies = handles(delegation_ops.LIST_DEPUTIES, delegations.list_deputies)

    # Forgotten passwords

    create_reset_link = handles(account_ops.CREATE_RESET_LINK, reset_links.create_reset_link)
    check_reset_link = handles(account_ops.CHECK_RESET_LINK, reset_links.check_reset_link)
    reset_password = handles(account_ops.RESET_PASSWORD, reset_links.reset_password)

    # Members

    list_members = handles(member_ops.LIST_MEMBERS, member_search.list_members)
    count_number_search = handles(member_ops.COUNT_NUMBER_SEARCH, number_searches.count_number_search)
    find_person = handles(member_ops.FIND_PERSON, person_search.find_person)
    get_member = handles(member_ops.GET_MEMBER, members.get_member)
    register_member = handles(member_ops.REGISTER_MEMBER, members.register_member)
    update_member = handles(member_ops.UPDATE_MEMBER, members.update_member)
    end_membership = handles(member_ops.END_MEMBERSHIP, leaving.end_membership)
    resume_membership = handles(member_ops.RESUME_MEMBERSHIP, leaving.resume_membership)
    reveal_member = handles(member_ops.REVEAL_MEMBER, disclosures.reveal_member)
    export_members = handles(member_ops.EXPORT_MEMBERS, exports.export_members)
    queue_members = handles(member_ops.QUEUE_MEMBERS, queueing.queue_members)
    member_registered = subscribes(MEMBER_REGISTERED, numbering.member_registered)
    get_member_summary = handles(member_ops.GET_MEMBER_SUMMARY, summary.member_summary)

    # Transfers

    request_transfer = handles(transfer_ops.REQUEST_TRANSFER, transfers.request_transfer)
    list_transfers = handles(transfer_ops.LIST_TRANSFERS, transfers.list_transfers)
    accept_transfer = handles(transfer_ops.ACCEPT_TRANSFER, transfers.accept_transfer)
    decline_transfer = handles(transfer_ops.DECLINE_TRANSFER, transfers.decline_transfer)
    withdraw_transfer = handles(transfer_ops.WITHDRAW_TRANSFER, transfers.withdraw_transfer)

    @timer(interval=300)
    def accept_overdue_transfers(self) -> None:
        """Transfers members on whose transfer nobody decided in time."""
        accepted = transfers.AT_ONCE
        while accepted == transfers.AT_ONCE:
            with self.database.begin() as session:
                accepted = transfers.accept_overdue(session)

    # Imports

    start_import = handles(import_ops.START_IMPORT, imports.start_import)
    preview_import = handles(import_ops.PREVIEW_IMPORT, imports.preview_import)
    confirm_import = handles(import_ops.CONFIRM_IMPORT, imports.confirm_import)
    cancel_import = handles(import_ops.CANCEL_IMPORT, imports.cancel_import)
    get_import = handles(import_ops.GET_IMPORT, imports.get_import)
    list_imports = handles(import_ops.LIST_IMPORTS, imports.list_imports)
    get_import_errors = handles(import_ops.GET_IMPORT_ERRORS, imports.get_errors)
    get_import_template = handles(import_ops.GET_IMPORT_TEMPLATE, imports.get_template)
    import_requested = subscribes(IMPORT_REQUESTED, import_parts.read_file)
    import_continued = subscribes(IMPORT_CONTINUED, import_parts.continue_import)

    @timer(interval=30)
    def fill_document_ends(self) -> None:
        """Fills in the search by the end of a number for members that an earlier release registered or changed."""
        filled = document_ends.CHUNK
        while filled == document_ends.CHUNK:
            with self.database.begin() as session:
                filled = document_ends.fill_some(session)

    @timer(interval=60)
    def end_stalled_imports(self) -> None:
        """Ends imports that nobody confirms, and resumes or ends stalled ones."""
        with self.database.begin() as session:
            stalled_imports.end_stalled(session)

    # Overdue work of all services

    @subscribes(*WORK_OVERDUE.values())
    def work_overdue(self, session: Session, event: Event[WorkOverdueData]) -> None:
        """Publishes whom to remind."""
        reminders.work_overdue(session, event)

    # The audit log

    @subscribes_sets(*ACTS_RECORDED.values())
    def act_recorded(self, session: Session, events: list[Event[ActRecordedData]]) -> None:
        """Appends audit events to the audit log."""
        acts = [(event.data, event_checks.late_recording_time(event)) for event in events]
        self.audit_heads.write_when_committed(session, audit_log.append(session, self.audit_keys, acts))

    search_acts = handles(audit_ops.SEARCH_ACTS, audit_search.search)
    list_interventions = handles(audit_ops.LIST_INTERVENTIONS, audit_search.interventions)
    get_act = handles(audit_ops.GET_ACT, audit_search.get_act)
    list_act_names = handles(audit_ops.LIST_ACT_NAMES, audit_search.names)
    export_acts = handles(audit_ops.EXPORT_ACTS, audit_export.export_acts)
    list_searches = handles(audit_ops.LIST_SEARCHES, saved_searches.list_searches)
    save_search = handles(audit_ops.SAVE_SEARCH, saved_searches.save_search)
    rename_search = handles(audit_ops.RENAME_SEARCH, saved_searches.rename_search)
    delete_search = handles(audit_ops.DELETE_SEARCH, saved_searches.delete_search)

    @timer(interval=300)
    def log_audit_head(self) -> None:
        """Logs the audit log's head outside of the database."""
        with self.database.read() as session:
            audit_log.log_head(session)

    @timer(interval=10)
    def publish_audit_head(self) -> None:
        """Publishes the audit log's signed head, which the other services keep."""
        with self.database.begin() as session:
            self.audit_heads.publish(session)

    # Members on the phone

    request_otp = handles(identity_ops.REQUEST_OTP, sms_codes.request_code)
    otp_requested = subscribes(OTP_REQUESTED, sms_codes.issue_code)
    personal_sign_in = handles(identity_ops.PERSONAL_SIGN_IN, sms_codes.sign_in)

    get_personal_profile = handles(member_ops.GET_PERSONAL_PROFILE, personal_applications.get_profile)
    update_personal_profile = handles(member_ops.UPDATE_PERSONAL_PROFILE, personal_applications.update_profile)
    export_own_data = handles(member_ops.EXPORT_OWN_DATA, own_data.export_own_data)
    apply_personally = handles(member_ops.APPLY_PERSONALLY, personal_applications.apply)
    get_personal_applications = handles(member_ops.GET_PERSONAL_APPLICATIONS, personal_applications.list_applications)

    # Enrolments with the mutual-aid society

    list_enrolments = handles(enrolment_ops.LIST_ENROLMENTS, enrolments.list_enrolments)
    export_enrolments = handles(enrolment_ops.EXPORT_ENROLMENTS, enrolments.export_enrolments)
    get_personal_enrolments = handles(enrolment_ops.GET_PERSONAL_ENROLMENTS, enrolments.get_personal_enrolments)

    @subscribe_batch(queue=insurer.ENROLMENTS_QUEUE, size=500, decode=reading.read_report)
    def enrolments_reported(self, session: Session, messages: list[Message]) -> None:
        """Applies the society's reports."""
        reports.apply_reports(session, [message.data for message in messages])

    # Steps of applications and cards, from batching

    # Requests of members for their data

    request_subject = handles(subject_ops.REQUEST_SUBJECT, subject_requests.request_subject)
    list_subject_requests = handles(subject_ops.LIST_SUBJECT_REQUESTS, subject_requests.list_subject_requests)
    get_subject_request = handles(subject_ops.GET_SUBJECT_REQUEST, subject_requests.get_subject_request)
    confirm_erasure = handles(subject_ops.CONFIRM_ERASURE, subject_requests.confirm_erasure)
    decline_erasure = handles(subject_ops.DECLINE_ERASURE, subject_requests.decline_erasure)
    fetch_subject_copy = handles(subject_ops.FETCH_SUBJECT_COPY, documents.fetch_subject_copy)
    get_subject_receipt = handles(subject_ops.GET_SUBJECT_RECEIPT, documents.get_subject_receipt)

    @subscribes(*SUBJECT_ANSWERED.values())
    def subject_answered(self, session: Session, event: Event[SubjectAnsweredData]) -> None:
        """Keeps what a service has answered."""
        answers.subject_answered(session, event)

    channel_assigned = subscribes(CHANNEL_ASSIGNED, applications.channel_assigned)
    member_corrected = subscribes(MEMBER_CORRECTED, corrections.member_corrected)
    members_removed = subscribes(MEMBERS_REMOVED, applications.members_removed)
    batch_submitted = subscribes(BATCH_SUBMITTED, applications.batch_submitted)
    batch_released = subscribes(BATCH_RELEASED, applications.batch_released)
    cards_issued = subscribes(CARDS_ISSUED, applications.cards_issued)
    issue_times_corrected = subscribes(ISSUE_TIMES_CORRECTED, applications.issue_times_corrected)
    cards_refused = subscribes(CARDS_REFUSED, applications.cards_refused)
    cards_changed = subscribes(CARDS_CHANGED, cards.cards_changed)

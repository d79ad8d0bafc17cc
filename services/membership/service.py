"""The membership service: unions, accounts, members and their numbers, queueing, and the card states that follow."""

from typing import Any

from nameko.timer import timer
from sqlalchemy.orm import Session

from services.contracts.events.audit import ACTS_RECORDED, ActRecordedData
from services.contracts.events.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    CHANNEL_ASSIGNED,
    ISSUE_TIMES_CORRECTED,
    MEMBER_CORRECTED,
    MEMBERS_REMOVED,
)
from services.contracts.events.membership import IMPORT_CONTINUED, IMPORT_REQUESTED, MEMBER_REGISTERED, OTP_REQUESTED
from services.contracts.operations import audit as audit_ops
from services.contracts.operations.membership import accounts as account_ops
from services.contracts.operations.membership import identity as identity_ops
from services.contracts.operations.membership import imports as import_ops
from services.contracts.operations.membership import members as member_ops
from services.kit.data.database import Database
from services.kit.events.relay import Relay
from services.kit.events.subscribe import Event, subscribe, subscribes
from services.kit.operations.operable import Operable
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.methods import Caller, command, handles, query
from services.membership import unions
from services.membership.accounts import accounts, lost_second_factors, phone_changes, reset_links
from services.membership.applications import applications, personal_applications, queueing
from services.membership.audit import audit_log, audit_search, told_acts
from services.membership.audit.audit_heads import AuditHeads
from services.membership.audit.audit_log import ChainKeys
from services.membership.identity import captchas, own_account, second_factor, sessions, sign_in, sms_codes
from services.membership.identity.demo_accounts import NoDemoAccounts
from services.membership.imports import import_parts, imports, stalled_imports
from services.membership.members import (
    corrections,
    disclosures,
    document_ends,
    exports,
    member_search,
    members,
    number_searches,
    numbering,
    summary,
)


class MembershipService(Operable):
    """Entrypoints only; what they do is in the modules named by their concepts."""

    name = "membership"

    database = Database()
    relay = Relay()
    audit_keys = ChainKeys()
    audit_heads = AuditHeads()
    no_demo_accounts = NoDemoAccounts()

    # Sign-in and one's own account

    get_captcha_level = handles(identity_ops.GET_CAPTCHA_LEVEL, captchas.captcha_level)
    sign_in = handles(identity_ops.SIGN_IN, sign_in.sign_in)
    use_session = handles(identity_ops.USE_SESSION, sessions.use)
    look_at_session = handles(identity_ops.LOOK_AT_SESSION, sessions.peek)
    sign_out = handles(identity_ops.SIGN_OUT, sessions.sign_out)
    get_me = handles(identity_ops.GET_ME, own_account.get_me)
    enrol_second_factor = handles(identity_ops.ENROL_SECOND_FACTOR, second_factor.enrol)
    confirm_second_factor = handles(identity_ops.CONFIRM_SECOND_FACTOR, second_factor.confirm)
    pass_second_factor = handles(identity_ops.PASS_SECOND_FACTOR, second_factor.pass_it)
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

    # Forgotten passwords

    create_reset_link = handles(account_ops.CREATE_RESET_LINK, reset_links.create_reset_link)
    check_reset_link = handles(account_ops.CHECK_RESET_LINK, reset_links.check_reset_link)
    reset_password = handles(account_ops.RESET_PASSWORD, reset_links.reset_password)

    # Members

    @query(member_ops.ListMembersRequest)
    def list_members(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A union's members and their card states."""
        number_searches.count(self.database, caller, _numbers_in(data), "membership.list_members")
        return member_search.list_members(session, caller, data)

    @command(member_ops.NumberSearchRequest)
    def count_number_search(self, session: Session, caller: Caller, data: dict[str, Any]) -> None:
        """Counts a search by document number that another service answers."""
        number_searches.spend(session, caller, {"document_number": data["document_number"]}, data["place"])

    @command(member_ops.GetMemberRequest)
    def get_member(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A member in detail; who has looked is kept."""
        return members.get_member(session, caller, data["member_id"])

    @command(member_ops.RegisterMemberRequest)
    def register_member(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Registers a member."""
        number, place = data["document_number"], "membership.register_member"
        with number_searches.counting_members_who_exist(self.database, caller, number, place):
            return members.register_member(session, caller, data)

    @command(member_ops.UpdateMemberRequest)
    def update_member(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes what is known of a member."""
        number_searches.count(self.database, caller, _numbers_in(data), "membership.update_member")
        return members.update_member(session, caller, data)

    @command(member_ops.RevealMemberRequest)
    def reveal_member(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The whole numbers of a member."""
        return disclosures.reveal_member(session, caller, data["member_id"], data["reason"])

    @command(member_ops.ExportMembersRequest)
    def export_members(self, session: Session, caller: Caller, data: dict[str, Any]) -> FileAnswer:
        """The members of a filter as a sheet."""
        number_searches.count(self.database, caller, _numbers_in(data.get("filter")), "membership.export_members")
        return exports.export_members(session, caller, data)

    @command(member_ops.QueueMembersRequest)
    def queue_members(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Queues members for a card."""
        number_searches.count(self.database, caller, _numbers_in(data.get("filter")), "membership.queue_members")
        return queueing.queue_members(session, caller, data)

    @subscribe(MEMBER_REGISTERED)
    def member_registered(self, session: Session, event: Event) -> None:
        """Gives new members their numbers."""
        member_ids = [member["member_id"] for member in event.data["members"]]
        import_ids = numbering.give_numbers(session, event.data["union_id"], member_ids)
        import_parts.finish_numbered(session, import_ids)

    @query(member_ops.MemberSummaryRequest)
    def get_member_summary(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Counts for the workbench."""
        return summary.member_summary(session, caller, data.get("union_id"))

    # Imports

    @command(import_ops.StartImportRequest)
    def start_import(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Takes a sheet of members."""
        return imports.start_import(session, caller, data["file_name"], data["content"])

    @subscribe(IMPORT_REQUESTED)
    def import_requested(self, session: Session, event: Event) -> None:
        """Reads the sheet."""
        import_parts.read_file(session, event.data["import_id"])

    @subscribe(IMPORT_CONTINUED)
    def import_continued(self, session: Session, event: Event) -> None:
        """Judges or registers the next rows."""
        import_parts.continue_import(session, event.data["import_id"])

    @command(import_ops.ImportRequest)
    def preview_import(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """What the file says, before anybody is registered."""
        return imports.preview_import(session, caller, data["import_id"])

    @command(import_ops.ConfirmImportRequest)
    def confirm_import(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Lets the members of a previewed file be registered."""
        return imports.confirm_import(session, caller, data["import_id"], data.get("sheets"))

    @command(import_ops.ImportRequest)
    def cancel_import(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Gives a previewed file up."""
        return imports.cancel_import(session, caller, data["import_id"])

    @timer(interval=30)
    def fill_document_ends(self) -> None:
        """Lets members be found by the end of their number whom a former release registered or changed."""
        filled = document_ends.CHUNK
        while filled == document_ends.CHUNK:
            with self.database.begin() as session:
                filled = document_ends.fill_some(session)

    @timer(interval=60)
    def end_stalled_imports(self) -> None:
        """Ends imports that nobody confirms, and those that do not go on."""
        with self.database.begin() as session:
            stalled_imports.end_stalled(session)

    @query(import_ops.ImportRequest)
    def get_import(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """How far an import is."""
        return imports.get_import(session, caller, data["import_id"])

    @query(import_ops.ListImportsRequest)
    def list_imports(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The union's imports."""
        return imports.list_imports(session, caller, data)

    @command(import_ops.ImportRequest)
    def get_import_errors(self, session: Session, caller: Caller, data: dict[str, Any]) -> FileAnswer:
        """The rejected rows as a sheet."""
        return imports.get_errors(session, caller, data["import_id"])

    @query(import_ops.GetImportTemplateRequest)
    def get_import_template(self, session: Session, caller: Caller, data: dict[str, Any]) -> FileAnswer:
        """The sheet to fill in."""
        return imports.get_template()

    # The audit log

    @subscribes(*ACTS_RECORDED.values())
    def act_recorded(self, session: Session, event: Event[ActRecordedData]) -> None:
        """Adds who did what to the audit log."""
        head = audit_log.append(session, self.audit_keys, event.data, told_acts.kept_late_at(event))
        self.audit_heads.write_when_committed(session, head)

    search_acts = handles(audit_ops.SEARCH_ACTS, audit_search.search)
    get_act = handles(audit_ops.GET_ACT, audit_search.get_act)
    list_act_names = handles(audit_ops.LIST_ACT_NAMES, audit_search.names)

    @timer(interval=300)
    def log_audit_head(self) -> None:
        """Writes down outside of the database where the audit log ends."""
        with self.database.read() as session:
            audit_log.log_head(session)

    @timer(interval=10)
    def publish_audit_head(self) -> None:
        """Lets the other services remember where the audit log ends."""
        with self.database.begin() as session:
            self.audit_heads.publish(session)

    # Members on the phone

    request_otp = handles(identity_ops.REQUEST_OTP, sms_codes.request_code)
    otp_requested = subscribes(OTP_REQUESTED, sms_codes.issue_code)
    personal_sign_in = handles(identity_ops.PERSONAL_SIGN_IN, sms_codes.sign_in)

    @query(member_ops.GetPersonalProfileRequest)
    def get_personal_profile(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The member's own data."""
        return personal_applications.get_profile(session, caller)

    @command(member_ops.UpdatePersonalProfileRequest)
    def update_personal_profile(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes the member's own data."""
        return personal_applications.update_profile(session, caller, data)

    @command(member_ops.ApplyPersonallyRequest)
    def apply_personally(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Makes the member's own application."""
        choice = queueing.PersonalChoice(data["outlet_code"], data["consent_version"], caller.origin)
        return personal_applications.apply(session, caller, choice)

    @query(member_ops.GetPersonalApplicationsRequest)
    def get_personal_applications(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The member's own applications and how far they are."""
        return personal_applications.list_applications(session, caller)

    # What became of applications

    @subscribe(CHANNEL_ASSIGNED)
    def channel_assigned(self, session: Session, event: Event) -> None:
        """Keeps the channel that applications take."""
        applications.channel_assigned(session, event)

    @subscribe(MEMBER_CORRECTED)
    def member_corrected(self, session: Session, event: Event) -> None:
        """Takes what a clerk corrected of a member."""
        corrections.apply(session, event.data)

    @subscribe(MEMBERS_REMOVED)
    def members_removed(self, session: Session, event: Event) -> None:
        """Frees members that left the pending list."""
        applications.members_removed(session, event)

    @subscribe(BATCH_SUBMITTED)
    def batch_submitted(self, session: Session, event: Event) -> None:
        """Marks applications that went to the bank."""
        applications.batch_submitted(session, event)

    @subscribe(BATCH_RELEASED)
    def batch_released(self, session: Session, event: Event) -> None:
        """Frees members of a revoked batch."""
        applications.batch_released(session, event)

    @subscribe(CARDS_ISSUED)
    def cards_issued(self, session: Session, event: Event) -> None:
        """Marks members who have their card."""
        applications.cards_issued(session, event)

    @subscribe(ISSUE_TIMES_CORRECTED)
    def issue_times_corrected(self, session: Session, event: Event) -> None:
        """Puts the time of an issue right in the history."""
        applications.issue_times_corrected(session, event)

    @subscribe(CARDS_REFUSED)
    def cards_refused(self, session: Session, event: Event) -> None:
        """Frees members whom the bank refused."""
        applications.cards_refused(session, event)


def _numbers_in(request: dict[str, Any] | None) -> dict[str, Any]:
    """What of a request asks for members by their document's number."""
    return {name: value for name, value in (request or {}).items() if name in ("document_number", "document_end")}

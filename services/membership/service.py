"""The membership service: unions, accounts, members and their numbers, queueing, and the card states that follow."""

from typing import Any

from nameko.timer import timer
from sqlalchemy.orm import Session

from services.contracts.events.audit import ACTS_RECORDED
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
from services.contracts.operations import audit as audit_rpc
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

    @query(identity_ops.GetCaptchaLevelRequest)
    def get_captcha_level(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """How hard the next captcha must be."""
        return captchas.captcha_level(session, caller, data["purpose"], data["device_id"])

    @command(identity_ops.SignInRequest)
    def sign_in(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The account of a name and password, and a session."""
        return sign_in.sign_in(session, self.database, caller, data)

    @command(identity_ops.SessionRequest)
    def use_session(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Who acts in a session that is in use."""
        return sessions.use(session, data["session_id"])

    @query(identity_ops.SessionRequest)
    def look_at_session(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Who acts in a session, which counts as no use of it."""
        return sessions.look_at(session, data["session_id"])

    @command(identity_ops.SignOutRequest)
    def sign_out(self, session: Session, caller: Caller, data: dict[str, Any]) -> None:
        """Ends the caller's session."""
        sessions.sign_out(session, caller)

    @query(identity_ops.GetMeRequest)
    def get_me(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The caller's own account."""
        return own_account.get_me(session, caller)

    @command(identity_ops.CurrentPasswordRequest)
    def enrol_second_factor(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A secret for the caller's authenticator."""
        return second_factor.enrol(session, self.database, caller, data["current_password"])

    @command(identity_ops.SecondFactorCodeRequest)
    def confirm_second_factor(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Turns the caller's second factor on."""
        return second_factor.confirm(session, self.database, caller, data["code"])

    @command(identity_ops.SecondFactorCodeRequest)
    def pass_second_factor(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Ends the caller's sign-in by a code."""
        return second_factor.pass_it(session, self.database, caller, data["code"])

    @command(identity_ops.CurrentPasswordRequest)
    def remove_second_factor(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Turns the caller's second factor off."""
        return second_factor.remove(session, self.database, caller, data["current_password"])

    @query(identity_ops.ListMySessionsRequest)
    def list_my_sessions(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Where the caller's account is signed in."""
        return sessions.list_own(session, caller)

    @command(identity_ops.SessionRequest)
    def end_my_session(self, session: Session, caller: Caller, data: dict[str, Any]) -> None:
        """Ends one of these sessions."""
        sessions.end_own(session, caller, data["session_id"])

    @command(identity_ops.ChangePasswordRequest)
    def change_password(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes the caller's own password."""
        return own_account.change_password(
            session, self.database, caller, data["current_password"], data["new_password"]
        )

    # Unions and their accounts

    @query(account_ops.ListUnionsRequest)
    def list_unions(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The caller's union and those below it."""
        return unions.list_unions(session, caller, data)

    @query(account_ops.UnionRequest)
    def get_union(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """One union."""
        return unions.get_union(session, caller, data["union_id"])

    @query(account_ops.NameUnionsRequest)
    def name_unions(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """What unions are called, for operators who find them in messages."""
        return unions.name_unions(session, data["union_ids"], data["codes"])

    @command(account_ops.CreateUnionRequest)
    def create_union(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A new union below the caller's."""
        return unions.create_union(session, caller, data)

    @command(account_ops.RenameUnionRequest)
    def rename_union(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Another name for a union."""
        return unions.rename_union(session, caller, data["union_id"], data["name"])

    @query(account_ops.ListAccountsRequest)
    def list_accounts(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The accounts of a union, or of all within reach."""
        return accounts.list_accounts(session, caller, data)

    @query(account_ops.AccountRequest)
    def get_account(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """One account."""
        return accounts.get_account(session, caller, data["account_id"])

    @command(account_ops.CreateAccountRequest)
    def create_account(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A new account of a union."""
        return accounts.create_account(session, caller, data)

    @command(account_ops.UpdateAccountRequest)
    def update_account(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes an account."""
        return accounts.update_account(session, caller, data)

    @command(account_ops.AccountRequest)
    def unlock_account(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Lets a locked account in again."""
        return accounts.unlock_account(session, caller, data["account_id"])

    @command(account_ops.AccountRequest)
    def remove_second_factor_of(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Turns the second factor of an account off whose holder has lost it."""
        return lost_second_factors.remove_second_factor_of(session, caller, data["account_id"])

    @command(account_ops.RequestPhoneChangeRequest)
    def request_phone_change(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Asks for another telephone number of an account."""
        return phone_changes.request_phone_change(session, caller, data)

    @query(account_ops.ListPhoneChangesRequest)
    def list_phone_changes(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """What waits for a second administrator, and what became of the rest."""
        answer = phone_changes.list_phone_changes(session, caller, data)
        phone_changes.record_shown(self.database, caller, answer)
        return answer

    @command(account_ops.PhoneChangeRequest)
    def confirm_phone_change(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A second administrator confirms the number."""
        return phone_changes.confirm_phone_change(session, caller, data["change_id"])

    @command(account_ops.PhoneChangeRequest)
    def decline_phone_change(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Another administrator does not agree, or who asked takes it back."""
        return phone_changes.decline_phone_change(session, caller, data["change_id"])

    # Forgotten passwords

    @command(account_ops.AccountRequest)
    def create_reset_link(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Sends the holder of an account a link to choose another password."""
        return reset_links.create_reset_link(session, caller, data["account_id"])

    @command(account_ops.CheckResetLinkRequest)
    def check_reset_link(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Whose link it is, and until when it works."""
        return reset_links.check_reset_link(session, data["token"])

    @command(account_ops.ResetPasswordRequest)
    def reset_password(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Chooses another password by a link."""
        return reset_links.reset_password(session, data["token"], data["new_password"], data["device_id"])

    # Members

    list_members = handles(member_ops.LIST_MEMBERS, member_search.list_members)
    count_number_search = handles(member_ops.COUNT_NUMBER_SEARCH, number_searches.count_number_search)
    get_member = handles(member_ops.GET_MEMBER, members.get_member)
    register_member = handles(member_ops.REGISTER_MEMBER, members.register_member)
    update_member = handles(member_ops.UPDATE_MEMBER, members.update_member)
    reveal_member = handles(member_ops.REVEAL_MEMBER, disclosures.reveal_member)
    export_members = handles(member_ops.EXPORT_MEMBERS, exports.export_members)
    queue_members = handles(member_ops.QUEUE_MEMBERS, queueing.queue_members)
    member_registered = subscribes(MEMBER_REGISTERED, numbering.member_registered)
    get_member_summary = handles(member_ops.GET_MEMBER_SUMMARY, summary.member_summary)

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

    # The log of acts

    @subscribe(*ACTS_RECORDED.values())
    def act_recorded(self, session: Session, event: Event) -> None:
        """Keeps who did what."""
        head = audit_log.append(session, self.audit_keys, event.data, told_acts.kept_late_at(event))
        self.audit_heads.write_when_committed(session, head)

    @query(audit_rpc.SearchActsRequest)
    def search_acts(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Acts by person, record and time."""
        audit_search.refuse_numbers(caller, data)
        number_searches.count(self.database, caller, _numbers_in(data), "membership.search_acts")
        return audit_search.search(session, caller, data)

    @query(audit_rpc.GetActRequest)
    def get_act(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """One act with its place in the chain."""
        return audit_search.get_act(session, caller, data["act_id"])

    @query(audit_rpc.ListActNamesRequest)
    def list_act_names(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """What to search by."""
        return audit_search.names()

    @timer(interval=300)
    def log_audit_head(self) -> None:
        """Writes down outside of the database how far the log of acts is."""
        with self.database.read() as session:
            audit_log.log_head(session)

    @timer(interval=10)
    def publish_audit_head(self) -> None:
        """Lets the other services remember how far the log of acts is."""
        with self.database.begin() as session:
            self.audit_heads.publish(session)

    # Members on the phone

    @command(identity_ops.RequestOtpRequest)
    def request_otp(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Lets a one-time password be sent."""
        return sms_codes.request_code(session, self.database, caller, data)

    @subscribe(OTP_REQUESTED)
    def otp_requested(self, session: Session, event: Event) -> None:
        """Makes the password, if a member has the phone."""
        sms_codes.issue_code(session, event.data)

    @command(identity_ops.PersonalSignInRequest)
    def personal_sign_in(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The member of a phone and a one-time password, and a session."""
        return sms_codes.sign_in(session, self.database, caller, data)

    get_personal_profile = handles(member_ops.GET_PERSONAL_PROFILE, personal_applications.get_profile)
    update_personal_profile = handles(member_ops.UPDATE_PERSONAL_PROFILE, personal_applications.update_profile)
    apply_personally = handles(member_ops.APPLY_PERSONALLY, personal_applications.apply)
    get_personal_applications = handles(member_ops.GET_PERSONAL_APPLICATIONS, personal_applications.list_applications)

    # What became of applications

    channel_assigned = subscribes(CHANNEL_ASSIGNED, applications.channel_assigned)
    member_corrected = subscribes(MEMBER_CORRECTED, corrections.member_corrected)
    members_removed = subscribes(MEMBERS_REMOVED, applications.members_removed)
    batch_submitted = subscribes(BATCH_SUBMITTED, applications.batch_submitted)
    batch_released = subscribes(BATCH_RELEASED, applications.batch_released)
    cards_issued = subscribes(CARDS_ISSUED, applications.cards_issued)
    issue_times_corrected = subscribes(ISSUE_TIMES_CORRECTED, applications.issue_times_corrected)
    cards_refused = subscribes(CARDS_REFUSED, applications.cards_refused)


def _numbers_in(request: dict[str, Any] | None) -> dict[str, Any]:
    """What of a request asks for members by their document's number."""
    return {name: value for name, value in (request or {}).items() if name in ("document_number", "document_end")}

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
        """Lets members be found by the end of their number whom a former release registered or changed."""
        filled = document_ends.CHUNK
        while filled == document_ends.CHUNK:
            with self.database.begin() as session:
                filled = document_ends.fill_some(session)

    @timer(interval=60)
    def end_stalled_imports(self) -> None:
        """Ends imports that nobody confirms, and those that have stalled."""
        with self.database.begin() as session:
            stalled_imports.end_stalled(session)

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

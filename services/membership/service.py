"""The membership service: unions, accounts, members and their numbers, queueing, and the card states that follow."""

from typing import Any

from sqlalchemy.orm import Session

from services.common.contracts.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    CHANNEL_ASSIGNED,
    MEMBERS_REMOVED,
)
from services.common.contracts.membership import IMPORT_CONTINUED, IMPORT_REQUESTED, MEMBER_REGISTERED
from services.common.contracts.rpc import membership as rpc
from services.common.messaging.relay import Relay
from services.common.messaging.rpc import ANONYMOUS, Caller, command, query
from services.common.messaging.subscribe import Event, subscribe
from services.common.persistence import Database
from services.membership import (
    accounts,
    applications,
    imports,
    member_search,
    members,
    numbering,
    personal_applications,
    queueing,
    summary,
    unions,
)

ACCOUNTS = {"clerk", "reviewer", "administrator", "operator"}
OFFICES = {"clerk", "reviewer", "administrator"}


class MembershipService:
    """Entrypoints only; what they do is in the modules named by their concepts."""

    name = "membership"

    database = Database()
    relay = Relay()

    # Accounts and unions

    @command(rpc.SignInRequest, roles={ANONYMOUS})
    def sign_in(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The account of a name and password."""
        return accounts.sign_in(session, self.database, data["account_name"], data["password"])

    @query(rpc.GetMeRequest, roles=ACCOUNTS)
    def get_me(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The caller's own account."""
        return accounts.get_me(session, caller)

    @command(rpc.ChangePasswordRequest, roles=ACCOUNTS)
    def change_password(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes the caller's own password."""
        return accounts.change_password(session, caller, data["current_password"], data["new_password"])

    @query(rpc.ListUnionsRequest, roles={"administrator", "reviewer"})
    def list_unions(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The caller's union and those below it."""
        return unions.list_unions(session, caller, data)

    @command(rpc.CreateUnionRequest, roles={"administrator"})
    def create_union(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A new union below the caller's."""
        return unions.create_union(session, caller, data)

    @query(rpc.ListAccountsRequest, roles={"administrator"})
    def list_accounts(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The accounts of a union."""
        return accounts.list_accounts(session, caller, data)

    @command(rpc.CreateAccountRequest, roles={"administrator"})
    def create_account(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A new account of a union."""
        return accounts.create_account(session, caller, data)

    @command(rpc.UpdateAccountRequest, roles={"administrator"})
    def update_account(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes an account."""
        return accounts.update_account(session, caller, data)

    @command(rpc.ResetPasswordRequest, roles={"administrator"})
    def reset_password(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Gives an account a password for one sign-in."""
        return accounts.reset_password(session, caller, data["account_id"])

    # Members

    @query(rpc.ListMembersRequest, roles=OFFICES)
    def list_members(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A union's members and their card states."""
        return member_search.list_members(session, caller, data)

    @query(rpc.GetMemberRequest, roles=OFFICES)
    def get_member(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """A member in detail."""
        return members.get_member(session, caller, data["member_id"])

    @command(rpc.RegisterMemberRequest, roles={"clerk"})
    def register_member(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Registers a member."""
        return members.register_member(session, caller, data)

    @command(rpc.UpdateMemberRequest, roles={"clerk"})
    def update_member(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes what is known of a member."""
        return members.update_member(session, caller, data)

    @command(rpc.QueueMembersRequest, roles={"clerk"})
    def queue_members(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Queues members for a card."""
        return queueing.queue_members(session, caller, data)

    @subscribe(MEMBER_REGISTERED)
    def member_registered(self, session: Session, event: Event) -> None:
        """Gives new members their numbers."""
        member_ids = [member["member_id"] for member in event.data["members"]]
        numbering.give_numbers(session, event.data["union_id"], member_ids)

    @query(rpc.MemberSummaryRequest, roles=OFFICES)
    def get_member_summary(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Counts for the workbench."""
        return summary.member_summary(session, caller, data.get("union_id"))

    # Imports

    @command(rpc.StartImportRequest, roles={"clerk"})
    def start_import(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Takes a sheet of members."""
        return imports.start_import(session, caller, data["file_name"], data["content"])

    @subscribe(IMPORT_REQUESTED)
    def import_requested(self, session: Session, event: Event) -> None:
        """Reads the sheet."""
        imports.read_file(session, event.data["import_id"])

    @subscribe(IMPORT_CONTINUED)
    def import_continued(self, session: Session, event: Event) -> None:
        """Registers the next rows."""
        imports.continue_import(session, event.data["import_id"])

    @query(rpc.ImportRequest, roles={"clerk"})
    def get_import(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """How far an import is."""
        return imports.get_import(session, caller, data["import_id"])

    @query(rpc.ListImportsRequest, roles={"clerk"})
    def list_imports(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The union's imports."""
        return imports.list_imports(session, caller, data)

    @query(rpc.ImportRequest, roles={"clerk"})
    def get_import_errors(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The rejected rows as a sheet."""
        return imports.get_errors(session, caller, data["import_id"])

    @query(rpc.GetImportTemplateRequest, roles={"clerk"})
    def get_import_template(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The sheet to fill in."""
        return imports.get_template()

    # Members on the phone

    @command(rpc.RequestOtpRequest, roles={ANONYMOUS})
    def request_otp(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Lets a one-time password be sent."""
        return personal_applications.request_otp(session, data["phone"])

    @command(rpc.PersonalSignInRequest, roles={ANONYMOUS})
    def personal_sign_in(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The member of a phone and a one-time password."""
        return personal_applications.sign_in(session, self.database, data["phone"], data["code"])

    @query(rpc.GetPersonalProfileRequest, roles={"member"})
    def get_personal_profile(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The member's own data."""
        return personal_applications.get_profile(session, caller)

    @command(rpc.UpdatePersonalProfileRequest, roles={"member"})
    def update_personal_profile(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Changes the member's own data."""
        return personal_applications.update_profile(session, caller, data)

    @command(rpc.ApplyPersonallyRequest, roles={"member"})
    def apply_personally(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Makes the member's own application."""
        choice = queueing.PersonalChoice(data["outlet_code"], data["consent_version"])
        return personal_applications.apply(session, caller, choice)

    @query(rpc.GetPersonalApplicationsRequest, roles={"member"})
    def get_personal_applications(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The member's own applications and how far they are."""
        return personal_applications.list_applications(session, caller)

    # What became of applications

    @subscribe(CHANNEL_ASSIGNED)
    def channel_assigned(self, session: Session, event: Event) -> None:
        """Keeps the channel that applications take."""
        applications.channel_assigned(session, event)

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

    @subscribe(CARDS_REFUSED)
    def cards_refused(self, session: Session, event: Event) -> None:
        """Frees members whom the bank refused."""
        applications.cards_refused(session, event)

"""Who may do what: for each question and command its roles, and how far each role reaches. The one place that says so.

A row is named by the service and method that it lets in, or `gateway.<name>` for what the gateway answers itself. The
gateway checks the roles before it reads a request; the service that owns the data checks them again and binds what it
does to the reach. What has no row does not start.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum


class Reach(IntEnum):
    """How far a role reaches; of an account that holds several, the farthest counts."""

    NO_UNION = 0
    """What belongs to no union: announcements, outlets, rules, queues."""
    SELF = 1
    """The account, or the member, alone."""
    OWN_UNION = 2
    SUBORDINATES = 3
    """The own union and all below it."""


ANONYMOUS = "anonymous"
"""The role of whoever is not signed in."""
LIMITED = "limited"
"""The one role of an account that has to do something first, such as to choose a password."""
ROLES = ("clerk", "reviewer", "administrator", "operator", "member", LIMITED, ANONYMOUS)
STAFF = ("clerk", "reviewer", "administrator")
ACCOUNTS = (*STAFF, "operator")
SERVICES = ("membership", "validation", "batching", "revocation", "notification")
OF_EVERY_SERVICE = (
    "get_status",
    "list_dead_letters",
    "get_dead_letter",
    "replay_dead_letters",
    "discard_dead_letters",
)
"""What operators ask of each service alike."""


class NoRule(LookupError):
    """Somebody may ask for what no row of the table names."""


@dataclass(frozen=True)
class Rule:
    """The roles that are let in, each with its reach. Where anybody is let in, `anonymous` is among them."""

    reach_of_role: tuple[tuple[str, Reach], ...]

    @property
    def roles(self) -> frozenset[str]:
        """Who is let in."""
        return frozenset(role for role, _ in self.reach_of_role)

    def lets_in(self, roles: Collection[str]) -> bool:
        """Whether one of the caller's roles is let in."""
        return ANONYMOUS in self.roles or not self.roles.isdisjoint(roles)

    def reach_of(self, roles: Collection[str]) -> Reach:
        """How far a caller with these roles reaches."""
        return max((reach for role, reach in self.reach_of_role if role in roles), default=Reach.NO_UNION)


def rule_of(name: str) -> Rule:
    """The row of a method or route; raises NoRule."""
    try:
        return TABLE[name]
    except KeyError:
        raise NoRule(f"{name} has no row in services/contracts/policy.py.") from None


def _whole(*roles: str) -> Rule:
    """Lets roles in to what belongs to no union."""
    return Rule(tuple((role, Reach.NO_UNION) for role in roles))


def _self(*roles: str) -> Rule:
    """Lets roles in to what is their own."""
    return Rule(tuple((role, Reach.SELF) for role in roles))


def _union(*roles: str) -> Rule:
    """Lets roles in to their union."""
    return Rule(tuple((role, Reach.OWN_UNION) for role in roles))


def _below(*roles: str) -> Rule:
    """Lets roles in to their union and all below it; clerks, who never look down, to their union."""
    return Rule(tuple((role, Reach.OWN_UNION if role == "clerk" else Reach.SUBORDINATES) for role in roles))


TABLE: dict[str, Rule] = {
    # Signing in, and one's own account
    "gateway.captchas": _whole(ANONYMOUS),
    "membership.get_captcha_level": _whole(ANONYMOUS),
    "membership.sign_in": _whole(ANONYMOUS),
    "membership.use_session": _whole(ANONYMOUS),
    "membership.look_at_session": _whole(ANONYMOUS),
    "gateway.sign_out": _whole(ANONYMOUS),
    "membership.sign_out": _self(*ACCOUNTS, LIMITED, "member"),
    "membership.get_me": _self(*ACCOUNTS, LIMITED),
    "membership.change_password": _self(*ACCOUNTS, LIMITED),
    "membership.enrol_second_factor": _self(*ACCOUNTS, LIMITED),
    "membership.confirm_second_factor": _self(*ACCOUNTS, LIMITED),
    "membership.pass_second_factor": _self(LIMITED),
    "membership.remove_second_factor": _self(*ACCOUNTS),
    "membership.list_my_sessions": _self(*ACCOUNTS),
    "membership.end_my_session": _self(*ACCOUNTS),
    # Unions and accounts
    "membership.list_unions": _below("reviewer", "administrator"),
    "membership.get_union": _below("reviewer", "administrator"),
    "membership.create_union": _below("administrator"),
    "membership.rename_union": _below("administrator"),
    "membership.list_accounts": _below("administrator"),
    "membership.create_account": _below("administrator"),
    "membership.update_account": _below("administrator"),
    "membership.get_account": _below("administrator"),
    "membership.unlock_account": _below("administrator"),
    "membership.remove_second_factor_of": _below("administrator"),
    "membership.create_reset_link": _below("administrator"),
    "membership.request_phone_change": _below("administrator"),
    "membership.list_phone_changes": _below("administrator"),
    "membership.confirm_phone_change": _below("administrator"),
    "membership.decline_phone_change": _below("administrator"),
    "membership.check_reset_link": _whole(ANONYMOUS),
    "membership.reset_password": _whole(ANONYMOUS),
    # Members
    "membership.list_members": _below(*STAFF),
    "membership.get_member": _below(*STAFF),
    "membership.count_number_search": _below(*STAFF),
    "membership.register_member": _union("clerk"),
    "membership.update_member": _union("clerk"),
    "membership.reveal_member": _below("clerk", "administrator"),
    "membership.export_members": _below(*STAFF),
    "membership.queue_members": _union("clerk"),
    "membership.start_import": _union("clerk"),
    "membership.preview_import": _union("clerk"),
    "membership.confirm_import": _union("clerk"),
    "membership.cancel_import": _union("clerk"),
    "membership.list_imports": _union("clerk"),
    "membership.get_import": _union("clerk"),
    "membership.get_import_errors": _union("clerk"),
    "membership.get_import_template": _whole("clerk"),
    # Pending list and checks
    "batching.list_pending": _union("clerk"),
    "batching.get_consent_form": _union("clerk"),
    "gateway.consent_text": _whole(*ACCOUNTS, "member"),
    "batching.check_pending": _union("clerk"),
    "batching.update_pending": _union("clerk"),
    "batching.remove_pending": _union("clerk"),
    "batching.remove_pending_many": _union("clerk"),
    "validation.get_check": _union("clerk", "reviewer"),
    "validation.list_rules": _whole(*ACCOUNTS),
    # Branches and outlets: kept by the city's administrators, which batching sees to
    "batching.list_branches": _whole(*ACCOUNTS, "member"),
    "batching.create_branch": _whole("administrator"),
    "batching.update_branch": _whole("administrator"),
    "batching.list_outlets": _whole(*ACCOUNTS, "member"),
    "batching.create_outlet": _whole("administrator"),
    "batching.update_outlet": _whole("administrator"),
    # Batches
    "batching.submit_batch": _union("clerk"),
    "batching.list_batches": _below(*STAFF),
    "batching.get_batch": _below(*STAFF),
    "batching.list_batch_members": _below(*STAFF),
    "batching.get_register": _union("clerk"),
    "batching.get_attachments": _union("clerk"),
    # Batches at the bank: operators, who see nobody in them
    "batching.get_bank_batch": _whole("operator"),
    "batching.resend_to_bank": _whole("operator"),
    "batching.correct_processed_at": _whole("operator"),
    # Revocations: a reviewer of the superior union decides, never who has asked for it
    "revocation.request_revocation": _union("clerk"),
    "revocation.list_revocations": _below(*STAFF),
    "revocation.get_revocation": _below(*STAFF),
    "revocation.approve_revocation": _below("reviewer"),
    "revocation.reject_revocation": _below("reviewer"),
    # Workbench, messages, announcements
    "gateway.get_summary": _below(*STAFF),
    "membership.get_member_summary": _below(*STAFF),
    "batching.get_batch_summary": _below(*STAFF),
    "gateway.stream": _union(*ACCOUNTS),
    "gateway.modules": _whole(*ACCOUNTS),
    "notification.list_messages": _union(*ACCOUNTS),
    "notification.mark_message_read": _union(*ACCOUNTS),
    "notification.mark_all_messages_read": _union(*ACCOUNTS),
    "notification.list_announcements": _whole(ANONYMOUS),
    "notification.get_announcement": _whole(ANONYMOUS),
    "notification.create_announcement": _whole("administrator"),
    "notification.update_announcement": _whole("administrator"),
    "notification.withdraw_announcement": _whole("administrator"),
    "notification.list_guides": _whole(ANONYMOUS),
    "notification.create_guide": _whole("administrator"),
    "notification.update_guide": _whole("administrator"),
    "notification.withdraw_guide": _whole("administrator"),
    "notification.get_attachment": _whole(ANONYMOUS),
    # The log of acts
    "membership.search_acts": _below("administrator", "operator"),
    "membership.get_act": _below("administrator", "operator"),
    "membership.list_act_names": _whole("administrator", "operator"),
    # Members on the phone
    "membership.request_otp": _whole(ANONYMOUS),
    "membership.personal_sign_in": _whole(ANONYMOUS),
    "membership.get_personal_profile": _self("member"),
    "membership.update_personal_profile": _self("member"),
    "membership.apply_personally": _self("member"),
    "membership.get_personal_applications": _self("member"),
    "batching.list_personal_progress": _self("member"),
    # Operators: what belongs to no union, and shows nobody
    "gateway.list_services": _whole("operator"),
    "gateway.list_queues": _whole("operator"),
    "gateway.list_dead_letters": _whole("operator"),
    "gateway.get_dead_letter": _whole("operator"),
    "gateway.replay_dead_letters": _whole("operator"),
    "gateway.discard_dead_letters": _whole("operator"),
    "membership.name_unions": _whole("operator"),
    **{f"{service}.{name}": _whole("operator") for service in SERVICES for name in OF_EVERY_SERVICE},
    # What needs no account
    "gateway.support": _whole(ANONYMOUS),
    "gateway.healthz": _whole(ANONYMOUS),
    "gateway.readyz": _whole(ANONYMOUS),
    "gateway.documentation": _whole(ANONYMOUS),
    "gateway.pages": _whole(ANONYMOUS),
}

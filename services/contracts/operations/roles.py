"""The roles of callers: staff of unions, operators, members on the phone, and anonymous callers."""

from services.kit.rpc.operation import ANONYMOUS, Permission, Scope

LIMITED = "limited"
"""The only role of an account that must do something first, such as choose a password."""
DEPUTY = "deputy"
"""The role of an account that stands in for a reviewer today; it comes beside the account's own roles."""
STAFF = ("clerk", "reviewer", "administrator")
ACCOUNTS = (*STAFF, "operator")
ROLES = (*ACCOUNTS, DEPUTY, "member", LIMITED, ANONYMOUS)

SUPERIORS = ("reviewer", "administrator")
"""Roles that look at members and batches of subordinates without changing them: what they see may be seconds old."""


_OF_ONE_UNION = ("clerk", DEPUTY)


def subordinates(*roles: str) -> Permission:
    """Allows roles to act on their union and all its subordinates; clerks and deputies only on their union.

    What a deputy reaches besides follows from whom it stands in for.
    """
    return Permission(tuple((role, Scope.OWN_UNION if role in _OF_ONE_UNION else Scope.SUBORDINATES) for role in roles))

"""The roles of callers: staff of unions, operators, members on the phone, and anonymous callers."""

from services.kit.rpc.operation import ANONYMOUS, Permission, Scope

LIMITED = "limited"
"""The only role of an account that must do something first, such as choose a password."""
STAFF = ("clerk", "reviewer", "administrator")
ACCOUNTS = (*STAFF, "operator")
ROLES = (*ACCOUNTS, "member", LIMITED, ANONYMOUS)

SUPERIORS = ("reviewer", "administrator")
"""Roles that look at members and batches of subordinates without changing them: what they see may be seconds old."""


def subordinates(*roles: str) -> Permission:
    """Allows roles to act on their union and all its subordinates; clerks only on their union."""
    return Permission(tuple((role, Scope.OWN_UNION if role == "clerk" else Scope.SUBORDINATES) for role in roles))

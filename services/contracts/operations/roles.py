"""The roles of callers: staff of unions, operators, members on the phone, and who has not signed in."""

from services.kit.rpc.operation import ANONYMOUS, Permission, Scope

LIMITED = "limited"
"""The one role of an account that has to do something first, such as to choose a password."""
STAFF = ("clerk", "reviewer", "administrator")
ACCOUNTS = (*STAFF, "operator")
ROLES = (*ACCOUNTS, "member", LIMITED, ANONYMOUS)


def subordinates(*roles: str) -> Permission:
    """Allows roles their union and all below it; clerks, who never look down, their union."""
    return Permission(tuple((role, Scope.OWN_UNION if role == "clerk" else Scope.SUBORDINATES) for role in roles))

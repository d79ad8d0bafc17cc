"""Rows of the policy for routes and methods that only tests have."""

from services.kit.rpc.operation import OPERATIONS, Operation, own_union

OF_TESTS: set[str] = set()
"""Their names."""


def authorized(allowed_by: str, *roles: str) -> None:
    """Lets these roles in to what a test's own route or method is called."""
    OF_TESTS.add(allowed_by)
    OPERATIONS[allowed_by] = Operation(allowed_by, None, None, own_union(*roles), is_command=True)

"""Policy rows for routes and methods that exist only in tests."""

from services.kit.rpc.operation import OPERATIONS, Operation, own_union

OF_TESTS: set[str] = set()
"""Their names."""


def authorized(allowed_by: str, *roles: str) -> None:
    """Allows these roles to use a test's own route or method of this name."""
    OF_TESTS.add(allowed_by)
    OPERATIONS[allowed_by] = Operation(allowed_by, None, None, own_union(*roles), is_command=True)

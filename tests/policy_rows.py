"""Rows of the policy for routes and methods that only tests have."""

from services.contracts.policy import TABLE, Reach, Rule

OF_TESTS: set[str] = set()
"""Their names."""


def let_in(allowed_by: str, *roles: str) -> None:
    """Lets these roles in to what a test's own route or method is called."""
    OF_TESTS.add(allowed_by)
    TABLE[allowed_by] = Rule(tuple((role, Reach.OWN_UNION) for role in roles))

"""Unions with a clerk who can sign in, for measurements through the HTTP API."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from deploy.local.client import ApiClient
from services.membership.accounts.accounts import new_account
from services.membership.unions import add_union
from tests.mothers import a_union_code

_PASSWORD = "bench-2026"


@dataclass(frozen=True)
class Clerk:
    """A clerk's account."""

    account_name: str
    union_id: UUID

    def sign_in(self, gateway_url: str) -> ApiClient:
        """Returns an API client that is signed in as this clerk."""
        return ApiClient(gateway_url).sign_in(self.account_name, _PASSWORD)


def add_clerk(session: Session, serial: int) -> Clerk:
    """Adds a union and its clerk to membership's database, another union for each serial."""
    union = add_union(session, f"第 {serial} 工会", a_union_code(serial), "grassroots", None)
    account = new_account(union, _account_name(serial), "王芳", ["clerk"], _PASSWORD)
    account.must_change_password = False
    session.flush()
    session.add(account)
    return Clerk(account.account_name, union.union_id)


def sign_in_again(serial: int, gateway_url: str) -> ApiClient:
    """Returns an API client that is signed in as an existing clerk."""
    return ApiClient(gateway_url).sign_in(_account_name(serial), _PASSWORD)


def _account_name(serial: int) -> str:
    return f"bench{serial}"

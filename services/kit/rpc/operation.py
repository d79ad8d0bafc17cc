"""Operations of services: one declaration names an operation, its request and answer, and who may call it.

    APPROVE = command("revocation.approve_revocation", ApproveRevocation, RevocationAnswer,
                      allow=subordinates("reviewer"), title="同意撤销")

From it come the entrypoint, the loading of requests, authorization, the audit event, the route's documentation in
OpenAPI, and the rows of the policy document.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, TypeVar, overload

from services.kit.schemas import DataclassSchema, schema_of

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")

ANONYMOUS = "anonymous"
"""The role of callers who are not signed in."""


class Scope(IntEnum):
    """Whose data a role may act on; of an account that holds several roles, the widest counts."""

    NO_UNION = 0
    """Data that belongs to no union: announcements, outlets, rules, queues."""
    SELF = 1
    """Only the own account or member."""
    OWN_UNION = 2
    SUBORDINATES = 3
    """The own union and all its subordinates."""


@dataclass(frozen=True)
class Permission:
    """The roles that may call an operation, each with its scope; `anonymous` among them allows everyone."""

    scope_of_role: tuple[tuple[str, Scope], ...]

    @property
    def roles(self) -> frozenset[str]:
        """The roles that may call it."""
        return frozenset(role for role, _ in self.scope_of_role)

    def allows(self, roles: Collection[str]) -> bool:
        """Whether one of the caller's roles may call it."""
        return ANONYMOUS in self.roles or not self.roles.isdisjoint(roles)

    def scope_of(self, roles: Collection[str]) -> Scope:
        """The scope of a caller with these roles."""
        return max((scope for role, scope in self.scope_of_role if role in roles), default=Scope.NO_UNION)


@dataclass(frozen=True, eq=False)
class Operation(Generic[RequestT, AnswerT]):
    """A query or command of a service, or one that the gateway answers itself. `name` is `<service>.<method>`.

    `title` is what the audit log calls it in Chinese: commands have one, and queries whose calls are recorded.
    `may_lag` are roles to whom the answer of a query may be some seconds old: those that do not change what it shows.
    """

    name: str
    request: type[RequestT] | None
    answer: type[AnswerT] | None
    allow: Permission
    is_command: bool
    title: str | None = None
    uses_database: bool = True
    may_lag: frozenset[str] = frozenset()

    def may_lag_for(self, roles: Collection[str]) -> bool:
        """Whether a caller with these roles may get an answer that is some seconds old, as from a standby."""
        return bool(roles) and self.may_lag.issuperset(roles)

    @property
    def service(self) -> str:
        """The service that handles it."""
        return self.name.partition(".")[0]

    @property
    def method(self) -> str:
        """The method's name in the service."""
        return self.name.partition(".")[2]

    @property
    def request_schema(self) -> type[DataclassSchema]:
        """The schema that loads a request; raises TypeError for an operation without one, which the gateway answers."""
        if self.request is None:
            raise TypeError(f"{self.name} takes no request.")
        return schema_of(self.request)


OPERATIONS: dict[str, Operation[Any, Any]] = {}
"""All declared operations, by name."""


class DuplicateOperation(ValueError):
    """Two operations have the same name."""


@overload
def command(name: str, request: type[RequestT], *, allow: Permission, title: str) -> Operation[RequestT, None]: ...
@overload
def command(
    name: str, request: type[RequestT], answer: type[AnswerT], *, allow: Permission, title: str
) -> Operation[RequestT, AnswerT]: ...
def command(name: str, request: type[Any], answer: Any = None, *, allow: Permission, title: str) -> Operation[Any, Any]:
    """Declares an operation that changes state. Without an answer type the route returns 204."""
    return _declare(Operation(name, request, answer, allow, is_command=True, title=title))


def query(  # noqa: PLR0913 - the keywords of a declaration
    name: str,
    request: type[RequestT] | None = None,
    answer: type[AnswerT] | None = None,
    *,
    allow: Permission,
    title: str | None = None,
    uses_database: bool = True,
    may_lag: Iterable[str] = (),
) -> Operation[RequestT, AnswerT]:
    """Declares an operation that changes nothing. One that `uses_database` runs in a transaction that cannot write."""
    return _declare(
        Operation(
            name,
            request,
            answer,
            allow,
            is_command=False,
            title=title,
            uses_database=uses_database,
            may_lag=frozenset(may_lag),
        )
    )


@dataclass(frozen=True, eq=False)
class CommonOperation(Generic[RequestT, AnswerT]):
    """An operation that every service handles alike, under its own name: `<service>.<method>`."""

    method: str
    request: type[RequestT]
    answer: type[AnswerT]
    is_command: bool = False
    title: str | None = None
    uses_database: bool = False

    def may_lag_for(self, roles: Collection[str]) -> bool:
        """Whether an answer may be old: never."""
        return False

    @property
    def request_schema(self) -> type[DataclassSchema]:
        """The schema that loads a request."""
        return schema_of(self.request)

    def of(self, service: str) -> Operation[RequestT, AnswerT]:
        """The operation of one service; raises KeyError where it was not declared for it."""
        return OPERATIONS[f"{service}.{self.method}"]

    def declare_for(self, services: Iterable[str], allow: Permission) -> None:
        """Declares it for these services."""
        for service in services:
            name = f"{service}.{self.method}"
            _declare(Operation(name, self.request, self.answer, allow, self.is_command, self.title, self.uses_database))


class UnknownOperation(LookupError):
    """There is no operation of this name."""


def operation_of(name: str) -> Operation[Any, Any]:
    """The operation `<service>.<method>`; raises UnknownOperation."""
    try:
        return OPERATIONS[name]
    except KeyError:
        raise UnknownOperation(f"{name} is declared nowhere.") from None


def no_union(*roles: str) -> Permission:
    """Allows roles to act on data that belongs to no union."""
    return Permission(tuple((role, Scope.NO_UNION) for role in roles))


def own_data(*roles: str) -> Permission:
    """Allows roles to act on their own data."""
    return Permission(tuple((role, Scope.SELF) for role in roles))


def own_union(*roles: str) -> Permission:
    """Allows roles to act on their union's data."""
    return Permission(tuple((role, Scope.OWN_UNION) for role in roles))


def _declare(operation: Operation[RequestT, AnswerT]) -> Operation[RequestT, AnswerT]:
    if operation.name in OPERATIONS:
        raise DuplicateOperation(operation.name)
    OPERATIONS[operation.name] = operation
    return operation

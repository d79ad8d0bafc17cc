"""Requests from the gateway to the services, and the JSON of their answers."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.kit.amqp.transport import Delivery
from services.kit.operations.tracing import TRACEPARENT, valid_traceparent
from services.kit.problems import Problem
from services.kit.rpc.operation import ANONYMOUS, Scope
from services.kit.schemas import values_of
from services.kit.strict_json import read_json

RETRY_AFTER = 5
"""Seconds after which a caller may repeat a request that was unavailable."""

REPLY_BY_SERVICE_EXCHANGE = "x-hears-service"
"""The header of a request whose caller receives replies from the service's own exchange."""

_GRACE = 2.0
"""Seconds by which the clocks of two machines may differ before a request counts as late."""


@dataclass(frozen=True)
class Principal:
    """An account that the caller stands in for, with what decides where the caller may act in its name."""

    account_id: str
    name: str
    union_ids: tuple[str, ...] = ()
    """The unions for which it may decide, its own first."""
    controllers: tuple[str, ...] = ()
    """Accounts that could act as the principal."""
    last_day: str = ""
    """The last day of the delegation, as an ISO date in Shanghai."""

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Principal":
        """The principal that `Caller.to_dict` wrote; attributes of a newer version are ignored."""
        known = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        lists = {name: tuple(document.get(name) or ()) for name in ("union_ids", "controllers")}
        return cls(**{**known, **lists})


@dataclass(frozen=True)
class Caller:
    """The caller of an operation: an account of a union, a member on the phone (role `member`), or role `anonymous`.

    An account that must do something first, such as choose a password, has only the role `limited`.
    """

    account_id: str | None = None
    account_name: str | None = None
    display_name: str | None = None
    roles: frozenset[str] = frozenset({ANONYMOUS})
    union_id: str | None = None
    union_code: str | None = None
    union_name: str | None = None
    superior_union_id: str | None = None
    superior_ids: tuple[str, ...] = ()
    """All unions above the caller's, the city's first, its superior last."""
    controllers: tuple[str, ...] = ()
    """Accounts that could act as the caller: that recently created, reset or changed it, or share its telephone."""
    covered_union_ids: tuple[str, ...] = ()
    """Unions below, for which the caller's reviewers decide, because neither these nor any between have one."""
    principals: tuple[Principal, ...] = ()
    """Whom the caller stands in for today, as a deputy."""
    member_id: str | None = None
    session_id: str | None = None
    origin: str | None = None
    """The address that the request came from."""
    scope: Scope = Scope.OWN_UNION
    """Whose data the caller may act on in this operation; each service determines it."""

    @property
    def other_union_ids(self) -> frozenset[str]:
        """The other unions for which the caller decides: those that it covers, and those of its principals."""
        return frozenset(self.covered_union_ids).union(*(one.union_ids for one in self.principals))

    @property
    def is_of_the_city(self) -> bool:
        """Whether the caller's union is the city's, the root of the tree."""
        return self.union_id is not None and self.superior_union_id is None

    def to_dict(self) -> dict[str, Any]:
        """The caller as JSON types, without the scope."""
        document = {**asdict(self), "roles": sorted(self.roles)}
        del document["scope"]
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Caller":
        """The caller that `to_dict` wrote; attributes of a newer version are ignored.

        A session of an older version names only the direct superior.
        """
        known = {name: document[name] for name in cls.__dataclass_fields__ if name in document and name != "scope"}
        superior = document.get("superior_union_id")
        superior_ids = document.get("superior_ids") or ([superior] if superior else [])
        lists = {
            "superior_ids": tuple(superior_ids),
            "controllers": tuple(document.get("controllers") or ()),
            "covered_union_ids": tuple(document.get("covered_union_ids") or ()),
            "principals": tuple(Principal.from_dict(one) for one in document.get("principals") or ()),
        }
        return cls(**{**known, "roles": frozenset(document.get("roles", ())), **lists})


@dataclass(frozen=True)
class Request:
    """One request on the wire. After `deadline`, in seconds of the epoch, nobody waits for the answer."""

    caller: dict[str, Any]
    data: dict[str, Any]
    request_id: str | None
    correlation_id: str
    deadline: float
    traceparent: str | None = None
    """The W3C trace context of what asks."""

    @classmethod
    def from_body(cls, body: bytes, message: Delivery) -> "Request":
        """The request in a decrypted Nameko RPC body; any exception means that the body is not a request."""
        document = read_json(body)["args"][0]
        return cls(
            caller=document.get("caller") or {},
            data=document.get("data") or {},
            request_id=document.get("request_id"),
            correlation_id=document.get("correlation_id") or str(message.properties.get("correlation_id")),
            deadline=float(document.get("deadline") or time.time() + 60),
            traceparent=valid_traceparent(document.get(TRACEPARENT)),
        )

    def is_late(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return time.time() > self.deadline + _GRACE


def problem_json(problem: Problem) -> str:
    """The JSON answer with a problem."""
    return plain_json({"problem": problem.to_dict()})


def plain_json(value: Any) -> str:
    """A value as compact JSON with dates, UUIDs and decimals as strings; kombu's JSON would wrap them in objects."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_as_json)


def _as_json(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if is_dataclass(value):
        return values_of(value)
    raise TypeError(f"{type(value).__name__} is no JSON type")

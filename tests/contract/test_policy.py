"""The policy names each operation and each route, and nothing else."""

import inspect
from importlib import import_module
from typing import Any

import pytest
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR

from deploy.local.environment import SERVICES
from gateway import documentation, pages
from gateway.api import ROUTES
from services.contracts.operations.roles import ACCOUNTS, ROLES
from services.kit.operations.operators import OF_EVERY_SERVICE
from services.kit.rpc.operation import ANONYMOUS, OPERATIONS, Permission, Scope, UnknownOperation, operation_of
from services.kit.rpc.server import QueryEntrypoint
from tests.policy_rows import OF_TESTS


def methods_of(service: str) -> set[str]:
    """The operations of a service."""
    module = import_module(f"services.{service}.service")
    (kind,) = [kind for kind in vars(module).values() if getattr(kind, "name", None) == service]
    return {f"{service}.{name}" for name, method in inspect.getmembers(kind, inspect.isfunction) if _is_asked(method)}


def _is_asked(method: Any) -> bool:
    return any(isinstance(one, QueryEntrypoint) for one in getattr(method, ENTRYPOINT_EXTENSIONS_ATTR, ()))


ASKED = frozenset().union(*(methods_of(service) for service in SERVICES))
ALLOWED_BY = frozenset(route.allowed_by for route in (*ROUTES, *documentation.ROUTES, *pages.ROUTES))
ASKED_BY_THE_GATEWAY_ITSELF = {
    "membership.get_captcha_level",
    "membership.use_session",
    "membership.look_at_session",
    "membership.sign_out",
    "membership.get_member_summary",
    "batching.get_batch_summary",
    "membership.name_unions",
    "membership.count_number_search",
    *(common.of(service).name for service in SERVICES for common in OF_EVERY_SERVICE),
}


@pytest.mark.parametrize("name", sorted(ASKED | ALLOWED_BY))
def test_each_method_and_each_route_has_a_row(name: str) -> None:
    assert operation_of(name).allow.roles <= set(ROLES)


@pytest.fixture
def table() -> dict[str, Permission]:
    """The product's own rows."""
    return {name: operation.allow for name, operation in OPERATIONS.items() if name not in OF_TESTS}


def test_no_row_is_left_over(table: dict[str, Permission]) -> None:
    assert table.keys() == ASKED | ALLOWED_BY


def test_each_method_can_be_reached_by_a_route() -> None:
    assert ASKED - ALLOWED_BY == ASKED_BY_THE_GATEWAY_ITSELF


def test_each_operation_that_a_route_asks_for_is_handled_by_its_service() -> None:
    assert {name for name in ALLOWED_BY - ASKED if not name.startswith("gateway.")} == set()


def test_what_belongs_to_a_union_is_never_for_everybody(table: dict[str, Permission]) -> None:
    open_rows = {name for name, rule in table.items() if ANONYMOUS in rule.roles and rule.scope_of([ANONYMOUS])}
    assert open_rows == set()


def test_operators_reach_no_members(table: dict[str, Permission]) -> None:
    reached = {name for name, rule in table.items() if rule.scope_of(["operator"]) > Scope.SELF}
    assert reached <= {
        "gateway.stream",
        "notification.list_messages",
        "notification.mark_message_read",
        "notification.mark_all_messages_read",
        # without what is personal of the acts
        "membership.search_acts",
        "membership.list_interventions",
        "membership.get_act",
        "membership.export_acts",
    }


def test_of_several_roles_the_one_that_reaches_farthest_counts() -> None:
    rule = Permission((("clerk", Scope.OWN_UNION), ("reviewer", Scope.SUBORDINATES)))
    assert rule.scope_of({"clerk", "reviewer"}) == Scope.SUBORDINATES
    assert rule.scope_of({"clerk"}) == Scope.OWN_UNION
    assert not rule.allows({"operator"})


def test_signed_in_callers_may_use_public_routes() -> None:
    assert all(Permission(((ANONYMOUS, Scope.NO_UNION),)).allows({role}) for role in ACCOUNTS)


def test_an_unknown_name_has_no_rule() -> None:
    with pytest.raises(UnknownOperation, match=r"membership\.list_secrets"):
        operation_of("membership.list_secrets")

"""Each command, and each operation that shows whole numbers, has a title in the audit log; no other has one."""

from importlib import import_module
from inspect import getmembers

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.operations.titles import ACTIONS
from services.kit.rpc.server import CommandEntrypoint

SERVICES = ("membership", "validation", "batching", "revocation", "notification")


def commands() -> set[str]:
    """All commands, by service and method."""
    classes = {
        service: kind
        for service in SERVICES
        for kind in vars(import_module(f"services.{service}.service")).values()
        if getattr(kind, "name", None) == service
    }
    return {
        f"{service}.{name}"
        for service, kind in classes.items()
        for name, method in getmembers(kind)
        for entrypoint in getattr(method, "nameko_entrypoints", ())
        if isinstance(entrypoint, CommandEntrypoint)
    }


def test_each_command_has_a_name_in_chinese() -> None:
    of_services = {f"{service}.{name}" for service in SERVICES for name in ("repair", "reconcile")}
    on_the_command_line = {"notification.rebuild_reports", *of_services}
    queries_that_show_whole_numbers = {"membership.list_phone_changes"}
    assert commands() | on_the_command_line | queries_that_show_whole_numbers == set(ACTIONS)
    assert all(not name.isascii() for name in ACTIONS.values())


def test_each_service_with_commands_has_a_contract_for_audit_events() -> None:
    assert {name.partition(".")[0] for name in commands()} <= set(ACTS_RECORDED)

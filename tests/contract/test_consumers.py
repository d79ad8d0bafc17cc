"""The consumers that an event contract names are the services that subscribe to it."""

from importlib import import_module

import pytest
from nameko.extensions import Entrypoint

from services.contracts.events.all_events import EVENTS
from services.kit.events.contract import EventContract
from services.kit.events.entrypoints import Subscription

SERVICES = ("membership", "validation", "batching", "revocation", "notification")


def subscriptions_of(service: str) -> set[str]:
    """The types of the events that a service's class is subscribed to."""
    module = import_module(f"services.{service}.service")
    [service_class] = [kind for kind in vars(module).values() if getattr(kind, "name", None) == service]
    entrypoints: list[Entrypoint] = [
        entrypoint
        for method in vars(service_class).values()
        for entrypoint in getattr(method, "nameko_entrypoints", ())
    ]
    subscriptions = [entrypoint for entrypoint in entrypoints if isinstance(entrypoint, Subscription)]
    return {contract.type for subscription in subscriptions for contract in subscription.contracts}


@pytest.mark.parametrize("contract", EVENTS.values(), ids=EVENTS.keys())
def test_the_consumers_in_the_contract_are_the_services_that_subscribe(contract: EventContract) -> None:
    subscribed = {service for service in SERVICES if contract.type in subscriptions_of(service)}
    assert subscribed == set(contract.consumers)

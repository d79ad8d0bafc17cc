"""The permissions on the broker let each program do all that its code does."""

import re
from collections.abc import Iterator
from importlib import import_module

import pytest
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR

from deploy.permissions import SERVICES, permissions_of
from gateway.service import Gateway
from services.common.contracts.all_events import EVENTS
from services.common.messaging.entrypoints import BatchSubscription, Listener, Subscription
from services.common.messaging.queues import EVENTS_EXCHANGE, dead_queue, own_exchange, queue_name, retry_queue


def entrypoints(kind: type) -> Iterator[object]:
    """What a service's methods are run by."""
    for name in dir(kind):
        yield from getattr(getattr(kind, name), ENTRYPOINT_EXTENSIONS_ATTR, ())


def service_class(service: str) -> type:
    module = import_module(f"services.{service}.service")
    (found,) = [kind for kind in vars(module).values() if getattr(kind, "name", None) == service]
    assert isinstance(found, type)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_read_and_bind_each_queue_that_it_subscribes_to(service: str) -> None:
    allowed = permissions_of(service)
    for entrypoint in entrypoints(service_class(service)):
        if isinstance(entrypoint, Subscription):
            queue = queue_name(service, entrypoint.contracts[0].name)
            keys = [contract.routing_key for contract in entrypoint.contracts]
            assert all(re.match(allowed.topics[EVENTS_EXCHANGE].read, key) for key in keys)
            for name in (queue, dead_queue(queue), retry_queue(queue, 5), own_exchange(service)):
                assert all(re.match(pattern, name) for pattern in (allowed.configure, allowed.write, allowed.read))
        if isinstance(entrypoint, BatchSubscription):
            assert re.match(allowed.read, entrypoint.name_queue())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_tell_its_own_events_and_no_others(service: str) -> None:
    told = permissions_of(service).topics[EVENTS_EXCHANGE].write
    assert {event.type for event in EVENTS.values() if re.match(told, event.routing_key)} == {
        event.type for event in EVENTS.values() if event.producer == service
    }


def test_the_gateway_may_hear_what_it_listens_to_and_no_more() -> None:
    listeners = [entrypoint for entrypoint in entrypoints(Gateway) if isinstance(entrypoint, Listener)]
    listened = {event_type for listener in listeners for event_type in listener.contracts}
    allowed = permissions_of("gateway").topics[EVENTS_EXCHANGE].read
    assert {event.type for event in EVENTS.values() if re.match(allowed, event.routing_key)} == listened

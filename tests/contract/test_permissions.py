"""The permissions on the broker let each program do all that its code does."""

import re
from collections.abc import Iterator
from importlib import import_module

import pytest
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR

from deploy.permissions import SERVICES, permissions_of
from gateway.service import Gateway
from services.common.contracts.all_events import EVENTS
from services.common.contracts.event import LIVE
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
            keys = [contract.key_for(service) for contract in entrypoint.contracts]
            assert all(re.match(allowed.topics[EVENTS_EXCHANGE].read, key) for key in keys)
            for name in (queue, dead_queue(queue), retry_queue(queue, 5), own_exchange(service)):
                assert all(re.match(pattern, name) for pattern in (allowed.configure, allowed.write, allowed.read))
        if isinstance(entrypoint, BatchSubscription):
            assert re.match(allowed.read, entrypoint.name_queue())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_tell_its_own_events_and_no_others(service: str) -> None:
    told = permissions_of(service).topics[EVENTS_EXCHANGE].write
    everybody = (*SERVICES, LIVE)
    keys = {event.key_for(recipient) for event in EVENTS.values() for recipient in everybody}
    assert {key for key in keys if re.match(told, key)} == {
        event.key_for(recipient)
        for event in EVENTS.values()
        for recipient in event.recipients
        if event.producer == service
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_hear_its_own_copies_alone(service: str) -> None:
    heard = permissions_of(service).topics[EVENTS_EXCHANGE].read
    everybody = (*SERVICES, LIVE)
    keys = {event.key_for(recipient) for event in EVENTS.values() for recipient in everybody}
    assert {key for key in keys if re.match(heard, key)} == {
        event.key_for(service) for event in EVENTS.values() if service in event.consumers
    }


def test_the_gateway_may_hear_what_it_listens_to_and_no_more() -> None:
    listeners = [entrypoint for entrypoint in entrypoints(Gateway) if isinstance(entrypoint, Listener)]
    listened = {event_type for listener in listeners for event_type in listener.contracts}
    allowed = permissions_of("gateway").topics[EVENTS_EXCHANGE].read
    assert {event.type for event in EVENTS.values() if re.match(allowed, event.key_for(LIVE))} == listened


def test_pages_get_a_copy_of_exactly_what_the_gateway_listens_to() -> None:
    listeners = [entrypoint for entrypoint in entrypoints(Gateway) if isinstance(entrypoint, Listener)]
    assert {event.type for event in EVENTS.values() if LIVE in event.recipients} == {
        event_type for listener in listeners for event_type in listener.contracts
    }

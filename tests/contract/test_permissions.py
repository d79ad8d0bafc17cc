"""Each program's permissions on the broker suffice for all that its code does."""

import re
from collections.abc import Iterator
from importlib import import_module

import pytest
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR

from deploy.former_permissions import former_permissions_of
from deploy.permission_patterns import NOTHING, exactly
from deploy.permissions import PROGRAMS, SERVICES, permissions_of
from gateway.service import Gateway
from services.contracts.events.all_events import EVENTS
from services.contracts.external import bank, insurer
from services.kit.amqp.queues import (
    EVENTS_EXCHANGE,
    RPC_EXCHANGE,
    dead_letters_lock,
    dead_queue,
    delay_exchange,
    events_exchange,
    own_exchange,
    queue_name,
    replies_exchange,
    retry_queue,
)
from services.kit.events.contract import LIVE
from services.kit.events.entrypoints import BatchSubscription, Listener, Subscription

OUTSIDE = {"bank": bank.EXCHANGE, "insurer": insurer.EXCHANGE}
"""Outside parties, with the exchange of what they are sent."""
EVERYBODYS = [way(one) for one in SERVICES for way in (events_exchange, replies_exchange, own_exchange)]


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
def test_a_service_may_read_each_queue_that_it_subscribes_to_and_move_its_messages(service: str) -> None:
    allowed = permissions_of(service)
    for entrypoint in entrypoints(service_class(service)):
        if isinstance(entrypoint, Subscription):
            queue = queue_name(service, entrypoint.contracts[0].name)
            assert all(re.match(allowed.read, name) for name in (queue, dead_queue(queue), retry_queue(service, 5)))
        if isinstance(entrypoint, BatchSubscription):
            assert re.match(allowed.read, entrypoint.name_queue())
    for exchange in (own_exchange(service), delay_exchange(service, 0.5), delay_exchange(service, 600)):
        assert re.match(allowed.write, exchange)


@pytest.mark.parametrize("service", [*SERVICES, *OUTSIDE])
def test_a_service_declares_only_the_lock_of_its_dead_letters_and_binds_nothing(service: str) -> None:
    """To bind takes write on what is bound and read on the exchange that it is bound to.

    To declare a queue with a dead-letter route, or an exchange with an alternate, takes read on it.
    """
    allowed = permissions_of(service)
    exchanges = [EVENTS_EXCHANGE, RPC_EXCHANGE, *OUTSIDE.values(), *EVERYBODYS]
    lock = dead_letters_lock(service)
    assert allowed.configure == (NOTHING if service in OUTSIDE else exactly([lock]))
    assert [one for one in (allowed.read, allowed.write) if re.match(one, lock)] == []
    assert [name for name in exchanges if re.match(allowed.read, name)] == []
    # An outside party's exchange has the name of its queue, which a service reads: by its topics nobody binds to it.
    both = (bank.FEEDBACK_EXCHANGE, insurer.ENROLMENTS_EXCHANGE)
    shared = [name for name in both if re.match(allowed.read, name)]
    assert all(allowed.topics[name].read == NOTHING for name in shared)


def test_the_mutual_aid_society_reads_two_queues_and_sends_enrolments_only() -> None:
    allowed = permissions_of("insurer")
    assert allowed.read == exactly(["insurer.members", "insurer.receipts"])
    assert allowed.write == exactly(["insurer.enrolments"])
    assert [(topic.write, topic.read) for topic in allowed.topics.values()] == [
        (exactly(["insurer.enrolments"]), NOTHING)
    ]
    assert allowed.limits == {"max-connections": 10, "max-channels": 50}


def test_membership_alone_writes_to_the_society_and_reads_its_reports() -> None:
    allowed = permissions_of("membership")
    assert allowed.topics[insurer.EXCHANGE].write == exactly([insurer.ELIGIBLE, insurer.RECEIPT])
    for queue in (insurer.ENROLMENTS_QUEUE, insurer.REJECTED_QUEUE):
        assert [one for one in PROGRAMS if re.match(permissions_of(one).read, queue)] == ["membership"]
    for queue in (insurer.MEMBERS_QUEUE, insurer.RECEIPTS_QUEUE):
        assert [one for one in PROGRAMS if re.match(permissions_of(one).read, queue)] == ["insurer"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_publish_its_own_events_and_no_others(service: str) -> None:
    allowed = permissions_of(service)
    assert [name for name in map(events_exchange, SERVICES) if re.match(allowed.write, name)] == [
        events_exchange(service)
    ]
    everybody = (*SERVICES, LIVE)
    keys = {event.key_for(recipient) for event in EVENTS.values() for recipient in everybody}
    assert {key for key in keys if re.match(allowed.topics[events_exchange(service)].write, key)} == {
        event.key_for(recipient)
        for event in EVENTS.values()
        for recipient in event.recipients
        if event.producer == service
    }


def test_each_exchange_has_one_producer() -> None:
    for exchange in (RPC_EXCHANGE, *OUTSIDE.values(), *EVERYBODYS):
        assert len([one for one in PROGRAMS if re.match(permissions_of(one).write, exchange)]) == 1, exchange
    assert [one for one in PROGRAMS if re.match(permissions_of(one).write, EVENTS_EXCHANGE)] == []


def test_the_gateway_may_receive_the_events_that_it_listens_to_and_no_more() -> None:
    listeners = [entrypoint for entrypoint in entrypoints(Gateway) if isinstance(entrypoint, Listener)]
    listened = {event_type for listener in listeners for event_type in listener.contracts}
    allowed = permissions_of("gateway").topics
    heard = {
        event.type
        for event in EVENTS.values()
        if re.match(allowed[events_exchange(event.producer)].read, event.key_for(LIVE))
    }
    assert heard == listened


@pytest.mark.parametrize("program", PROGRAMS)
def test_during_an_upgrade_each_program_may_do_what_either_release_does(program: str) -> None:
    now, former = permissions_of(program), former_permissions_of(program)
    both = permissions_of(program, beside_former=True)
    for name in ("configure", "write", "read"):
        assert all(one in getattr(both, name) for one in (getattr(now, name), getattr(former, name)) if one != NOTHING)
    assert both.topics.keys() == {*now.topics, *former.topics}
    assert both.limits == now.limits


def test_pages_get_a_copy_of_exactly_what_the_gateway_listens_to() -> None:
    listeners = [entrypoint for entrypoint in entrypoints(Gateway) if isinstance(entrypoint, Listener)]
    assert {event.type for event in EVENTS.values() if LIVE in event.recipients} == {
        event_type for listener in listeners for event_type in listener.contracts
    }

"""A missing exchange makes its users not ready, and the gateway receives events again once it is restored."""

import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests

from deploy.broker import User, declare_all, definitions
from deploy.local.client import wait_until
from deploy.local.nodes import Nodes
from deploy.permissions import PROGRAMS
from services.contracts.events.batching import PENDING_CHANGED
from services.kit.amqp.connection import OutgoingMessage
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import delay_exchange, events_exchange, replies_exchange
from services.kit.amqp.watch import RESTORE
from services.kit.events.contract import LIVE
from tests.databases import DatabaseFactory, unique_name
from tests.integration.conftest import StartService
from tests.integration.messaging.world import Outside, reasons

REPLIES, LIVE_EVENTS = replies_exchange("notification"), events_exchange("batching")
DELAY = delay_exchange("notification", 5)


@pytest.fixture(scope="module")
def uris(nodes: Nodes) -> Iterator[dict[str, str]]:
    """The broker as each program's own user, and as `administrator`."""
    name = unique_name("exchanges")
    users = {program: User(f"{name}_{program}", secrets.token_hex(8)) for program in PROGRAMS}
    nodes.rabbitmq.create_vhost(name)
    nodes.rabbitmq.import_definitions(definitions(name, users))
    declare_all(nodes.rabbitmq.uri(name))
    yield {
        "administrator": nodes.rabbitmq.uri(name),
        **{program: nodes.rabbitmq.uri(name, user.name, user.password) for program, user in users.items()},
    }
    nodes.rabbitmq.delete_vhost(name)
    nodes.rabbitmq.delete_users(user.name for user in users.values())


def named(process: Any, exchange: str) -> bool:
    return f"the exchange {exchange} is missing; the administrator restores it: {RESTORE}" in reasons(process)


def is_heard(uri: str) -> bool:
    """Whether the gateway receives batching's live updates."""
    publisher = ConfirmedPublisher(uri, "administrator", 30)
    refused = publisher.publish([OutgoingMessage(LIVE_EVENTS, PENDING_CHANGED.key_for(LIVE), b"{}")])
    publisher.drop()
    return not refused


def test_a_missing_exchange_is_named_and_bound_to_anew_when_it_is_restored(
    uris: dict[str, str], module_start_service: StartService, module_database: DatabaseFactory
) -> None:
    notification = module_start_service(
        "services.notification.service",
        module_database("notification"),
        uris["notification"],
        SMS_URL="http://127.0.0.1:9",
        PUBLIC_URL="http://127.0.0.1:9",
    )
    gateway = module_start_service("gateway.service", "", uris["gateway"], GATEWAY_PORT="0")
    url = f"{gateway.http_url}/api/v1/announcements"
    wait_until(lambda: requests.get(url, timeout=60).status_code == 200, "the gateway is answered")

    with Outside(uris["administrator"]) as outside:
        for exchange in (REPLIES, LIVE_EVENTS, DELAY):
            outside.channel.exchange_delete(exchange)
        for process, exchange in (
            (gateway, REPLIES),
            (gateway, LIVE_EVENTS),
            (notification, REPLIES),
            (notification, DELAY),
        ):
            wait_until(partial(named, process, exchange), f"{exchange} is named")
        assert requests.get(url, timeout=60).status_code == 503

        declare_all(uris["administrator"])
        wait_until(lambda: is_heard(uris["administrator"]), "pages hear of events again")
        wait_until(lambda: requests.get(url, timeout=60).status_code == 200, "the gateway is answered again")
        wait_until(lambda: reasons(gateway) == reasons(notification) == [], "nothing is missing any more")

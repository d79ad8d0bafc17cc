"""The notification service as a process, between the other services, the SMS provider and its database."""

import os
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy import create_engine, text

from deploy.local.client import wait_until
from deploy.simulators.sms import sms_server
from services.contracts.events.batching import APPLICATIONS_COUNTED, BATCH_SUBMITTED, CARDS_ISSUED
from services.contracts.events.membership import OTP_ISSUED
from services.contracts.events.notification import MESSAGE_POSTED
from services.contracts.examples import wire_example
from services.contracts.operations.notification import AnnouncementAnswer, MessagesAnswer
from services.kit.rpc.methods import Caller
from tests.databases import DatabaseFactory
from tests.documents import event_data, loaded
from tests.integration.conftest import ServiceProcess, StartService
from tests.integration.service_environment import ServiceEnvironment, service_environment

SUBMITTED = event_data(BATCH_SUBMITTED, wire_example(BATCH_SUBMITTED))
ISSUED = event_data(CARDS_ISSUED, wire_example(CARDS_ISSUED))
COUNTED = event_data(APPLICATIONS_COUNTED, wire_example(APPLICATIONS_COUNTED))
OTP = event_data(OTP_ISSUED, wire_example(OTP_ISSUED))


@dataclass
class SmsProvider:
    """The simulated provider as its operator sees it."""

    url: str

    def behave(self, mode: str, for_calls: int | None = None) -> None:
        """Sets the mode."""
        behaviour = {"mode": mode, "for_calls": for_calls}
        requests.put(f"{self.url}/control", json=behaviour, timeout=60).raise_for_status()

    def sent(self) -> list[dict[str, Any]]:
        """What was sent."""
        items: list[dict[str, Any]] = requests.get(f"{self.url}/messages", timeout=60).json()["items"]
        return items

    def sent_with(self, words: str) -> list[dict[str, Any]]:
        """What was sent in whose text these words are."""
        return [sent for sent in self.sent() if words in sent["text"]]


@dataclass
class Notification:
    """All that is around the service."""

    around: ServiceEnvironment
    provider: SmsProvider
    database_url: str
    amqp_uri: str

    def start(self, start_service: StartService) -> ServiceProcess:
        """A process whose gathering of news ends when a test says so."""
        return start_service(
            "services.notification.service",
            self.database_url,
            self.amqp_uri,
            PERSONAL_DATA_KEYS=os.environ["PERSONAL_DATA_KEYS"],
            SMS_URL=self.provider.url,
            SMS_GATHER_SECONDS="3600",
            SMS_QUIET_HOURS="0-0",
            SMS_READ_SECONDS="30",
            SMS_PAUSES="0.2,0.2,0.2,1,1,1,1,1",
        )

    def posted_to(self, union_id: UUID) -> dict[str, Any]:
        """The next published message in the inbox of a union."""
        while (posted := self.around.receive(MESSAGE_POSTED).data)["union_id"] != union_id:
            pass
        return posted

    def scalar(self, statement: str) -> Any:
        with create_engine(self.database_url).begin() as connection:
            return connection.scalar(text(statement))


@contextmanager
def around_notification(database_url: str, amqp_uri: str) -> Iterator[Notification]:
    """The other services and the provider, but no process of the service."""
    server = sms_server(0)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with service_environment("notification", amqp_uri) as environment:
        environment.subscribe(MESSAGE_POSTED)
        yield Notification(environment, SmsProvider(f"http://127.0.0.1:{server.port}"), database_url, amqp_uri)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def notification(module_database: DatabaseFactory, module_amqp_uri: str) -> Iterator[Notification]:
    """Shared by the tests: each has a union or a kind of message of its own."""
    with around_notification(module_database("notification"), module_amqp_uri) as notification:
        yield notification


@pytest.fixture(scope="module")
def process(notification: Notification, module_start_service: StartService) -> ServiceProcess:
    return notification.start(module_start_service)


@pytest.fixture
def notification_alone(database: DatabaseFactory, amqp_uri: str) -> Iterator[Notification]:
    """No process yet: the test starts those that it needs."""
    with around_notification(database("notification"), amqp_uri) as notification:
        yield notification


def a_clerk(union_id: UUID) -> Caller:
    return Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(union_id))


def an_otp(seconds: float = 60) -> dict[str, Any]:
    return {**OTP, "expires_at": datetime.now(UTC) + timedelta(seconds=seconds)}


@pytest.mark.usefixtures("process")
def test_an_event_that_comes_twice_is_one_message_in_the_inbox_of_its_union(notification: Notification) -> None:
    union_id, around = uuid4(), notification.around
    around.publish(BATCH_SUBMITTED, {**SUBMITTED, "union": {**SUBMITTED["union"], "union_id": union_id}}, times=3)
    posted = notification.posted_to(union_id)
    assert (posted["role"], posted["kind"]) == ("clerk", "batch_submitted")
    clerk = a_clerk(union_id)
    page = loaded(MessagesAnswer, around.call("list_messages", clerk, {})["result"])
    assert [message["message_id"] for message in page["items"]] == [posted["message_id"]]
    assert around.call("list_messages", a_clerk(uuid4()), {})["result"]["items"] == []
    marked = around.call("mark_message_read", clerk, {"message_id": str(posted["message_id"])})
    assert marked["result"] == {"unread": 0}


@pytest.mark.usefixtures("process")
def test_many_cards_of_a_batch_are_one_sms_to_its_contact(notification: Notification) -> None:
    for _ in range(12):
        notification.around.publish(CARDS_ISSUED, ISSUED)
    wait_until(lambda: notification.scalar("select count from sms where kind = 'cards_issued'") == 12, "all are noted")
    notification.scalar("update sms set due_at = now() where kind = 'cards_issued' returning 1")

    [sent] = wait_until(lambda: notification.provider.sent_with("新增"), "the contact got an SMS")
    assert sent["phone"] == ISSUED["contact"]["phone"]
    assert "新增12人" in sent["text"]


def test_a_one_time_password_is_sent_once_though_answers_are_lost_and_the_service_is_killed(
    notification_alone: Notification, start_service: StartService
) -> None:
    notification, provider = notification_alone, notification_alone.provider
    provider.behave("lose_answer")
    first = notification.start(start_service)
    notification.around.publish(OTP_ISSUED, an_otp())
    wait_until(provider.sent, "the password was sent")
    first.kill()
    before = provider.sent()[0]["tries"]

    provider.behave("normal")
    # Whoever takes a message keeps others from it for a few seconds, which are over now.
    assert notification.scalar("update sms set due_at = now() where due_at < now() + interval '1 min' returning 1")
    notification.start(start_service)
    wait_until(lambda: provider.sent()[0]["tries"] > before, "the answer that was lost is asked for again")
    [sent] = provider.sent()
    assert OTP["recipient"]["code"] in sent["text"]


def test_a_provider_that_is_away_delays_an_sms_and_loses_none(
    notification: Notification, process: ServiceProcess
) -> None:
    notification.provider.behave("down", for_calls=3)
    notification.around.publish(OTP_ISSUED, an_otp())
    code = OTP["recipient"]["code"]
    wait_until(lambda: notification.provider.sent_with(code), "the password was sent after all")
    assert code not in process.log
    assert OTP["recipient"]["phone"] not in process.log


@pytest.mark.usefixtures("process")
def test_announcements_are_published_by_the_city_and_read_by_anybody(notification: Notification) -> None:
    around = notification.around
    city = Caller(account_id=str(uuid4()), roles=frozenset({"administrator"}), union_id=str(uuid4()))
    given = {"title": "系统维护通知", "body": "周六维护", "places": ["sign_in"]}
    made = loaded(AnnouncementAnswer, around.call("create_announcement", city, given)["result"])
    shown = around.call("list_announcements", Caller(), {"place": "sign_in"})["result"]["items"]
    assert [one["announcement_id"] for one in shown] == [str(made["announcement_id"])]
    assert around.call("create_announcement", a_clerk(uuid4()), given)["problem"]["code"] == "forbidden"


@pytest.mark.usefixtures("process")
def test_events_that_come_twice_and_in_the_wrong_order_are_counted_once_in_a_report(notification: Notification) -> None:
    union_id, application_id, around = uuid4(), uuid4(), notification.around
    issued = {**ISSUED["applications"][0], "application_id": application_id}
    cards = [{**ISSUED["cards"][0], "application_id": application_id}]
    around.publish(CARDS_ISSUED, {**ISSUED, "union_id": union_id, "applications": [issued], "cards": cards}, times=2)
    queued = {**COUNTED["applications"][0], "application_id": application_id, "union_id": union_id}
    around.publish(APPLICATIONS_COUNTED, {**COUNTED, "applications": [queued]}, times=2)
    clerk = a_clerk(union_id)
    month = dict.fromkeys(("first_month", "last_month"), f"{issued['issued_at']:%Y-%m}")

    def figures() -> dict[str, Any]:
        answer: dict[str, Any] = around.call("get_report", clerk, month)["result"]
        return answer["current"]

    wait_until(lambda: figures()["queued"] and figures()["issued"], "both events are counted")
    assert (figures()["queued"], figures()["issued"], figures()["waiting_submission"]) == (1, 1, 0)
    file = around.call("export_report", clerk, {**month, "form": "pdf"})["result"]
    assert b64decode(file["content"]).startswith(b"%PDF")
    elsewhere = around.call("get_report", clerk, {"union_id": str(uuid4())})
    assert elsewhere["problem"]["code"] == "not_found"

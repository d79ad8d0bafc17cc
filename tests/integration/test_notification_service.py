"""The notification service as a process, between the other services, the SMS provider and its database."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests

from deploy.local.client import wait_until
from deploy.simulators.sms import sms_server
from services.common.contracts.batching import BATCH_SUBMITTED, CARDS_ISSUED
from services.common.contracts.examples import wire_example
from services.common.contracts.membership import OTP_ISSUED
from services.common.contracts.notification import MESSAGE_POSTED
from services.common.contracts.rpc.notification import AnnouncementAnswer, MessagesAnswer
from services.common.messaging.rpc import Caller
from tests.integration.conftest import ServiceProcess, StartService
from tests.integration.surroundings import Surroundings, surroundings_of

SUBMITTED = BATCH_SUBMITTED.load(wire_example(BATCH_SUBMITTED))
ISSUED = CARDS_ISSUED.load(wire_example(CARDS_ISSUED))
OTP = OTP_ISSUED.load(wire_example(OTP_ISSUED))


@dataclass
class SmsProvider:
    """The simulated provider as its operator sees it."""

    url: str

    def behave(self, mode: str, for_calls: int | None = None) -> None:
        """Sets the mode."""
        behaviour = {"mode": mode, "for_calls": for_calls}
        requests.put(f"{self.url}/control", json=behaviour, timeout=5).raise_for_status()

    def sent(self) -> list[dict[str, Any]]:
        """What was sent."""
        items: list[dict[str, Any]] = requests.get(f"{self.url}/messages", timeout=5).json()["items"]
        return items


@pytest.fixture
def provider() -> Iterator[SmsProvider]:
    server = sms_server(0)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield SmsProvider(f"http://127.0.0.1:{server.port}")
    server.shutdown()
    server.server_close()


@pytest.fixture
def notification(amqp_uri: str) -> Iterator[Surroundings]:
    with surroundings_of("notification", amqp_uri) as surroundings:
        surroundings.hear(MESSAGE_POSTED)
        yield surroundings


@pytest.fixture
def start(
    start_service: StartService, database: Callable[[str], str], amqp_uri: str, provider: SmsProvider
) -> Callable[..., ServiceProcess]:
    database_url = database("notification")

    def start(gather_seconds: int = 1) -> ServiceProcess:
        return start_service(
            "services.notification.service",
            database_url,
            amqp_uri,
            PERSONAL_DATA_KEYS=os.environ["PERSONAL_DATA_KEYS"],
            SMS_URL=provider.url,
            SMS_GATHER_SECONDS=str(gather_seconds),
            SMS_READ_SECONDS="0.5",
            SMS_PAUSES="0.2,0.2,0.2,1,1,1,1,1",
        )

    return start


def a_clerk(union_id: UUID) -> Caller:
    return Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(union_id))


def an_otp(seconds: float = 60) -> dict[str, Any]:
    return {**OTP, "expires_at": datetime.now(UTC) + timedelta(seconds=seconds)}


def test_an_event_that_comes_twice_is_one_message_in_the_inbox_of_its_union(
    notification: Surroundings, start: Callable[[], ServiceProcess]
) -> None:
    start()
    notification.tell(BATCH_SUBMITTED, SUBMITTED, times=3)
    posted = notification.heard(MESSAGE_POSTED).data
    assert (posted["union_id"], posted["role"], posted["kind"]) == (
        SUBMITTED["union"]["union_id"],
        "clerk",
        "batch_submitted",
    )
    clerk = a_clerk(posted["union_id"])
    page = MessagesAnswer().load(notification.ask("list_messages", clerk, {})["result"])
    assert [message["message_id"] for message in page["items"]] == [posted["message_id"]]
    assert notification.ask("list_messages", a_clerk(uuid4()), {})["result"]["items"] == []
    marked = notification.ask("mark_message_read", clerk, {"message_id": str(posted["message_id"])})
    assert marked["result"] == {"unread": 0}


def test_many_cards_of_a_batch_are_one_sms_to_its_contact(
    notification: Surroundings, start: Callable[..., ServiceProcess], provider: SmsProvider
) -> None:
    start(gather_seconds=5)
    for _ in range(12):
        notification.tell(CARDS_ISSUED, ISSUED)
    [sent] = wait_until(provider.sent, "the contact got an SMS")
    assert sent["phone"] == ISSUED["contact"]["phone"]
    assert "新增12人" in sent["text"]


def test_a_one_time_password_is_sent_once_though_answers_are_lost_and_the_service_is_killed(
    notification: Surroundings, start: Callable[[], ServiceProcess], provider: SmsProvider
) -> None:
    provider.behave("lose_answer")
    first = start()
    notification.tell(OTP_ISSUED, an_otp())
    wait_until(provider.sent, "the password was sent")
    first.kill()
    before = provider.sent()[0]["tries"]

    provider.behave("normal")
    start()
    wait_until(lambda: provider.sent()[0]["tries"] == before + 1, "the answer that was lost is asked for again")
    [sent] = provider.sent()
    assert OTP["recipient"]["code"] in sent["text"]


def test_a_provider_that_is_away_delays_an_sms_and_loses_none(
    notification: Surroundings, start: Callable[[], ServiceProcess], provider: SmsProvider
) -> None:
    provider.behave("down", for_calls=3)
    process = start()
    notification.tell(OTP_ISSUED, an_otp())
    wait_until(provider.sent, "the password was sent after all")
    assert OTP["recipient"]["code"] not in process.log
    assert OTP["recipient"]["phone"] not in process.log


def test_announcements_are_published_by_the_city_and_read_by_anybody(
    notification: Surroundings, start: Callable[[], ServiceProcess]
) -> None:
    start()
    city = Caller(account_id=str(uuid4()), roles=frozenset({"administrator"}), union_id=str(uuid4()))
    given = {"title": "系统维护通知", "body": "周六维护", "places": ["sign_in"]}
    made = AnnouncementAnswer().load(notification.ask("create_announcement", city, given)["result"])
    shown = notification.ask("list_announcements", Caller(), {"place": "sign_in"})["result"]["items"]
    assert [one["announcement_id"] for one in shown] == [str(made["announcement_id"])]
    assert notification.ask("create_announcement", a_clerk(uuid4()), given)["problem"]["code"] == "forbidden"

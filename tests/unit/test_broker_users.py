"""The publisher of a message, by the broker or by the proof of the service that has moved the message."""

from datetime import UTC, datetime, timedelta

import pytest
from amqp.basic_message import Message

from services.contracts.events.batching import PENDING_CHANGED
from services.contracts.examples import wire_example
from services.kit.amqp.broker_users import BrokerUsers, require_own_user
from services.kit.amqp.original_publisher import PROOF, Publisher, original_publisher, publisher_headers
from services.kit.events.contract import LIVE
from services.kit.events.entrypoints import Listener
from services.kit.events.envelope import Event, wrap
from services.kit.events.outbox import to_json
from services.kit.secret_values import Secret
from services.kit.settings import MessagingSettings, SettingsError
from tests.documents import event_data

URI = "amqp://cards_batching:secret@127.0.0.1:5672/cards"
BATCHING = BrokerUsers.of(URI, "batching")


QUEUE = "batching.revocation_approved"


def message(user: str | None = None, kept: object = None, body: bytes = b"{}", **headers: str) -> Message:
    """What `user` has published, with what its headers say of who published it before."""
    said = {} if kept is None else {"x-publisher": kept}
    return Message(
        body, message_id="m1", application_headers={**said, **headers}, **({"user_id": user} if user else {})
    )


def moved(come: Message, queue: str = QUEUE) -> Message:
    """The same message, moved by batching."""
    moved = message("cards_batching", body=come.body)
    moved.properties["application_headers"] = publisher_headers(come, BATCHING.own, queue)
    return moved


def refusal(come: Message, *, queue: str = QUEUE, accepts_former: bool = False) -> str | None:
    return BATCHING.refusal(come, "revocation", queue=queue, accepts_former=accepts_former)


@pytest.mark.parametrize(
    ("come", "publisher"),
    [
        (message("cards_revocation"), Publisher("cards_revocation")),
        (message("cards_revocation", kept="cards_membership"), Publisher("cards_revocation")),
        (moved(message("cards_revocation")), Publisher("cards_revocation")),
        (moved(moved(message("cards_revocation"))), Publisher("cards_revocation")),
        (message("cards_batching"), Publisher("cards_batching")),
        (moved(message()), Publisher(None)),
        (message("cards_batching", kept="cards_revocation"), Publisher("cards_revocation", is_proved=False)),
        (message("cards_batching", kept=7), Publisher(None, is_proved=False)),
        (moved(message("cards_batching", kept="cards_revocation")), Publisher("cards_revocation", is_proved=False)),
        (message(None, kept="cards_revocation"), Publisher(None)),
        (message(), Publisher(None)),
    ],
)
def test_only_what_the_service_itself_has_moved_says_who_published_it_before(
    come: Message, publisher: Publisher
) -> None:
    assert original_publisher(come, BATCHING.own, QUEUE) == publisher


@pytest.mark.parametrize("user", ["cards_validation", "revocation", "cards_batching", None])
def test_an_event_of_anybody_else_is_refused(user: str | None) -> None:
    assert refusal(message(user)) == f"published by {user or 'nobody who is named'}, not by cards_revocation"


def test_the_producers_own_event_is_taken_and_so_it_is_when_it_was_moved() -> None:
    come = message("cards_revocation")
    assert [refusal(one) for one in (come, moved(come), moved(moved(come)))] == [None, None, None]


def test_a_proof_is_good_for_one_queue_one_message_one_publisher_and_one_content() -> None:
    proof = publisher_headers(message("cards_revocation"), BATCHING.own, QUEUE)[PROOF]

    def claimed(body: bytes = b"{}", proof: str = proof) -> Message:
        return message("cards_batching", "cards_revocation", body, **{PROOF: proof})

    good, other_message = claimed(), claimed()
    other_message.properties["message_id"] = "m2"
    other_content = claimed(b"[]")
    of_another = moved(message("cards_validation"))
    of_another.headers["x-publisher"] = "cards_revocation"

    assert refusal(good) is None
    for forged in (other_message, other_content, of_another, claimed(proof="é")):
        assert "without proof" in str(refusal(forged))
    assert "without proof" in str(refusal(good, queue="batching.revocation_rejected"))


def test_what_is_not_proved_is_taken_during_an_upgrade_and_stays_unproved_when_it_is_moved() -> None:
    come = message("cards_batching", kept="cards_revocation")
    for one in (come, moved(come)):
        assert refusal(one, accepts_former=True) is None
        assert refusal(one) == "published by cards_batching, without proof that it was cards_revocation before"


def test_during_an_upgrade_what_names_nobody_is_taken_and_so_it_is_when_it_was_moved() -> None:
    for come in (message(), moved(message())):
        assert refusal(come, accepts_former=True) is None
        assert refusal(come)
    assert refusal(message("cards_validation"), accepts_former=True)


def test_where_one_user_is_shared_publishers_cannot_be_distinguished() -> None:
    assert (
        BrokerUsers.of("amqp://guest:guest@127.0.0.1//", "batching").refusal(
            message("anybody"), "revocation", queue=QUEUE, accepts_former=False
        )
        is None
    )


def test_production_wants_a_user_for_each_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    require_own_user(MessagingSettings(Secret(URI)), "batching")
    with pytest.raises(SettingsError, match="must end with gateway"):
        require_own_user(MessagingSettings(Secret(URI)), "gateway")


def test_an_upgrade_ends_automatically() -> None:
    now = datetime.now(UTC)
    running = MessagingSettings(Secret(URI), former_release_until=(now + timedelta(hours=1)).isoformat())
    over = MessagingSettings(Secret(URI), former_release_until=(now - timedelta(hours=1)).isoformat())
    assert [running.accepts_former, over.accepts_former, MessagingSettings(Secret(URI)).accepts_former] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("text", ["soon", "2026-11-30T00:00:00", "2999-01-01T00:00:00+00:00"])
def test_an_upgrade_without_an_end_in_sight_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="FORMER_RELEASE_UNTIL"):
        MessagingSettings(Secret(URI), former_release_until=text)


def test_pages_receive_only_events_that_their_producer_published(monkeypatch: pytest.MonkeyPatch) -> None:
    listener, heard = Listener(PENDING_CHANGED), list[Event]()
    listener.settings = MessagingSettings(Secret("amqp://cards_gateway:secret@127.0.0.1:5672/cards"))
    listener.users = BrokerUsers.of(listener.settings.amqp_uri, "gateway")
    monkeypatch.setattr(listener, "attempt", heard.append)
    body = to_json(wrap(PENDING_CHANGED, event_data(PENDING_CHANGED, wire_example(PENDING_CHANGED)), None))
    for user in (None, "cards_validation", "cards_gateway", "cards_batching"):
        come = Message(body, **({"user_id": user} if user else {}))
        come.delivery_info = {"routing_key": PENDING_CHANGED.key_for(LIVE)}
        listener.handle(come)

    assert [event.type for event in heard] == [PENDING_CHANGED.type]

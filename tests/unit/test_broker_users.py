"""Who published a message, by the broker's word or by that of the service which has moved it."""

from datetime import UTC, datetime, timedelta

import pytest
from amqp.basic_message import Message

from services.common.contracts.batching import PENDING_CHANGED
from services.common.contracts.event import LIVE
from services.common.contracts.examples import wire_example
from services.common.messaging.broker_users import BrokerUsers, kept_publisher, publisher_of, require_own_user
from services.common.messaging.entrypoints import Listener
from services.common.messaging.envelope import Event, wrap
from services.common.messaging.outbox import to_json
from services.common.secret_values import Secret
from services.common.settings import MessagingSettings, SettingsError

URI = "amqp://cards_batching:secret@127.0.0.1:5672/cards"
BATCHING = BrokerUsers.of(URI, "batching")


def message(user: str | None = None, kept: object = None) -> Message:
    """What `user` has published, with what its header says of who published it before."""
    headers = {} if kept is None else {"x-publisher": kept}
    return Message(b"", application_headers=headers, **({"user_id": user} if user else {}))


@pytest.mark.parametrize(
    ("come", "publisher"),
    [
        (message("cards_revocation"), "cards_revocation"),
        (message("cards_revocation", kept="cards_membership"), "cards_revocation"),
        (message("cards_batching", kept="cards_revocation"), "cards_revocation"),
        (message("cards_batching"), "cards_batching"),
        (message("cards_batching", kept=""), None),
        (message(None, kept="cards_revocation"), None),
        (message(), None),
    ],
)
def test_only_what_the_service_itself_has_moved_says_who_published_it_before(
    come: Message, publisher: str | None
) -> None:
    assert publisher_of(come, BATCHING.own) == publisher


@pytest.mark.parametrize("user", ["cards_validation", "revocation", "cards_batching", None])
def test_an_event_of_anybody_else_is_refused(user: str | None) -> None:
    refusal = BATCHING.refusal(message(user), "revocation", is_former_taken=False)
    assert refusal == f"published by {user or 'nobody who is named'}, not by cards_revocation"


def test_the_producers_own_event_is_taken_and_so_it_is_when_it_was_moved() -> None:
    come = message("cards_revocation")
    moved = message("cards_batching", kept_publisher(come, BATCHING.own)["x-publisher"])
    assert [BATCHING.refusal(one, "revocation", is_former_taken=False) for one in (come, moved)] == [None, None]


def test_during_an_upgrade_what_names_nobody_is_taken_and_so_it_is_when_it_was_moved() -> None:
    moved = message("cards_batching", kept_publisher(message(), BATCHING.own)["x-publisher"])
    for come in (message(), moved):
        assert BATCHING.refusal(come, "revocation", is_former_taken=True) is None
        assert BATCHING.refusal(come, "revocation", is_former_taken=False)
    assert BATCHING.refusal(message("cards_validation"), "revocation", is_former_taken=True)


def test_where_one_user_is_shared_nobody_can_be_told_apart() -> None:
    assert (
        BrokerUsers.of("amqp://guest:guest@127.0.0.1//", "batching").refusal(
            message("anybody"), "revocation", is_former_taken=False
        )
        is None
    )


def test_production_wants_a_user_for_each_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    require_own_user(MessagingSettings(Secret(URI)), "batching")
    with pytest.raises(SettingsError, match="must end with gateway"):
        require_own_user(MessagingSettings(Secret(URI)), "gateway")


def test_an_upgrade_ends_by_itself() -> None:
    now = datetime.now(UTC)
    running = MessagingSettings(Secret(URI), former_release_until=(now + timedelta(hours=1)).isoformat())
    over = MessagingSettings(Secret(URI), former_release_until=(now - timedelta(hours=1)).isoformat())
    assert [running.takes_former, over.takes_former, MessagingSettings(Secret(URI)).takes_former] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("text", ["soon", "2026-11-30T00:00:00", "2999-01-01T00:00:00+00:00"])
def test_an_upgrade_without_an_end_in_sight_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="FORMER_RELEASE_UNTIL"):
        MessagingSettings(Secret(URI), former_release_until=text)


def test_pages_hear_of_an_event_only_what_its_producer_published(monkeypatch: pytest.MonkeyPatch) -> None:
    listener, heard = Listener(PENDING_CHANGED), list[Event]()
    listener.settings = MessagingSettings(Secret("amqp://cards_gateway:secret@127.0.0.1:5672/cards"))
    listener.users = BrokerUsers.of(listener.settings.amqp_uri, "gateway")
    monkeypatch.setattr(listener, "attempt", heard.append)
    body = to_json(wrap(PENDING_CHANGED, PENDING_CHANGED.load(wire_example(PENDING_CHANGED)), None))
    for user in (None, "cards_validation", "cards_gateway", "cards_batching"):
        come = Message(body, **({"user_id": user} if user else {}))
        come.delivery_info = {"routing_key": PENDING_CHANGED.key_for(LIVE)}
        listener.handle(come)

    assert [event.type for event in heard] == [PENDING_CHANGED.type]

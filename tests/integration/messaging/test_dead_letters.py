"""Operators list, show, replay and discard dead letters; none is lost by it."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.dead_letters import main
from services.contracts.external import bank
from services.contracts.external.queues import BANK_QUEUES
from services.kit.amqp.connection import drop
from services.kit.amqp.queues import (
    DELIVERY_LIMIT,
    dead_letters_lock,
    declare_subscription,
    declare_transient_queue,
    declare_working_queue,
)
from services.kit.dead_letters.letters import BrokerAway, DeadLetters, InUse
from services.kit.dead_letters.replays import replays_of
from services.kit.schemas import required
from tests.integration.messaging.probe.contracts import PINGED
from tests.integration.messaging.world import DEAD, QUEUE, Outside, World, eventually
from tests.tcp_proxy import TcpProxy

PROBE_SETTINGS = {"RETRY_DELAYS": "0.1", "ATTEMPTS_OF_UNKNOWN_ERRORS": "1"}


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Tool":
    return Tool(monkeypatch, capsys)


class Tool:
    """Runs the command line on a broker; answers the exit status and what it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, amqp_uri: str, *arguments: str) -> tuple[int, str]:
        """One command."""
        self._monkeypatch.setenv("AMQP_URI", amqp_uri)
        status = main(list(arguments))
        return status, self._capsys.readouterr().out


def test_a_dead_letter_is_listed_with_its_cause_and_stays_where_it_is(world: World, tool: Tool, key: str) -> None:
    message_id = kill_one(world, key)
    for _ in range(2):
        status, printed = tool(world.amqp_uri, "list", DEAD)
        assert status == 0
        assert message_id in printed
        assert "wrong in itself" in printed
    eventually(lambda: world.outside.size(DEAD) == 1)


@pytest.mark.parametrize("queue", [DEAD, bank.BATCHES_QUEUE])
def test_what_goes_nowhere_else_stays_however_often_it_is_taken_and_returned(world: World, queue: str) -> None:
    channel = world.outside.connection.channel()
    declare_subscription(channel, "probe.pinged", PINGED)
    BANK_QUEUES.declare(channel)
    world.outside.publish("", queue, b"kept")
    for _ in range(2 * DELIVERY_LIMIT):
        channel.basic_reject(eventually(lambda: channel.basic_get(queue)).delivery_tag, requeue=True)
    assert eventually(lambda: world.outside.get(queue)).body == b"kept"


def test_a_replayed_message_is_handled_once_even_if_it_is_replayed_twice(world: World, tool: Tool, key: str) -> None:
    message_id = world.outside.knock(key, "bug-until:2")
    copy = eventually(lambda: world.outside.get(DEAD))
    for _ in range(2):
        world.outside.publish("", DEAD, copy.body, message_id=message_id, application_headers=copy.headers)
    assert tool(world.amqp_uri, "replay", DEAD, "--id", message_id)[1].endswith("replayed: 2\n")
    world.outside.knock(f"{key} after both")
    eventually(world.happened(f"{key} after both"))
    assert len(world.done(key)) == 1
    assert world.outside.size(DEAD) == 0


def test_a_replay_forgets_the_attempts_before(own_world: World, tool: Tool) -> None:
    own_world.start()
    kill_one(own_world, "a")
    own_world.stop_probes()
    assert tool(own_world.amqp_uri, "replay", DEAD, "--all")[0] == 0
    message = eventually(lambda: own_world.outside.get(QUEUE))
    assert "x-attempts" not in message.headers
    assert "x-cause" not in message.headers


def test_only_the_named_message_is_replayed_or_discarded(own_world: World, tool: Tool) -> None:
    own_world.start()
    first, second, third = (kill_one(own_world, key) for key in "abc")
    own_world.stop_probes()
    assert tool(own_world.amqp_uri, "discard", DEAD, "--id", second, "--reason", "sent by mistake")[0] == 0
    assert tool(own_world.amqp_uri, "replay", DEAD, "--id", first)[0] == 0
    assert [letter.id for letter in DeadLetters(own_world.amqp_uri).read_all(DEAD)] == [third]


def test_a_discard_is_logged_with_its_reason(world: World, tool: Tool, key: str) -> None:
    message_id = kill_one(world, key)
    _, printed = tool(world.amqp_uri, "discard", DEAD, "--all", "--reason", "sent by mistake")
    record = json.loads(printed.splitlines()[0])
    assert (record["event"], record["message_id"], record["why"]) == ("discarded", message_id, "sent by mistake")


def test_messages_that_the_broker_dead_lettered_can_be_replayed_too(amqp_uri: str, tool: Tool) -> None:
    with Outside(amqp_uri) as outside:
        declare_subscription(outside.channel, QUEUE, PINGED)
        message_id = outside.knock("a")
        for _ in range(21):
            message = eventually(lambda: outside.channel.basic_get(QUEUE))
            outside.channel.basic_reject(message.delivery_tag, requeue=True)
        eventually(lambda: outside.size(DEAD) == 1)
        assert "broker: delivery_limit" in tool(amqp_uri, "list", DEAD)[1]
        assert tool(amqp_uri, "replay", DEAD, "--id", message_id)[0] == 0
        assert eventually(lambda: outside.get(QUEUE)).properties["message_id"] == message_id


def test_in_production_nobody_replays_but_the_service_itself(
    world: World, tool: Tool, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = kill_one(world, key)
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert tool(world.amqp_uri, "replay", DEAD, "--id", message_id)[0] == 2
    assert world.outside.size(DEAD) == 1


def test_a_rejected_bank_message_is_found_and_shown_without_its_card_number(world: World, tool: Tool) -> None:
    declare_working_queue(world.outside.channel, bank.FEEDBACK_QUEUE, bank.REJECTED_QUEUE)
    body = b'{"results": [{"card_no": "6222021234567890128", "member_no": "0012345678"}]}'
    headers = {"x-reason": "unsigned", "x-original-queue": bank.FEEDBACK_QUEUE}
    world.outside.publish("", bank.REJECTED_QUEUE, body, application_headers=headers)
    eventually(lambda: world.outside.size(bank.REJECTED_QUEUE) == 1)
    listed = tool(world.amqp_uri, "list")[1]
    assert bank.REJECTED_QUEUE in listed
    [letter] = DeadLetters(world.amqp_uri).read_all(bank.REJECTED_QUEUE)
    shown = tool(world.amqp_uri, "show", bank.REJECTED_QUEUE, letter.id)[1]
    assert "unsigned" in shown
    assert "6222021234567890128" not in shown
    assert tool(world.amqp_uri, "replay", bank.REJECTED_QUEUE, "--all")[0] == 0
    assert eventually(lambda: world.outside.get(bank.FEEDBACK_QUEUE)).body == body


def test_two_operators_at_once_both_see_every_letter(amqp_uri: str) -> None:
    with Outside(amqp_uri) as outside:
        declare_subscription(outside.channel, QUEUE, PINGED)
        ids = [str(number) for number in range(7)]
        for message_id in ids:
            outside.publish("", DEAD, b"{}", message_id=message_id)
        # What its sender left holding and was killed with comes back, and is in the list too.
        killed = outside.connection.channel()
        declare_transient_queue(killed, dead_letters_lock("probe"))
        killed.basic_get(DEAD)
        impatient = DeadLetters(amqp_uri, wait_seconds=0)
        with pytest.raises(InUse):
            impatient.read_all(DEAD)
        drop(outside.connection)
    operators = DeadLetters(amqp_uri)

    def look(_: int) -> list[str]:
        return [letter.id for letter in operators.read_all(DEAD)]

    with ThreadPoolExecutor(2) as at_once:
        assert [sorted(found) for found in at_once.map(look, range(20))] == [ids] * 20


def test_thousands_of_letters_are_listed_whole_and_in_pages_the_oldest_failure_first(amqp_uri: str, tool: Tool) -> None:
    with Outside(amqp_uri) as outside:
        declare_subscription(outside.channel, QUEUE, PINGED)
        days = [f"2026-11-{day:02}T08:00:00+00:00" for day in (3, 1, 2)]
        for day in days:
            outside.publish("", DEAD, b"{}", message_id=day, application_headers={"x-last-failed-at": day})
        outside.publish_all(DEAD, ["{}"] * 3000)
    letters = DeadLetters(amqp_uri)

    assert [letter.id for letter in letters.read_all(DEAD)][-3:] == sorted(days)
    assert len(list(letters.iterate([DEAD, "nowhere.dead"]))) == 3003
    assert letters.peek(DEAD)
    assert letters.peek(QUEUE) is None
    last_page = tool(amqp_uri, "list", DEAD, "--size", "1001", "--page", "3")[1]
    assert last_page.endswith("2003 to 3003 of 3003, the oldest failure first\n")
    assert last_page.index(days[1]) < last_page.index(days[2]) < last_page.index(days[0])


def test_a_dead_letter_names_its_attempts_and_its_replays(world: World, tool: Tool, key: str) -> None:
    message_id = kill_one(world, key)
    for operator in ("ops", "night"):
        assert tool(world.amqp_uri, "replay", DEAD, "--id", message_id, "--by", operator)[0] == 0
        eventually(lambda: world.outside.size(DEAD) == 1)

    [letter] = DeadLetters(world.amqp_uri).read_all(DEAD)

    assert (letter.summary().attempts, letter.summary().replays, letter.attempts) == (3, 2, 1)
    history = letter.detail().history
    assert [(one.number, one.attempts, one.replayed_by) for one in history] == [(1, 1, "ops"), (2, 2, "night")]
    assert {one.reason for one in history} == {"wrong in itself"}
    assert letter.summary().first_failed_at == history[0].first_failed_at
    assert required(history[0].first_failed_at) < history[0].replayed_at
    assert "by night, after 2 attempts" in tool(world.amqp_uri, "show", DEAD, message_id)[1]


@pytest.mark.parametrize("made_up", ["no JSON", "[1]", '[{"number": 1}]', "{}", "[" * 100_000, 7])
def test_a_history_that_a_stranger_made_up_is_none(made_up: object) -> None:
    assert replays_of({"x-replays": made_up}) == ()


@pytest.mark.parametrize("odd", ["a/b", "a\\b", "..", "a\nb", "i" * 201])
def test_a_letter_whose_id_fits_into_no_address_has_another_and_keeps_its_own(
    world: World, tool: Tool, odd: str
) -> None:
    world.outside.publish("", DEAD, b"{}", message_id=odd, application_headers={"x-original-queue": "probe.elsewhere"})
    eventually(lambda: world.outside.size(DEAD) == 1)
    [letter] = DeadLetters(world.amqp_uri).read_all(DEAD)
    assert letter.id.startswith("sha256-")
    declare_working_queue(world.outside.channel, "probe.elsewhere", "probe.elsewhere.dead")
    assert tool(world.amqp_uri, "replay", DEAD, "--id", letter.id)[0] == 0
    assert eventually(lambda: world.outside.get("probe.elsewhere")).properties["message_id"] == odd


def test_a_reader_whose_connection_ends_is_told_to_try_again_and_takes_nothing(world: World, key: str) -> None:
    message_id = kill_one(world, key)
    with TcpProxy(world.amqp_uri) as proxy:
        letters = DeadLetters(proxy.url)
        found = letters.iterate([DEAD])
        assert next(found).id == message_id
        proxy.cut()
        with pytest.raises(BrokerAway):
            list(found)
        assert [letter.id for letter in letters.read_all(DEAD)] == [message_id]


def test_a_broker_that_is_away_ends_the_command_with_one_line(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with TcpProxy(world.amqp_uri) as proxy:
        proxy.refuse()
        monkeypatch.setenv("AMQP_URI", proxy.url)
        assert main(["list", DEAD]) == 1
    told = capsys.readouterr().err
    assert told.startswith("the broker cannot be reached, try again: ")
    assert told.count("\n") == 1


def test_a_queue_that_is_not_there_ends_the_command(world: World, tool: Tool) -> None:
    assert tool(world.amqp_uri, "list", "nowhere.dead")[0] == 1


def kill_one(world: World, key: str) -> str:
    """A knock among the dead letters; answers its id."""
    size = world.outside.size(DEAD)
    message_id = world.outside.knock(key, "reject")
    eventually(lambda: world.outside.size(DEAD) == size + 1)
    return message_id

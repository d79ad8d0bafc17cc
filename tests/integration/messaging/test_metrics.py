"""What alerts are made of: who leads the relay, whether a process can work, how long a message is in hand."""

from tests.integration.messaging.world import QUEUE, World, eventually


def test_one_relay_of_a_service_leads_and_another_when_that_is_gone(own_world: World) -> None:
    first = own_world.start()
    eventually(lambda: own_world.metric("relay_leads") == 1)

    second = own_world.start()
    eventually(lambda: "relay_on_standby" in second.log)
    assert own_world.metric("relay_leads") == 0

    first.kill()
    eventually(lambda: own_world.metric("relay_leads") == 1)


def test_without_a_database_a_process_is_not_ready_and_leads_nothing(own_world: World) -> None:
    own_world.start()
    eventually(lambda: own_world.metric("ready") == own_world.metric("relay_leads") == 1)
    with own_world.database_away():
        eventually(lambda: own_world.metric("ready") == own_world.metric("relay_leads") == 0)
    eventually(lambda: own_world.metric("ready") == own_world.metric("relay_leads") == 1)


def test_a_message_is_in_hand_until_it_is_handled(own_world: World) -> None:
    own_world.start()
    assert own_world.metric("message_in_hand_seconds", queue=QUEUE) == 0
    with own_world.gate("slow"):
        own_world.outside.knock("slow", "gate")
        own_world.wait_until_held()
        held = own_world.metric("message_in_hand_seconds", queue=QUEUE)
        assert own_world.metric("message_in_hand_seconds", queue=QUEUE) > held > 0
    eventually(lambda: own_world.metric("message_in_hand_seconds", queue=QUEUE) == 0)

"""Events are handled once, tried again while trouble passes, and never lost."""

from tests.integration.messaging.world import World, event, eventually


def test_an_event_is_handled_once_however_often_it_comes(world: World) -> None:
    world.start()
    message_id, body = event("a")
    for _ in range(3):
        world.outside.publish("events", "probe.pinged.v1", body, message_id=message_id)
    world.outside.knock("b")
    eventually(world.happened("b"))
    assert len([note for note in world.effects("a") if note != "heard"]) == 1

"""Requests and replies are published at once, not into a connection that has ended; refusals are said."""

from services.kit.amqp.publishing import DirectPublisher
from services.kit.amqp.queues import declare_exchange
from tests.integration.messaging.world import Outside, eventually
from tests.tcp_proxy import TcpProxy


def test_what_is_published_after_the_broker_has_ended_the_connection_is_not_lost(amqp_uri: str) -> None:
    with Outside(amqp_uri) as outside, TcpProxy(amqp_uri) as proxy:
        declare_exchange(outside.channel, "here")
        queue = outside.own_queue()
        outside.channel.queue_bind(queue, "here", "#")
        publisher = DirectPublisher(proxy.url, "test", seconds=30)
        for number in range(20):
            publisher.publish(b"{}", "here", str(number))
            eventually(lambda taken=number + 1: outside.size(queue) == taken)  # type: ignore[misc]
            proxy.cut()
        publisher.close()


def test_what_no_queue_has_taken_is_said_and_what_follows_is_taken(amqp_uri: str) -> None:
    with Outside(amqp_uri) as outside:
        declare_exchange(outside.channel, "here")
        queue = outside.queue_for_one()
        outside.channel.queue_bind(queue, "here", "#")
        publisher = DirectPublisher(amqp_uri, "test", seconds=30)
        taken = publisher.publish(b"1", "here", "first")
        eventually(lambda: outside.size(queue) == 1)
        refused = publisher.publish(b"2", "here", "second")
        eventually(lambda: publisher.was_refused(refused))
        assert not publisher.was_refused(taken)

        outside.get(queue)
        publisher.publish(b"3", "here", "third")
        eventually(lambda: outside.size(queue) == 1)
        message = outside.get(queue)
        assert message
        assert message.body == b"3"
        publisher.close()

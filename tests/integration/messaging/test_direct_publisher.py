"""Requests and replies are published at once, and not into a connection that the broker has ended."""

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

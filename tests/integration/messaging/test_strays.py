"""Retried messages whose queue is missing become dead letters, and block no others."""

import amqp

from deploy.broker import declare_all
from services.kit.amqp.queues import delay_exchange, strays_queue
from services.kit.dead_letters.letters import DeadLetters
from services.kit.events.failures import ORIGINAL_QUEUE
from tests.integration.messaging.world import Outside, eventually

MISSING, BEHIND = "membership.act_recorded", "membership.import_requested"
MANY = 40
"""More than RabbitMQ holds that find no queue, which is 32."""


def test_a_missing_queue_holds_up_no_other_and_what_was_for_it_can_be_replayed(module_amqp_uri: str) -> None:
    declare_all(module_amqp_uri, [0.1])
    outside = Outside(module_amqp_uri)
    outside.channel.queue_delete(MISSING)

    def wait_for(queue: str, message_id: str) -> None:
        headers = {ORIGINAL_QUEUE: queue}
        message = amqp.Message(b"{}", message_id=message_id, delivery_mode=2, application_headers=headers)
        outside.channel.basic_publish(message, delay_exchange("membership", 0.1), queue)

    for number in range(MANY):
        wait_for(MISSING, str(number))
    wait_for(BEHIND, "behind")

    eventually(lambda: outside.size(BEHIND) == 1)
    eventually(lambda: outside.size(strays_queue("membership")) == MANY)

    declare_all(module_amqp_uri, [0.1])
    replayed = DeadLetters(module_amqp_uri).replay(strays_queue("membership"), lambda _: True)
    assert sorted(replayed, key=int) == [str(number) for number in range(MANY)]
    assert [outside.size(queue) for queue in (MISSING, strays_queue("membership"))] == [MANY, 0]
    outside.close()

"""The peer: a FastStream consumer of bank results; one transaction a message, acked after its commit.

It does the minimum to apply each result once: an inbox row and an update. Settings come from AMQP_URI,
DATABASE_URL, QUEUE and CONNECTIONS, which is how many messages it handles at once, each on a connection of its own.
"""

import asyncio
import os
from typing import Any

import psycopg
from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from faststream.rabbit.schemas import QueueType

from tests.bench.peers import APPLY, REMEMBER, change_of

CONNECTIONS = int(os.environ["CONNECTIONS"])

broker = RabbitBroker(os.environ["AMQP_URI"], logger=None)
app = FastStream(broker, logger=None)
free: asyncio.Queue[psycopg.AsyncConnection[Any]] = asyncio.Queue()


@app.on_startup
async def connect() -> None:
    """Opens the connections to the database."""
    for _ in range(CONNECTIONS):
        await free.put(await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"]))


@broker.subscriber(
    RabbitQueue(os.environ["QUEUE"], queue_type=QueueType.QUORUM, durable=True, declare=False),
    channel=Channel(prefetch_count=CONNECTIONS),
    ack_policy=AckPolicy.REJECT_ON_ERROR,
)
async def apply_result(feedback: dict[str, Any]) -> None:
    """Applies one result; FastStream acks when this returns."""
    database = await free.get()
    try:
        async with database.transaction():
            remembered = await database.execute(REMEMBER, [feedback["feedback_id"]])
            if remembered.rowcount:
                await database.execute(APPLY, change_of(feedback))
    finally:
        free.put_nowait(database)


@app.after_startup
async def say_ready() -> None:
    """Prints that the peer is ready, so that the measurement begins."""
    print("ready", flush=True)


if __name__ == "__main__":
    asyncio.run(app.run())

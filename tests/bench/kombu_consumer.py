"""The limit: bank results by raw kombu, 200 messages a transaction and one ack for all, without further guarantees.

Settings come from AMQP_URI, DATABASE_URL and QUEUE.
"""

import json
import os
from typing import Any

import psycopg
from kombu import Connection, Consumer, Queue
from kombu.message import Message

from tests.bench.peers import change_of

_SIZE = 200
_LINGER_SECONDS = 0.02
_REMEMBER = "insert into inbox select unnest(%s::text[]) on conflict do nothing returning message_id"
_APPLY = """
update application set state = new.state, card_no = new.card_no, decided_at = new.decided_at
from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::uuid[]) as new (state, card_no, decided_at, application_id)
where application.application_id = new.application_id
"""


def main() -> None:
    """Consumes for ever."""
    taken: list[Message] = []
    with (
        psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database,
        Connection(os.environ["AMQP_URI"]) as connection,
        Consumer(
            connection.channel(),
            [Queue(os.environ["QUEUE"], no_declare=True)],
            on_message=taken.append,
            prefetch_count=3 * _SIZE,
        ),
    ):
        print("ready", flush=True)
        while True:
            _drain(connection, taken)
            for_now, taken[:] = taken[:_SIZE], taken[_SIZE:]
            if for_now:
                with database.transaction():
                    _apply(database, [json.loads(message.body) for message in for_now])
                for_now[-1].ack(multiple=True)


def _drain(connection: Connection, taken: list[Message]) -> None:
    while len(taken) < _SIZE:
        try:
            connection.drain_events(timeout=_LINGER_SECONDS)
        except TimeoutError:
            return


def _apply(database: "psycopg.Connection[Any]", feedbacks: list[dict[str, Any]]) -> None:
    rows = database.execute(_REMEMBER, [[feedback["feedback_id"] for feedback in feedbacks]])
    remembered = {row[0] for row in rows}
    changes = [change_of(feedback) for feedback in feedbacks if feedback["feedback_id"] in remembered]
    if changes:
        database.execute(_APPLY, [list(column) for column in zip(*changes, strict=True)])


if __name__ == "__main__":
    main()

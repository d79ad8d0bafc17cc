"""The limit: bank results by bare amqp and psycopg, 200 messages a transaction and one ack for all, no guarantee more.

Settings come from AMQP_URI, DATABASE_URL and QUEUE.
"""

import json
import os
from typing import Any

import psycopg
from amqp.basic_message import Message

from services.common.messaging.connection import open_connection

TABLES = """
create table inbox (message_id text primary key);
create table application (application_id uuid primary key, state text, card_no text, decided_at timestamptz);
"""
"""The slim tables of those that we compare with."""

REMEMBER = "insert into inbox values (%s) on conflict do nothing"
APPLY = "update application set state = %s, card_no = %s, decided_at = %s where application_id = %s"
_REMEMBER_ALL = "insert into inbox select unnest(%s::text[]) on conflict do nothing returning message_id"
_APPLY_ALL = """
update application set state = new.state, card_no = new.card_no, decided_at = new.decided_at
from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::uuid[]) as new (state, card_no, decided_at, application_id)
where application.application_id = new.application_id
"""
_SIZE = 200
_LINGER_SECONDS = 0.02


def change_of(feedback: dict[str, Any]) -> tuple[str, str | None, str, str]:
    """The values for APPLY of a feedback with one result."""
    (result,) = feedback["results"]
    return result["outcome"], result.get("card_no"), feedback["processed_at"], result["application_id"]


def main() -> None:
    """Consumes for ever."""
    taken: list[Message] = []
    connection = open_connection(os.environ["AMQP_URI"], "plain consumer")
    channel = connection.channel()
    channel.basic_qos(0, 2 * _SIZE, False)
    channel.basic_consume(os.environ["QUEUE"], callback=taken.append)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
        print("ready", flush=True)
        while True:
            _drain(connection, taken)
            for_now, taken[:] = taken[:_SIZE], taken[_SIZE:]
            if for_now:
                with database.transaction():
                    _apply(database, [json.loads(message.body) for message in for_now])
                channel.basic_ack(for_now[-1].delivery_tag, multiple=True)


def _drain(connection: Any, taken: list[Message]) -> None:
    while len(taken) < _SIZE:
        try:
            connection.drain_events(timeout=_LINGER_SECONDS)
        except TimeoutError:
            return


def _apply(database: "psycopg.Connection[Any]", feedbacks: list[dict[str, Any]]) -> None:
    rows = database.execute(_REMEMBER_ALL, [[feedback["feedback_id"] for feedback in feedbacks]])
    remembered = {row[0] for row in rows}
    changes = [change_of(feedback) for feedback in feedbacks if feedback["feedback_id"] in remembered]
    if changes:
        database.execute(_APPLY_ALL, [list(column) for column in zip(*changes, strict=True)])


if __name__ == "__main__":
    main()

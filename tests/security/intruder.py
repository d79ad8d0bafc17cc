"""An intruder with the broker password of one program only, and the administrator's tools to observe the effects."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import amqp

from deploy.local.client import wait_until
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import RPC_EXCHANGE, replies_exchange
from services.kit.data.encryption import Keyring, is_encrypted
from services.kit.dead_letters.letters import DeadLetter, DeadLetters
from services.kit.events.contract import EventContract
from services.kit.events.envelope import new_message_id, wrap
from services.kit.events.outbox import to_json
from services.kit.rpc.caller_signature import Signer
from services.kit.rpc.request import REPLY_BY_SERVICE_EXCHANGE
from services.kit.rpc.request_encryption import RequestEncrypter

REFUSED = (amqp.AccessRefused, amqp.PreconditionFailed)
BrokerOperation = Callable[[amqp.Channel], object]


class Intruder:
    """A connection as one program's user."""

    def __init__(self, connection: amqp.Connection) -> None:
        self.connection = connection

    def is_refused(self, operation: BrokerOperation) -> bool:
        """Whether the broker refuses the user to do this."""
        channel = self.connection.channel()
        channel.confirm_select()
        try:
            operation(channel)
        except REFUSED:
            return True
        finally:
            channel.close()
        return False

    def publish(self, exchange: str, routing_key: str, body: bytes, **properties: Any) -> None:
        """Publishes a message that must find a queue; raises one of REFUSED."""
        with self.connection.channel() as channel:
            channel.confirm_select()
            message = amqp.Message(body, delivery_mode=2, **properties)
            channel.basic_publish_confirm(message, exchange, routing_key, mandatory=True)


@contextmanager
def intruder(amqp_uri: str) -> Iterator[Intruder]:
    """Connects as the user of this address."""
    connection = open_connection(amqp_uri, "intruder")
    try:
        yield Intruder(connection)
    finally:
        connection.close()


class ReplyQueue:
    """An administrator's queue that receives the replies of one service, with the keys that encrypt requests to it."""

    def __init__(self, connection: amqp.Connection, service: str, public_keys: str) -> None:
        self._service = service
        self._encrypter = RequestEncrypter(public_keys)
        self._keys: dict[str, Keyring | None] = {}
        self._channel = connection.channel()
        self.address = str(self._channel.queue_declare("", exclusive=True).queue)
        self._channel.queue_bind(self.address, replies_exchange(service), self.address)

    def request(
        self, name: str, data: dict[str, Any], caller: dict[str, Any], *, seconds: float = 30, **more: Any
    ) -> "SentRequest":
        """Prepares a request to the service, encrypted for it, whose reply arrives here."""
        request = {"caller": caller, "data": data, "deadline": time.time() + seconds, **more}
        routing_key, call_id = f"{self._service}.{name}", new_message_id()
        clear = to_json({"args": [request], "kwargs": {}})
        body, self._keys[call_id] = self._encrypter.encrypt(routing_key, call_id, clear)
        return SentRequest(routing_key, call_id, self.address, body)

    def received(self) -> list[str]:
        """Returns the calls whose replies have arrived."""
        taken = []
        while (message := self._channel.basic_get(self.address, no_ack=True)) is not None:
            taken.append(str(message.properties["correlation_id"]))
        return taken

    def reply_to(self, call_id: str) -> dict[str, Any]:
        """Returns the reply to a call; skips those to others."""

        def found() -> dict[str, Any] | None:
            message = self._channel.basic_get(self.address, no_ack=True)
            if message is None or message.properties["correlation_id"] != call_id:
                return None
            keys, body = self._keys.get(call_id), message.body
            answer: dict[str, Any] = json.loads(keys.decrypt(body) if keys and is_encrypted(body) else body)["result"]
            return answer

        return wait_until(found, "the service replies")


class SentRequest:
    """A request on the wire; `signed` makes its signature."""

    def __init__(self, routing_key: str, call_id: str, reply_to: str, body: bytes) -> None:
        self.routing_key, self.call_id, self.reply_to, self.body = routing_key, call_id, reply_to, body

    def signed(self, signer: Signer) -> dict[str, str]:
        """Returns the header of a signature by this signer."""
        return signer.headers(self.routing_key, self.call_id, self.reply_to, self.body)

    def send(self, by: Intruder, headers: dict[str, str] | None = None, **properties: Any) -> str:
        """Publishes it with these headers; returns the call's id. Raises one of REFUSED."""
        by.publish(
            RPC_EXCHANGE,
            self.routing_key,
            self.body,
            reply_to=self.reply_to,
            correlation_id=self.call_id,
            application_headers={REPLY_BY_SERVICE_EXCHANGE: True, **(headers or {})},
            **properties,
        )
        return self.call_id


def forged(
    contract: EventContract, data: dict[str, Any], encrypted: dict[str, str] | None = None, **envelope: Any
) -> tuple[str, bytes]:
    """Returns the id and the body of a forged event; `encrypted` are its encrypted parts."""
    document = {**wrap(contract, data, None), **envelope}
    document["data"] |= encrypted or {}
    return document["id"], to_json(document)


def dead_letter(owner_uri: str, queue: str, message_id: str) -> DeadLetter:
    """Returns the dead letter of a message, once it exists."""

    def found() -> DeadLetter | None:
        return next((one for one in DeadLetters(owner_uri).read_all(queue) if one.id == message_id), None)

    return wait_until(found, f"{message_id} is a dead letter")


def discard(owner_uri: str, queue: str, *message_ids: str) -> None:
    """Discards dead letters that a test has made."""
    with suppress(LookupError):
        DeadLetters(owner_uri).discard(queue, lambda letter: letter.id in message_ids, "made by a test")

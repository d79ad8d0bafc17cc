"""Reads dead-letter queues: one reader at a time for each service takes all messages of a queue and returns them.

AMQP cannot read without taking: a letter that one reader holds is missing from another's list. So a reader first
declares an exclusive queue, a lock that lasts as long as its connection and so as long as it holds letters. It is on
the node of that connection, so no other node's end frees or blocks it.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import amqp
import structlog
from kombu import Connection, Consumer, Queue

from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import (
    dead_letters_lock,
    declare_transient_queue,
    depth_of,
    former_dead_letters_lock,
    owner_of,
)
from services.kit.amqp.transport import Delivery
from services.kit.events.topology import depths
from services.kit.problems import Unavailable

log = structlog.get_logger()

MOST_HELD = 65_535
"""Most letters of one queue that are read at once: AMQP counts unacked messages by 16 bits."""

_HEARTBEAT_SECONDS = 60
"""After twice as long without a heartbeat the broker frees the lock of a machine that has vanished."""
_SECONDS_AFTER_A_KILL = 0.1
"""When a reader is killed, its lock is free a moment before its letters are back in the queue."""
_SECONDS_TO_RETURN = 5.0
_SECONDS_FOR_A_LETTER = 10.0
_RETRY_AFTER = 5
_AWAY = (amqp.ConnectionError, OSError)
_IN_USE = "exclusive"
"""A word of the broker's error when a queue has a consumer already."""


class InUse(Unavailable):
    """Somebody else reads the service's dead letters, and did so for as long as we may wait."""

    def __init__(self) -> None:
        super().__init__(_RETRY_AFTER, "dead_letters_in_use", "其他人员正在查看或处理死信", "请稍候几秒再试。")


class BrokerAway(Unavailable):
    """The broker cannot be reached, or the connection ended while the letters were read; they are in their queues."""

    def __init__(self) -> None:
        super().__init__(_RETRY_AFTER, "broker_away", "消息服务暂时无法连接", "死信仍在队列中，请稍候几秒再试。")


class ExclusiveReader:
    """A connection that alone reads the dead letters of the services that it has locked."""

    def __init__(self, connection: Connection, wait_seconds: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + wait_seconds
        self._locked: set[str] = set()

    @contextmanager
    def hold(self, queue: str) -> Iterator["HeldMessages"]:
        """Holds all messages of a queue; those that are not removed are returned to it at the end.

        Raises LookupError where there is no such queue, and InUse.
        """
        self._lock(owner_of(queue))
        size = self._size(queue)
        if size is None:
            raise LookupError(f"There is no queue {queue}.")
        channel = self._connection.channel()
        held = HeldMessages(channel, queue, min(size, MOST_HELD))
        yield held
        channel.close()
        self._wait_for_return(queue, size - held.removed)

    def sizes(self, queues: Iterable[str]) -> dict[str, int]:
        """The number of letters in each of the queues that exist; raises InUse."""
        queues = list(queues)
        for queue in queues:
            self._lock(owner_of(queue))
        return {queue: ready for queue, ready, _ in depths(self._connection, queues)}

    def peek(self, queue: str) -> Delivery | None:
        """The first message of any queue; it is returned to the queue at once."""
        with self._connection.channel() as channel:
            message: Delivery | None = Queue(queue, channel=channel).get()
            return message

    def _lock(self, owner: str) -> None:
        """Waits for the lock, and until the letters of a reader that was killed are back in their queue."""
        if owner in self._locked:
            return
        while not self._try_lock(owner):
            if time.monotonic() >= self._until:
                raise InUse
            time.sleep(0.05)
        self._locked.add(owner)
        time.sleep(_SECONDS_AFTER_A_KILL)

    def _try_lock(self, owner: str) -> bool:
        try:
            declare_transient_queue(self._connection.channel(), dead_letters_lock(owner))
            self._take_former_lock(owner)
        except (amqp.ResourceLocked, InUse):
            self._connection.connection.send_heartbeat()
            return False
        return True

    def _take_former_lock(self, owner: str) -> None:
        """Takes the lock of release 0.2 too, whose processes may read beside us; raises InUse."""
        try:
            self._connection.channel().basic_consume(former_dead_letters_lock(owner), exclusive=True)
        except amqp.NotFound:
            return
        except amqp.AccessRefused as error:
            if _IN_USE not in error.reply_text:
                raise
            raise InUse from error

    def _size(self, queue: str) -> int | None:
        found = depth_of(self._connection, queue)
        return None if found is None else found[0]

    def _wait_for_return(self, queue: str, left: int) -> None:
        """Waits until the messages are back in the queue, a moment after the channel has closed."""
        deadline = time.monotonic() + _SECONDS_TO_RETURN
        while (self._size(queue) or 0) < left and time.monotonic() < deadline:
            time.sleep(0.02)


class HeldMessages:
    """Messages of one queue, all of them unacked until they are removed or returned together."""

    def __init__(self, channel: amqp.Channel, queue: str, count: int) -> None:
        self._channel = channel
        self._queue = queue
        self._count = count
        self.removed = 0

    def __iter__(self) -> Iterator[Delivery]:
        """Each message once, in the queue's order, and finally those that were returned to it meanwhile."""
        come: deque[Delivery] = deque()
        if self._count:
            Consumer(
                self._channel,
                Queue(self._queue),
                on_message=come.append,
                prefetch_count=MOST_HELD,
                auto_declare=False,
            ).consume()
        for number in range(self._count):
            try:
                while not come:
                    self._channel.connection.drain_events(timeout=_SECONDS_FOR_A_LETTER)
            except TimeoutError:
                log.warning("dead_letters_missing", queue=self._queue, missing=self._count - number)
                return
            yield come.popleft()
        while come:
            yield come.popleft()

    def remove(self, message: Delivery) -> None:
        """Deletes a message."""
        message.ack()
        self.removed += 1
        self._channel.connection.send_heartbeat()


@contextmanager
def exclusive_reader(amqp_uri: str, wait_seconds: float) -> Iterator[ExclusiveReader]:
    """Opens an ExclusiveReader, which excludes other readers until it ends; waits up to `wait_seconds` for them.

    Raises BrokerAway when there is no connection, or when it ends.
    """
    try:
        with open_connection(amqp_uri, "dead letters", heartbeat=_HEARTBEAT_SECONDS) as connection:
            yield ExclusiveReader(connection, wait_seconds)
    except _AWAY as error:
        raise BrokerAway from error

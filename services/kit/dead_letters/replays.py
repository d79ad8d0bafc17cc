"""The history of a dead letter over its replays: kept as JSON in a header of the message."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from services.kit.amqp.transport import Delivery
from services.kit.events.failures import REPLAYS, without_history

_MOST_KEPT = 10
"""How many replays are kept, the newest ones. Each has its number, so the total is known."""
LONGEST_REASON = 200
"""Most characters that are kept of each text."""


@dataclass(frozen=True)
class Replay:
    """A replay and the attempts before it; `reason` may be shortened.

    `number` counts from 1; `attempts` counts all attempts up to the replay.
    """

    number: int
    attempts: int
    first_failed_at: str | None
    failed_at: str | None
    cause: str
    reason: str
    replayed_at: str
    replayed_by: str


def replays_of(headers: Mapping[str, Any]) -> tuple[Replay, ...]:
    """The replays in a message's headers, oldest first; none where the header is not of our form."""
    try:
        return tuple(_replay(document) for document in json.loads(headers.get(REPLAYS) or "[]"))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return ()


def replayed_properties(
    message: Delivery, before: Sequence[Replay], now: Replay, publisher: Mapping[str, str]
) -> dict[str, Any]:
    """The message's properties for its replay: attempts start anew; the headers hold its replays and its publisher."""
    properties = without_history(message)
    kept = [*before, now][-_MOST_KEPT:]
    history = json.dumps([asdict(replay) for replay in kept], ensure_ascii=False)
    return {**properties, "application_headers": {**properties["application_headers"], REPLAYS: history, **publisher}}


def _replay(document: dict[str, Any]) -> Replay:
    """One replay of the header; raises one of the errors that `replays_of` treats as an invalid header."""
    replay = Replay(**{field.name: document[field.name] for field in fields(Replay)})
    texts = (replay.cause, replay.reason, replay.replayed_at, replay.replayed_by)
    moments = (replay.first_failed_at or "", replay.failed_at or "")
    if not all(isinstance(text, str) and len(text) <= LONGEST_REASON for text in (*texts, *moments)):
        raise ValueError("A replay says more or something other than we write.")
    if not all(isinstance(count, int) and count >= 0 for count in (replay.number, replay.attempts)):
        raise ValueError("A replay is counted.")
    return replay

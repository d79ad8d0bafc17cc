"""Sends batching malformed messages with valid results between them, and accounts for every message."""

import hashlib
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import amqp
import psycopg

from services.contracts.external import bank
from services.kit.amqp.connection import open_connection
from tests.chaos.poison import SECRET, Poison, Target, to_json
from tests.memory import peak_megabytes
from tests.mothers import a_card_number

WAVE = 500
EVERY = 20
"""One message in this many is a valid result."""
_LONGEST_WAVE_SECONDS = 180
_LONGEST_REASON = 1000
_OF_US = ("x-reason", "x-cause", "x-traceback")


@dataclass
class PoisonOutcome:
    """The sent messages and their outcomes."""

    sent: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rejected messages, by kind and class of the reason."""
    in_part: int = 0
    taken: int = 0
    repeated: int = 0
    true_results: int = 0
    slowest_seconds: float = 0.0
    largest_reason: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0


class Feeder:
    """The bank's side of the queue, with access to batching's database and log."""

    def __init__(self, amqp_uri: str, database_url: str, pid: int, log: Path, target: Target) -> None:
        self._connection = open_connection(amqp_uri, "bank")
        self.channel: amqp.Channel = self._connection.channel()
        self.channel.auto_decode = False
        self.channel.confirm_select()
        self._database = psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True)
        self._pid = pid
        self._log = log
        self.target = target
        self._known: dict[str, str] = {}
        """The kinds of sent messages, by the digest of id and body, or of the body alone if the id cannot be read."""
        self._left: Counter[str] = Counter()
        self._cards: list[str] = []
        self.outcome = PoisonOutcome()

    def close(self) -> None:
        """Ends both connections."""
        self._database.close()
        self._connection.close()

    def feed(self, poison: Sequence[Poison], true_ids: Sequence[str]) -> None:
        """Sends all in waves, with a valid result for each of `true_ids` between them; returns when all are settled."""
        began, true_left = time.monotonic(), list(true_ids)
        for start in range(0, len(poison), WAVE):
            published: dict[str, float] = {}
            for number, one in enumerate(poison[start : start + WAVE], start):
                self._send(one, f"poison-{number}")
                if number % EVERY == 0 and true_left:
                    feedback_id = f"true-{number}"
                    self._send(self._true_result(true_left.pop(), feedback_id), feedback_id)
                    published[feedback_id] = time.time()
            self._settle()
            self._see_applied(published)
        self.outcome.seconds += time.monotonic() - began

    def at_once(self, poison: Sequence[Poison]) -> None:
        """Sends all without waiting, as they pile up while no consumer works; `settle` waits."""
        for number, one in enumerate(poison):
            self._send(one, f"pile-{number}-{one.kind}")

    def settle(self) -> None:
        """Waits until all messages are applied or rejected; fails after a time limit."""
        self._settle()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Suspends the process meanwhile."""
        os.kill(self._pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)

    def peak_megabytes(self) -> float:
        """Returns the peak resident memory of the process."""
        return peak_megabytes(self._pid)

    def look_for_secrets(self) -> None:
        """Fails if the log contains personal data."""
        log = self._log.read_text(errors="replace")
        leaked = [secret for secret in (SECRET, *self._cards) if secret in log]
        assert not leaked, f"{len(leaked)} secrets are in the log"

    def _send(self, poison: Poison, message_id: str) -> None:
        message = poison.to_amqp(message_id)
        self.channel.basic_publish(message, "", bank.FEEDBACK_QUEUE)
        key = _key(None if poison.raw else message_id, poison.body)
        self._known[key] = poison.kind
        self._left[key] += 1
        self.outcome.sent[poison.kind] += 1
        self.outcome.megabytes += len(poison.body) / 1e6

    def _true_result(self, application_id: str, feedback_id: str) -> Poison:
        card = a_card_number()
        self._cards.append(card)
        result = {"application_id": application_id, "outcome": "issued", "card_no": card, "reason": SECRET}
        self.outcome.true_results += 1
        return self.target.signed("true", to_json(self.target.feedback(result, feedback_id=feedback_id)))

    def _settle(self) -> None:
        deadline = time.monotonic() + _LONGEST_WAVE_SECONDS
        while True:
            self._take_rejected()
            taken, in_part = self._count()
            left = sum(self.outcome.sent.values()) - taken - sum(self.outcome.rejected.values())
            if left == 0 and in_part == self.outcome.in_part:
                self.outcome.taken = taken
                return
            assert left >= 0, f"{-left} messages too many became something"
            assert time.monotonic() < deadline, f"{left} messages are neither applied nor rejected"
            time.sleep(0.05)

    def _count(self) -> tuple[int, int]:
        """Returns how many messages were applied at least in part, and how many only in part."""
        rows = self._database.execute(
            "select count(*) filter (where rejected < results),"
            " count(*) filter (where 0 < rejected and rejected < results), coalesce(sum(repeated), 0)"
            " from bank_feedback"
        ).fetchall()
        self.outcome.repeated = int(rows[0][2])
        return int(rows[0][0]), int(rows[0][1])

    def _take_rejected(self) -> None:
        while (message := self.channel.basic_get(bank.REJECTED_QUEUE, no_ack=True)) is not None:
            body, headers = message.body or b"", message.headers  # py-amqp gives an empty body as text
            reason = headers["x-reason"]
            assert reason
            assert len(reason) <= _LONGEST_REASON
            leaked = json.dumps([headers.get(name) for name in _OF_US], ensure_ascii=False)
            assert SECRET not in leaked
            assert not any(card in leaked for card in self._cards)
            self.outcome.largest_reason = max(self.outcome.largest_reason, len(reason))
            key = _key(message.properties.get("message_id"), body)
            if key not in self._known:
                assert b'"results"' in body, f"nobody sent what lies among the rejected: {reason}"
                self.outcome.in_part += 1
                continue
            assert self._left[key] > 0, f"rejected twice: {self._known[key]}, {reason}"
            self._left[key] -= 1
            self.outcome.rejected[self._known[key], _class_of(reason)] += 1

    def _see_applied(self, published: dict[str, float]) -> None:
        rows = self._database.execute(
            "select feedback_id, applied, extract(epoch from at)::float8 from bank_feedback"
            " where feedback_id = any(%s)",
            [list(published)],
        ).fetchall()
        assert {row[0] for row in rows} == set(published), "a true result was not taken"
        assert all(row[1] == 1 for row in rows), "a true result was not applied"
        self.outcome.slowest_seconds = max(
            [self.outcome.slowest_seconds, *(row[2] - published[row[0]] for row in rows)]
        )


def _key(message_id: str | None, body: bytes) -> str:
    return f"{message_id}:{hashlib.sha256(body).hexdigest()}"


def _class_of(reason: str) -> str:
    """Reduces a reason to its class, such as `card_no, unknown_application`, without line numbers."""
    codes = sorted({field or code for field, code in re.findall(r"results\.\d+(?:\.(\w+))?: (\w+)", reason)})
    return ", ".join(codes) if codes else re.sub(r"\d+", "n", reason)

"""What every service answers operators: how it does, and what lies among its dead letters; and what they do with these.

None of it shows personal data.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from nameko.extensions import DependencyProvider
from sqlalchemy.orm import Session

from services.kit.dead_letters.letters import DeadLetter, DeadLetters, oldest_first
from services.kit.events.topology import dead_queues
from services.kit.operations import audit
from services.kit.operations.health import not_ready
from services.kit.operations.operators import (
    DiscardDeadLettersRequest,
    GetDeadLetterRequest,
    GetStatusRequest,
    ReplayDeadLettersRequest,
    ServiceDeadLettersRequest,
)
from services.kit.problems import NotFound
from services.kit.rpc.methods import Caller, command, question
from services.kit.settings import MessagingSettings, ProcessSettings, read_settings

_SECONDS_TO_WAIT = 4.0
"""For another operator who reads the letters; the gateway waits ten seconds for the answer."""


class Operations(DependencyProvider):
    """How the process does, and a hand on the service's dead letters."""

    def setup(self) -> None:
        """Reads the settings."""
        self.letters = DeadLetters(read_settings(MessagingSettings).amqp_uri, wait_seconds=_SECONDS_TO_WAIT)
        self._release = read_settings(ProcessSettings).release
        self._started_at = datetime.now(UTC)

    def get_dependency(self, worker_ctx: Any) -> "Operations":
        """Itself: it is the same for all workers."""
        return self

    def status(self) -> dict[str, Any]:
        """The version of the code, since when it runs, and what keeps it from working."""
        reasons = not_ready([self.container])
        return {"release": self._release, "started_at": self._started_at, "reasons": reasons}

    def queues(self, wanted: str | None) -> list[str]:
        """The service's queues of dead letters, or the one wanted; raises NotFound for one that is not among them."""
        own = dead_queues(self.container.service_name)
        if wanted is None:
            return own
        if wanted not in own:
            raise NotFound
        return [wanted]

    def find(self, queue: str, letter_id: str) -> DeadLetter | None:
        """A letter of a queue; None where it is not there, or the queue was never needed."""
        found = [letter for letter in self.letters.each([queue]) if letter.id == letter_id]
        return found[0] if found else None


class Operable:
    """Base of each service's class."""

    operations = Operations()

    @question(GetStatusRequest)
    def get_status(self, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """How this process does."""
        return self.operations.status()

    @question(ServiceDeadLettersRequest)
    def list_dead_letters(self, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The dead letters whose last failure is the oldest, and how many there are in all; raises InUse."""
        queues = self.operations.queues(data["queue"])
        found = sorted((letter.summary() for letter in self.operations.letters.each(queues)), key=oldest_first)
        return {"items": found[: data["limit"]], "total": len(found)}

    @question(GetDeadLetterRequest)
    def get_dead_letter(self, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """One letter with its history and what is open of its content; raises InUse."""
        (queue,) = self.operations.queues(data["queue"])
        letter = self.operations.find(queue, data["id"])
        if letter is None:
            raise NotFound
        return letter.detail()

    @command(ReplayDeadLettersRequest)
    def replay_dead_letters(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Sends letters back to the queue that they came from."""
        (queue,) = self.operations.queues(data["queue"])
        wanted = _all if data["all"] else _among(data["ids"])
        ids = self.operations.letters.replay(queue, wanted, caller.account_name or "")
        audit.note(session, *audit.references("dead_letter", ids), new={"queue": queue})
        return {"ids": ids}

    @command(DiscardDeadLettersRequest)
    def discard_dead_letters(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Takes letters away for good."""
        self.operations.queues(data["queue"])
        return discard_letters(session, self.operations.letters, data)


def discard_letters(session: Session, letters: DeadLetters, data: dict[str, Any]) -> dict[str, Any]:
    """Discards letters and notes which; of the bank's, which feedbacks they were: the invariants ask for those."""
    queue, reason = data["queue"], data["reason"]
    discarded = letters.discard(queue, _among(data["ids"]), reason)
    ids = [letter.id for letter in discarded]
    feedbacks = [letter.external_id for letter in discarded if letter.external_id]
    records = [*audit.references("dead_letter", ids), *audit.references("feedback", feedbacks)]
    audit.note(session, *records, new={"queue": queue, "reason": reason})
    return {"ids": ids}


def _all(_letter: DeadLetter) -> bool:
    return True


def _among(ids: list[str]) -> Callable[[DeadLetter], bool]:
    return lambda letter: letter.id in ids

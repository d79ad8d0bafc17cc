"""The operations that every service has: its status, and its dead letters, which operators replay or discard.

None of them shows personal data.
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
    DISCARD_DEAD_LETTERS,
    GET_DEAD_LETTER,
    GET_STATUS,
    LIST_DEAD_LETTERS,
    REPLAY_DEAD_LETTERS,
    DeadLetterDetailAnswer,
    DiscardDeadLettersRequest,
    GetDeadLetterRequest,
    GetStatusRequest,
    ReplayDeadLettersRequest,
    ServiceDeadLettersAnswer,
    ServiceDeadLettersRequest,
    SettledAnswer,
    StatusAnswer,
)
from services.kit.operations.status_samples import StatusSamples
from services.kit.problems import NotFound
from services.kit.rpc.methods import handles
from services.kit.rpc.work import Work
from services.kit.schemas import required
from services.kit.settings import MessagingSettings, ProcessSettings, read_settings

_SECONDS_TO_WAIT = 4.0
"""How long to wait for another reader of the letters; the gateway waits ten seconds for the answer."""


class Operations(DependencyProvider):
    """The status of the process, and the service's dead letters."""

    def setup(self) -> None:
        """Reads the settings."""
        self.letters = DeadLetters(read_settings(MessagingSettings).amqp_uri, wait_seconds=_SECONDS_TO_WAIT)
        self._release = read_settings(ProcessSettings).release
        self._started_at = datetime.now(UTC)

    def get_dependency(self, worker_ctx: Any) -> "Operations":
        """The same object for all workers."""
        return self

    def status(self) -> StatusAnswer:
        """The version of the code, the start time, and the reasons why it cannot work."""
        reasons = not_ready([self.container])
        return StatusAnswer(release=self._release, started_at=self._started_at, reasons=reasons)

    def queues(self, name: str | None) -> list[str]:
        """The service's dead-letter queues, or the one of this name; raises NotFound where it has no such queue."""
        own = dead_queues(self.container.service_name)
        if name is None:
            return own
        if name not in own:
            raise NotFound
        return [name]

    def find(self, queue: str, letter_id: str) -> DeadLetter | None:
        """A letter of a queue; None where the letter or the queue does not exist."""
        found = [letter for letter in self.letters.iterate([queue]) if letter.id == letter_id]
        return found[0] if found else None


class BaseService:
    """Base of each service's class."""

    operations = Operations()
    status_samples = StatusSamples()

    @handles(GET_STATUS)
    def get_status(self, work: Work, request: GetStatusRequest) -> StatusAnswer:
        """The status of this process."""
        return self.operations.status()

    @handles(LIST_DEAD_LETTERS)
    def list_dead_letters(self, work: Work, request: ServiceDeadLettersRequest) -> ServiceDeadLettersAnswer:
        """The dead letters with the oldest last failures, and how many there are in all; raises InUse."""
        found = [letter.summary() for letter in self.operations.letters.iterate(self.operations.queues(request.queue))]
        found.sort(key=lambda summary: oldest_first(vars(summary)))
        return ServiceDeadLettersAnswer(items=found[: request.limit], total=len(found))

    @handles(GET_DEAD_LETTER)
    def get_dead_letter(self, work: Work, request: GetDeadLetterRequest) -> DeadLetterDetailAnswer:
        """One letter with its history and its content without personal data; raises InUse."""
        (queue,) = self.operations.queues(request.queue)
        letter = self.operations.find(queue, request.id)
        if letter is None:
            raise NotFound
        return letter.detail()

    @handles(REPLAY_DEAD_LETTERS)
    def replay_dead_letters(self, work: Work, request: ReplayDeadLettersRequest) -> SettledAnswer:
        """Sends letters back to their original queues."""
        (queue,) = self.operations.queues(request.queue)
        predicate = _all if request.all else _among(required(request.ids))
        ids = self.operations.letters.replay(queue, predicate, work.caller.account_name or "")
        audit.record(work.session, *audit.references("dead_letter", ids), new={"queue": queue})
        return SettledAnswer(ids=ids)

    @handles(DISCARD_DEAD_LETTERS)
    def discard_dead_letters(self, work: Work, request: DiscardDeadLettersRequest) -> SettledAnswer:
        """Deletes letters."""
        self.operations.queues(request.queue)
        return discard_letters(work.session, self.operations.letters, request)


def discard_letters(session: Session, letters: DeadLetters, request: DiscardDeadLettersRequest) -> SettledAnswer:
    """Deletes letters and records them; for outside parties' also their own ids, which the invariants check."""
    discarded = letters.discard(request.queue, _among(request.ids), request.reason)
    ids = [letter.id for letter in discarded]
    external = [(letter.record_kind, letter.external_id) for letter in discarded if letter.external_id]
    records = [*audit.references("dead_letter", ids), *external]
    audit.record(session, *records, new={"queue": request.queue, "reason": request.reason})
    return SettledAnswer(ids=ids)


def _all(_letter: DeadLetter) -> bool:
    return True


def _among(ids: list[str]) -> Callable[[DeadLetter], bool]:
    return lambda letter: letter.id in ids

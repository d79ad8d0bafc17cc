"""The HTTP client of the retirement registry: bulk calls with a deadline and strictly validated answers."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import pybreaker
import requests
import structlog
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from prometheus_client import Gauge, Histogram
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from services.kit.settings import settings_class
from services.kit.strict_json import read_json
from services.validation.rules import RegistryAnswer

LARGEST_CALL = 100
"""Most persons that the registry accepts in one call."""

log = structlog.get_logger()

_calls = Histogram("registry_call_seconds", "Calls of the retirement registry.", ["outcome"])
_is_away = Gauge("registry_away", "1 while the registry counts as away and is not called.")
for _outcome in ("answered", "no_answer"):
    _calls.labels(_outcome)


@settings_class
class RegistrySettings:
    """The registry's address, and the limits on calls and time."""

    registry_url: str
    registry_calls_at_once: int = 5
    registry_connect_seconds: float = 1
    registry_read_seconds: float = 3
    registry_deadline_seconds: float = 8
    """Limit for all HTTP calls of one `query` together, with their retries."""
    registry_failures: int = 3
    """After so many unanswered queries in a row the registry counts as away ..."""
    registry_rest_seconds: float = 5
    """... and is not called for this time."""
    registry_pauses: tuple[float, ...] = (2, 5, 10, 20, 30, 60)
    """Seconds between the attempts of one check; the last value repeats."""


@dataclass(frozen=True)
class RegistryQuery:
    """A person to ask the registry about; `ref` identifies the answer."""

    ref: str
    name: str
    document_number: str


class NoAnswer(Exception):
    """The registry did not answer, or not in the agreed form. The message holds no personal data."""


class Registry:
    """The registry's client: pooled connections, a few concurrent calls, and a circuit breaker while it is away.

    Safe for several workers, whose calls of `query` run one after another.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings
        self._url = f"{settings.registry_url.rstrip('/')}/v1/retirement"
        self._calls = ThreadPoolExecutor(settings.registry_calls_at_once, thread_name_prefix="registry")
        self._session = requests.Session()
        self._session.mount(self._url, _adapter(settings.registry_calls_at_once))
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=settings.registry_failures, reset_timeout=settings.registry_rest_seconds, name="registry"
        )
        _is_away.set_function(lambda: self._breaker.current_state == pybreaker.STATE_OPEN)

    def query(self, queries: Sequence[RegistryQuery]) -> dict[str, RegistryAnswer]:
        """The received answers by ref; a missing person has no answer yet.

        Takes at most `registry_deadline_seconds`. A call whose answer does not have the agreed form, or names a person
        who was not in the call, counts as unanswered as a whole.
        """
        if not queries:
            return {}
        try:
            answers = self._breaker.call(self._query_in_parts, queries)
        except (NoAnswer, pybreaker.CircuitBreakerError) as failure:
            log.warning("registry_away", persons=len(queries), reason=str(failure))
            return {}
        if len(answers) < len(queries):
            log.warning("registry_answers_incomplete", persons=len(queries), answered=len(answers))
        return answers

    def backoff_after(self, tries: int) -> float:
        """Seconds to wait before the next attempt for a person without an answer after so many attempts."""
        pauses = self._settings.registry_pauses
        return pauses[min(tries, len(pauses)) - 1]

    def close(self) -> None:
        """Cancels running calls and closes the connections."""
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def _query_in_parts(self, queries: Sequence[RegistryQuery]) -> dict[str, RegistryAnswer]:
        """The answers of all calls; raises NoAnswer only if none came, for with some the registry is not away."""
        parts = (queries[start : start + LARGEST_CALL] for start in range(0, len(queries), LARGEST_CALL))
        calls = [self._calls.submit(self._call, part) for part in parts]
        done, late = wait(calls, self._settings.registry_deadline_seconds)
        for call in late:
            call.cancel()
        answers: dict[str, RegistryAnswer] = {}
        failure = NoAnswer("no answer before the deadline")
        for call in done:
            try:
                answers |= call.result()
            except NoAnswer as no_answer:
                failure = no_answer
        if not answers:
            raise failure
        return answers

    def _call(self, queries: Sequence[RegistryQuery]) -> dict[str, RegistryAnswer]:
        persons = [
            {"ref": query.ref, "name": query.name, "document_number": query.document_number} for query in queries
        ]
        times = (self._settings.registry_connect_seconds, self._settings.registry_read_seconds)
        started, outcome = time.monotonic(), "no_answer"
        try:
            response = self._session.post(self._url, json={"persons": persons}, timeout=times, allow_redirects=False)
            response.raise_for_status()
            answers = _read_answers(read_json(response.content), {query.ref for query in queries})
            outcome = "answered"
            return answers
        except (requests.RequestException, ValidationError, ValueError) as error:
            raise NoAnswer(type(error).__name__) from error
        finally:
            _calls.labels(outcome).observe(time.monotonic() - started)


class _Result(Schema):
    class Meta:
        unknown = EXCLUDE

    ref = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(("retired", "working", "unknown")))
    since = fields.Date(allow_none=True, load_default=None)
    source = fields.String(allow_none=True, load_default=None)


class _Answer(Schema):
    class Meta:
        unknown = EXCLUDE

    results = fields.List(fields.Nested(_Result), required=True)


_ANSWER = _Answer()


def _read_answers(document: Any, requested: set[str]) -> dict[str, RegistryAnswer]:
    """The answers in a document, which may lack some of the requested ones. Raises ValidationError."""
    results = _ANSWER.load(document)["results"]
    answers = {result["ref"]: RegistryAnswer(result["status"], result["since"], result["source"]) for result in results}
    if len(answers) < len(results) or not answers.keys() <= requested:
        raise ValidationError("The answer speaks of somebody twice, or of somebody who was not asked about.")
    return answers


def _adapter(calls_at_once: int) -> HTTPAdapter:
    """An HTTP adapter that retries a failed call once, which is safe because a query changes nothing."""
    once_more = Retry(total=1, status_forcelist=(502, 503, 504), allowed_methods={"POST"}, backoff_factor=0.2)
    return HTTPAdapter(pool_connections=1, pool_maxsize=calls_at_once, max_retries=once_more)

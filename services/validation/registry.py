"""Asks the retirement registry over HTTP: in bulk, in bounded time, and never taking rubbish for an answer."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import pybreaker
import requests
import structlog
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from services.kit.settings import settings_class
from services.kit.strict_json import read_json
from services.validation.rules import RegistryAnswer

LARGEST_CALL = 100
"""How many persons the registry takes in one call."""

log = structlog.get_logger()


@settings_class
class RegistrySettings:
    """Where the registry is, and how much of it and of our time is used."""

    registry_url: str
    registry_calls_at_once: int = 5
    registry_connect_seconds: float = 1
    registry_read_seconds: float = 3
    registry_deadline_seconds: float = 8
    """For all calls of one question together, with their retries."""
    registry_failures: int = 3
    """After so many questions in a row without any answer the registry counts as away ..."""
    registry_rest_seconds: float = 5
    """... and is left alone for so long."""
    registry_pauses: tuple[float, ...] = (2, 5, 10, 20, 30, 60)
    """Seconds between the tries of one check; the last one stays."""


@dataclass(frozen=True)
class Question:
    """Whom the registry is asked about; `ref` ties its answer to the person."""

    ref: str
    name: str
    document_number: str


class NoAnswer(Exception):
    """The registry did not answer, or not in the agreed form. The message holds no personal data."""


class Registry:
    """The registry's client: pooled connections, a few calls at once, a breaker that spares a registry that is away.

    Safe for several workers; they ask one after the other.
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

    def ask(self, questions: Sequence[Question]) -> dict[str, RegistryAnswer]:
        """The answers that came, by ref: a person who is not among them has no answer yet.

        Takes `registry_deadline_seconds` at the longest. A call whose answer is not of the agreed form or speaks of
        somebody who was not asked about counts as unanswered as a whole.
        """
        if not questions:
            return {}
        try:
            answers = self._breaker.call(self._ask_in_parts, questions)
        except (NoAnswer, pybreaker.CircuitBreakerError) as trouble:
            log.warning("registry_away", persons=len(questions), reason=str(trouble))
            return {}
        if len(answers) < len(questions):
            log.warning("registry_answers_incomplete", persons=len(questions), answered=len(answers))
        return answers

    def pause_after(self, tries: int) -> float:
        """Seconds to wait before a person is asked about again who had no answer after so many tries."""
        pauses = self._settings.registry_pauses
        return pauses[min(tries, len(pauses)) - 1]

    def close(self) -> None:
        """Gives up what is under way and closes the connections."""
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def _ask_in_parts(self, questions: Sequence[Question]) -> dict[str, RegistryAnswer]:
        """Raises NoAnswer when nobody was answered: with a part of the answers the registry is not away."""
        parts = (questions[start : start + LARGEST_CALL] for start in range(0, len(questions), LARGEST_CALL))
        calls = [self._calls.submit(self._call, part) for part in parts]
        done, late = wait(calls, self._settings.registry_deadline_seconds)
        for call in late:
            call.cancel()
        answers: dict[str, RegistryAnswer] = {}
        trouble = NoAnswer("no answer before the deadline")
        for call in done:
            try:
                answers |= call.result()
            except NoAnswer as no_answer:
                trouble = no_answer
        if not answers:
            raise trouble
        return answers

    def _call(self, questions: Sequence[Question]) -> dict[str, RegistryAnswer]:
        persons = [
            {"ref": question.ref, "name": question.name, "document_number": question.document_number}
            for question in questions
        ]
        times = (self._settings.registry_connect_seconds, self._settings.registry_read_seconds)
        try:
            response = self._session.post(self._url, json={"persons": persons}, timeout=times, allow_redirects=False)
            response.raise_for_status()
            return _read_answers(read_json(response.content), {question.ref for question in questions})
        except (requests.RequestException, ValidationError, ValueError) as error:
            raise NoAnswer(type(error).__name__) from error


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


def _read_answers(document: Any, asked: set[str]) -> dict[str, RegistryAnswer]:
    """The answers in a document, fewer than were asked for where it leaves somebody out. Raises ValidationError."""
    results = _ANSWER.load(document)["results"]
    answers = {result["ref"]: RegistryAnswer(result["status"], result["since"], result["source"]) for result in results}
    if len(answers) < len(results) or not answers.keys() <= asked:
        raise ValidationError("The answer speaks of somebody twice, or of somebody who was not asked about.")
    return answers


def _adapter(calls_at_once: int) -> HTTPAdapter:
    """Tries a call once more when it fails: a question changes nothing, so it may be asked twice."""
    once_more = Retry(total=1, status_forcelist=(502, 503, 504), allowed_methods={"POST"}, backoff_factor=0.2)
    return HTTPAdapter(pool_connections=1, pool_maxsize=calls_at_once, max_retries=once_more)

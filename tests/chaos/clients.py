"""Clients that repeat unanswered requests under the same Idempotency-Key, as real ones do."""

import threading
import time
from collections import Counter
from typing import Any

import requests

from deploy.local.client import ApiClient, ApiProblem

_PAUSE = 0.5
_LONGEST_PAUSE = 3.0
_HANGS_SECONDS = 90
"""A request without an answer for this long counts as hanging: the longest deadline of a command is 30 s."""


class GaveUp(Exception):
    """The run is over, and there was no answer."""


class Tally:
    """Counts of all clients' requests and answers; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.answered = 0
        self.refused: Counter[str] = Counter()
        """Refusals below 500, by code, which clerks can always get."""
        self.retries: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()
        """Answers that no client should get."""

    def count_answer(self) -> None:
        with self._lock:
            self.answered += 1

    def count_refusal(self, code: str) -> None:
        with self._lock:
            self.refused[code] += 1

    def count_retry(self, why: str) -> None:
        with self._lock:
            self.retries[why] += 1

    def record_finding(self, what: str) -> None:
        with self._lock:
            self.findings[what] += 1


class RetryingClient(ApiClient):
    """Repeats requests until there is an answer; raises GaveUp once `over` is set, and ApiProblem for refusals."""

    def __init__(self, base: str, tally: Tally, over: threading.Event) -> None:
        super().__init__(base)
        self._tally = tally
        self._over = over

    def repeat_until(self, over: threading.Event) -> None:
        """Repeats requests until another event is set."""
        self._over = over

    def sign_in(self, account_name: str, password: str) -> ApiClient:
        """Signs in as ApiClient does; after a try whose answer was lost, with another captcha."""
        while True:
            try:
                return super().sign_in(account_name, password)
            except ApiProblem as problem:
                if problem.code != "captcha_used":
                    raise

    def _request(self, method: str, path: str, **sent: Any) -> requests.Response:
        pause = _PAUSE
        while True:
            answer = self._ask_once(method, path, **sent)
            if answer is not None:
                return answer
            if self._over.is_set():
                raise GaveUp(f"{method} {path}")
            time.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)

    def _ask_once(self, method: str, path: str, **sent: Any) -> requests.Response | None:
        """Returns the answer; None if the request must be repeated."""
        try:
            answer = self.http.request(method, f"{self.base}/api/v1/{path}", timeout=(5, _HANGS_SECONDS), **sent)
        except requests.ReadTimeout:
            self._tally.record_finding(f"{method} {_pattern(path)}: no answer in {_HANGS_SECONDS} s")
            return None
        except requests.RequestException:
            self._tally.count_retry("connection lost or refused")
            return None
        if answer.status_code == 503 and "Retry-After" in answer.headers:
            self._tally.count_retry("503 with Retry-After")
            return None
        if answer.status_code >= 500:
            self._tally.record_finding(f"{method} {_pattern(path)}: {answer.status_code} {answer.text[:200]}")
            return None
        if answer.status_code >= 400:
            problem = ApiProblem(answer.status_code, answer.json())
            self._tally.count_refusal(f"{answer.status_code} {problem.code}")
            raise problem
        self._tally.count_answer()
        return answer


def _pattern(path: str) -> str:
    """Returns the path without ids, such as `members/…`."""
    return "/".join("…" if any(letter.isdigit() for letter in part) else part for part in path.split("/"))

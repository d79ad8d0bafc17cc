"""A small HTTP client for the API, as an integrator would write one: sign in, query, command, wait."""

import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import requests

from deploy.local.captcha_solver import solved_captcha

Answer = TypeVar("Answer")
CONNECT_AND_READ_SECONDS = (5, 60)


class ApiProblem(Exception):
    """The API answered with a problem document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        reason = problem.get("detail") or problem.get("title")
        super().__init__(f"{status} {problem.get('code')}: {reason} {problem.get('fields') or ''}".rstrip())
        self.status = status
        self.code = problem.get("code")
        self.problem = problem


class ApiClient:
    """A client of the API for one account; `base` is the gateway's URL."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        self.http = requests.Session()
        self.account: dict[str, Any] = {}

    def sign_in(self, account_name: str, password: str) -> "ApiClient":
        """Signs in with a captcha that `captcha_solver` solves; later requests are of this account."""
        credentials = {"account_name": account_name, "password": password}
        self.account = self.post("sessions", {**credentials, **solved_captcha(self.post, "sign_in")})
        return self

    def request_code(self, phone: str) -> dict[str, Any]:
        """Requests a one-time password for a member's phone, which is valid for this client only."""
        sent: dict[str, Any] = self.post("personal/otp", {"phone": phone, **solved_captcha(self.post, "sms_code")})
        return sent

    def get(self, path: str, **query: Any) -> Any:
        """Returns the JSON answer to a query."""
        return self._json("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> Any:
        """Sends a command; `key` is its idempotency key (by default a new one for each call)."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return self._json("POST", path, json={} if body is None else body, headers=headers)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Changes what is at the path."""
        return self._json("PATCH", path, json=body, headers={"Idempotency-Key": str(uuid4())})

    def delete(self, path: str) -> Any:
        """Removes what is at the path."""
        return self._json("DELETE", path, headers={"Idempotency-Key": str(uuid4())})

    def upload(self, path: str, file_name: str, content: bytes) -> Any:
        """Sends a file as a form does."""
        return self._json("POST", path, files={"file": (file_name, content)}, headers={"Idempotency-Key": str(uuid4())})

    def import_members(self, file_name: str, content: bytes, seconds: float = 180) -> dict[str, Any]:
        """Imports a sheet, confirms its whole preview, and returns the import when it has ended."""
        path = f"members/imports/{self.upload('members/imports', file_name, content)['import_id']}"
        read = wait_until(lambda: self._unless(path, "reading"), "the sheet is read", seconds)
        if read["state"] == "previewed":
            self.post(f"{path}/confirm")
        return wait_until(lambda: self._unless(path, "running", "previewed"), "the import has ended", seconds)

    def download(self, path: str) -> bytes:
        """Returns a file's bytes."""
        return self._request("GET", path).content

    def all_pages(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Returns the items of all pages of a list."""
        items: list[dict[str, Any]] = []
        page = 0
        while True:
            page += 1
            answer = self.get(path, **query, page=page, size=200)
            items += answer["items"]
            if not answer["items"] or (answer["total_is_exact"] and len(items) >= answer["total"]):
                return items

    def _unless(self, path: str, *states: str) -> dict[str, Any] | None:
        found: dict[str, Any] = self.get(path)
        return None if found["state"] in states else found

    def _json(self, method: str, path: str, **sent: Any) -> Any:
        answer = self._request(method, path, **sent)
        return answer.json() if answer.content else None

    def _request(self, method: str, path: str, **sent: Any) -> requests.Response:
        answer = self.http.request(method, f"{self.base}/api/v1/{path}", timeout=CONNECT_AND_READ_SECONDS, **sent)
        if answer.status_code >= 400:
            is_problem = answer.headers.get("Content-Type", "").startswith("application/problem+json")
            raise ApiProblem(answer.status_code, answer.json() if is_problem else {"detail": answer.text[:300]})
        return answer


def wait_until(predicate: Callable[[], Answer | None], what: str, seconds: float = 60) -> Answer:
    """Calls `predicate` until its answer is truthy and returns it; raises TimeoutError naming `what`."""
    deadline = time.monotonic() + seconds
    interval = 0.02
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"Within {seconds:.0f} s it did not happen that {what}.")
        time.sleep(interval)
        interval = min(interval * 1.3, 0.3)

"""Repeats a clerk's unanswered requests, as a page does when a service is away."""

from typing import Any

from deploy.local.client import ApiClient, wait_until

_NOTHING = dict.fromkeys(("total", "passed", "failed", "unchecked", "checking", "waiting", "special"), 0)


def retry_until_answered(clerk: ApiClient, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Repeats a command under one idempotency key until it is answered."""

    def post() -> dict[str, Any] | None:
        answer = clerk.http.post(f"{clerk.base}/api/v1/{path}", json=body, headers={"Idempotency-Key": key}, timeout=60)
        if answer.status_code == 503:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    return wait_until(post, f"{path} is answered", seconds=120)


def selectable(clerk: ApiClient) -> int:
    """Returns how many members can be queued; 0 without an answer."""
    found = 0
    for page in range(1, 8):
        answer = _answered(clerk, f"members?card_state=none&size=200&page={page}")
        if answer is None:
            return 0
        found += sum(member["selectable"] for member in answer["items"])
        if not answer["items"]:
            break
    return found


def counts(clerk: ApiClient) -> dict[str, int]:
    """Returns the counts of the pending list; empty without an answer."""
    answer = _answered(clerk, "pending?size=1")
    if answer is None:
        return dict(_NOTHING)
    return {**answer["counts"]["ordinary"], "special": answer["counts"]["special"]["total"]}


def is_checked(counted: dict[str, int]) -> bool:
    """Whether each application has a result."""
    return counted["total"] > 0 and counted["unchecked"] + counted["checking"] + counted["waiting"] == 0


def _answered(clerk: ApiClient, path: str) -> dict[str, Any] | None:
    answer = clerk.http.get(f"{clerk.base}/api/v1/{path}", timeout=60)
    return answer.json() if answer.ok else None

"""Whatever is killed while members are imported, queued and checked: all of them get their result, each once."""

import signal
import time
from threading import Thread
from typing import Any

import requests

from deploy.local.client import ApiClient, wait_until
from deploy.local.demo_people import Person, fill_in, make_people
from deploy.local.stack import Stack
from services.membership.seed import demo_password

PERSONS = 600


def a_clerk_with_members(stack: Stack, count: int) -> ApiClient:
    clerk = ApiClient(stack.gateway_url).sign_in("gubei", demo_password())
    people: list[Person] = []
    for seed in range(500, 510):
        people += make_people(seed).ordinary
    sheet = fill_in(clerk.download("members/imports/template.xlsx"), people[:count])
    clerk.upload("members/imports", "members.xlsx", sheet)
    return clerk


def test_killing_services_at_work_loses_and_doubles_nothing(stack: Stack) -> None:
    clerk = a_clerk_with_members(stack, PERSONS)
    killing = Thread(target=_kill_in_turn, args=(stack, ["membership", "batching", "validation"] * 2))
    killing.start()
    wait_until(lambda: _selectable(clerk) >= PERSONS, "all members have numbers", seconds=90)
    queued = _insist(clerk, "members/queue", {"filter": {"card_state": "none"}}, "queue-all")["queued"]
    total = wait_until(
        lambda: counts if (counts := _counts(clerk))["total"] + counts["special"] >= queued else None,
        "all are listed",
        seconds=60,
    )["total"]
    _insist(clerk, "pending/validate", {}, "check-all")
    killing.join()
    counts = wait_until(
        lambda: counts if _is_checked(counts := _counts(clerk)) else None, "every check has a result", seconds=120
    )
    assert counts["total"] == total
    assert counts["passed"] + counts["failed"] == total


def test_with_the_registry_away_nobody_passes_until_it_is_back(stack: Stack) -> None:
    control = f"{stack.simulator_urls['registry']}/control"
    clerk = ApiClient(stack.gateway_url).sign_in("jianlang", demo_password())
    wait_until(lambda: _selectable(clerk) >= 40, "the demo's members have numbers")
    requests.put(control, json={"mode": "down"}, timeout=5).raise_for_status()
    clerk.post("members/queue", {"filter": {"card_state": "none"}})
    wait_until(lambda: _counts(clerk)["total"] >= 40, "all are listed")
    clerk.post("pending/validate")
    counts = wait_until(lambda: c if (c := _counts(clerk))["waiting"] else None, "checks wait", seconds=60)
    assert counts["passed"] == 0
    requests.put(control, json={"mode": "normal"}, timeout=5).raise_for_status()
    counts = wait_until(lambda: c if _is_checked(c := _counts(clerk)) else None, "all are checked", seconds=90)
    assert counts["passed"] >= 40


def _kill_in_turn(stack: Stack, programs: list[str]) -> None:
    for program in programs:
        time.sleep(1.5)
        stack.kill(program, signal.SIGKILL)


def _insist(clerk: ApiClient, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Repeats a command under one key until it is answered, as a page does when the service was away."""

    def ask() -> dict[str, Any] | None:
        answer = clerk.http.post(f"{clerk.base}/api/v1/{path}", json=body, headers={"Idempotency-Key": key}, timeout=60)
        if answer.status_code == 503:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    return wait_until(ask, f"{path} is answered", seconds=60)


def _answered(clerk: ApiClient, path: str) -> dict[str, Any] | None:
    answer = clerk.http.get(f"{clerk.base}/api/v1/{path}", timeout=60)
    return answer.json() if answer.ok else None


def _selectable(clerk: ApiClient) -> int:
    found = 0
    for page in range(1, 8):
        answer = _answered(clerk, f"members?card_state=none&size=200&page={page}")
        if answer is None:
            return 0
        found += sum(member["selectable"] for member in answer["items"])
        if not answer["items"]:
            break
    return found


def _counts(clerk: ApiClient) -> dict[str, int]:
    answer = _answered(clerk, "pending?size=1")
    if answer is None:
        return dict.fromkeys(("total", "passed", "failed", "unchecked", "checking", "waiting", "special"), 0)
    return {**answer["counts"]["ordinary"], "special": answer["counts"]["special"]["total"]}


def _is_checked(counts: dict[str, int]) -> bool:
    return counts["total"] > 0 and counts["unchecked"] + counts["checking"] + counts["waiting"] == 0

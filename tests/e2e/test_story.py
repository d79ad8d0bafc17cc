"""The manual's story from sign-in to the bank's feedback, over the public interfaces of a whole stack.

Then it is looked for: in all answers, where numbers are masked, and in all logs, where none is.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy.local import postgres
from deploy.local.client import ApiClient, ApiProblem
from deploy.local.demo import run_story
from deploy.local.demo_people import People, make_people
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack
from deploy.simulators.bank_ledger import card_number
from gateway.api import ROUTES
from services.membership.seed import demo_password

SEED = 20_260_712
CONTACT_PHONE = f"139{SEED % 10**8:08d}"
LOOKERS = ("city", "ops", "yangpu", "yangpu-admin")


@dataclass
class Transcript:
    """The JSON answers of the story by request, and what was written to logs meanwhile."""

    answers: list[tuple[str, str]] = field(default_factory=list)
    logs: dict[Path, int] = field(default_factory=dict)
    correlation_ids: dict[str, str] = field(default_factory=dict)
    """The id of the last request of each kind."""
    exit_status: int | None = None
    clerk: ApiClient | None = None

    def keep(self, method: str, path: str, answer: requests.Response) -> None:
        self.correlation_ids[f"{method} {path}"] = answer.headers["X-Correlation-Id"]
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            self.answers.append((f"{method} {path}", answer.text))

    def values_of(self, name: str) -> list[str]:
        """What answers called so, the newest first, three at the most."""
        found = dict.fromkeys(re.findall(rf'"{name}":"([^"]+)"', "".join(text for _, text in self.answers)))
        return list(found)[-3:]


@pytest.fixture(scope="module")
def people() -> People:
    return make_people(SEED)


@pytest.fixture(scope="module")
def transcript(stack: Stack, nodes: Nodes) -> Iterator[Transcript]:
    """The story, run once, with all answers."""
    transcript = Transcript(logs={path: path.stat().st_size for path in _logs(stack, nodes)})
    ask = ApiClient._request

    def ask_and_keep(client: ApiClient, method: str, path: str, **sent: Any) -> requests.Response:
        answer = ask(client, method, path, **sent)
        transcript.keep(method, path, answer)
        if path == "pending/validate":
            transcript.clerk = client
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ApiClient, "_request", ask_and_keep)
        transcript.exit_status = run_story(stack, seed=SEED)
        assert transcript.clerk is not None
        for client in (
            transcript.clerk,
            *(ApiClient(stack.gateway_url).sign_in(name, demo_password()) for name in LOOKERS),
        ):
            _look_at_everything(client, transcript)
        yield transcript


def test_the_whole_story_goes_as_the_manual_shows(transcript: Transcript) -> None:
    assert transcript.exit_status == 0


def test_no_answer_holds_a_whole_number(transcript: Transcript, people: People) -> None:
    assert len({request for request, _ in transcript.answers}) > 30
    leaks = defaultdict(set)
    numbers = [CONTACT_PHONE, *(person.document_number for person in people.importable), *_cards(transcript)]
    for request, answer in transcript.answers:
        for number in numbers:
            if number in answer:
                leaks[re.sub(r"[0-9a-f-]{36}", "…", request)].add(number)
    assert not leaks


def test_the_whole_numbers_of_a_member_are_shown_to_who_says_why(transcript: Transcript, people: People) -> None:
    assert transcript.clerk is not None
    person = people.ordinary[0]
    [member] = transcript.clerk.get("members", document_number=person.document_number)["items"]
    shown = transcript.clerk.post(f"members/{member['member_id']}/reveal", {"reason": "会员来电核对"})
    assert shown["document_number"] == person.document_number
    with pytest.raises(ApiProblem) as without_reason:
        transcript.clerk.post(f"members/{member['member_id']}/reveal", {})
    assert without_reason.value.problem["fields"][0]["field"] == "reason"


def test_no_log_holds_a_number_or_a_name(stack: Stack, nodes: Nodes, transcript: Transcript, people: People) -> None:
    numbers = {CONTACT_PHONE, *_cards(transcript), *(person.document_number for person in people.rows)}
    numbers |= {person.phone for person in people.rows if person.phone}
    names = {person.name for person in people.rows if person.name}
    # Other tests use the nodes at the same time, and people of theirs may have the commonest names.
    rare_names = {name for name in names if len(name) > 2}
    written = {path: path.read_bytes()[transcript.logs.get(path, 0) :] for path in _logs(stack, nodes)}
    assert sum(map(len, written.values())) > 100_000, "the story leaves traces"
    found = {
        path.name: _words_in(content, numbers | (names if path.parent == stack.folder / "logs" else rare_names))
        for path, content in written.items()
    }
    assert {name: hits for name, hits in found.items() if hits} == {}


@pytest.mark.parametrize(
    ("request_name", "services"),
    [
        ("POST members/queue", {"gateway", "membership", "batching"}),
        ("POST pending/validate", {"gateway", "batching", "validation"}),
    ],
)
def test_one_id_finds_a_request_in_the_logs_of_all_that_worked_for_it(
    stack: Stack, transcript: Transcript, request_name: str, services: set[str]
) -> None:
    correlation_id = transcript.correlation_ids[request_name]
    lines = [
        json.loads(line)
        for path in (stack.folder / "logs").glob("*.log")
        for line in path.read_bytes()[transcript.logs.get(path, 0) :].decode().splitlines()
        if correlation_id in line
    ]
    assert {line["service"] for line in lines if line["event"].endswith(("request", "_handled"))} >= services
    assert {line["trace_id"] for line in lines} == {correlation_id.replace("-", "")}


def _words_in(content: bytes, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.encode() in content or json.dumps(word)[1:-1].encode() in content]


def _look_at_everything(client: ApiClient, transcript: Transcript) -> None:
    """Sends every GET request, with the ids from earlier answers."""
    for route in ROUTES:
        if route.method != "GET" or isinstance(route.answer, str) or not route.path.startswith("/api/v1/"):
            continue
        for path in _filled(route.template.removeprefix("/api/v1/"), transcript):
            try:
                client.get(path)
            except ApiProblem as refused:
                if refused.status not in (403, 404, 409, 422):
                    raise


def _filled(template: str, transcript: Transcript) -> list[str]:
    names = re.findall(r"{(\w+)}", template)
    if not names:
        return [template]
    return [template.replace(f"{{{names[0]}}}", value) for value in transcript.values_of(names[0])]


def _cards(transcript: Transcript) -> set[str]:
    """The card numbers that the bank gave, or would give, to the story's members."""
    answers = "".join(text for _, text in transcript.answers)
    return {card_number(one) for one in re.findall(r'"application_id":"([^"]+)"', answers)}


def _logs(stack: Stack, nodes: Nodes) -> list[Path]:
    rabbitmq = nodes.folder / "rabbitmq"
    return [
        *(stack.folder / "logs").glob("*.log"),
        *postgres.data_folder(nodes.folder).parent.glob("*.log"),
        *rabbitmq.glob("*.log"),
        *(rabbitmq / "log").rglob("*.log"),
    ]

"""Checks a second by one, two and four processes of validation, with a registry that takes 50 ms a call."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import requests

from deploy.local.nodes import Nodes
from deploy.local.ports import LOOPBACK, hold_port
from services.contracts.events.batching import VALIDATION_REQUESTED
from services.kit.amqp.connection import OutgoingMessage
from tests.bench.environment import Options, running_program
from tests.bench.events import event_message
from tests.bench.people import make_people
from tests.bench.pile import Events, Goal, work_off_events
from tests.bench.report import Report, Row
from tests.bench.runs import Runs, ratio

TITLE = "Processes of validation"
RUNS = 3
PROCESSES = (1, 2, 4)
LEAST_RATIO = 3.6
LATENCY_MILLISECONDS = 50
_MESSAGES = {5: 200, 20: 200, 500: 40}
"""Persons a message → number of messages."""
_FACTS = (
    "name",
    "document_type",
    "document_number",
    "document_expiry",
    "document_issued",
    "birth_date",
    "sex",
    "nationality",
    "retirement_category",
    "special_retirement_month",
)
_LONGEST_SECONDS = 120
_PROGRESS = "select count(*) from application_check where checked_at is not null"


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Lets each number of processes handle the same messages, several times in turn."""
    runs = 1 if options.quick else RUNS
    rows, busy = [], {}
    with _slow_registry() as registry_url:
        environment = {**secrets, "REGISTRY_URL": registry_url}
        for persons, messages in _MESSAGES.items():
            measured: dict[int, list[float]] = {processes: [] for processes in PROCESSES}
            for _ in range(runs):
                for processes in PROCESSES:
                    number = messages // 10 if options.quick else messages
                    speed, busy[persons, processes] = _speed(on, environment, processes, persons, number)
                    measured[processes].append(speed)
            rows += _rows(persons, {processes: Runs(speeds) for processes, speeds in measured.items()})
    used = "; ".join(
        f"{persons} persons, {processes} processes: {cores:.2f}" for (persons, processes), cores in busy.items()
    )
    return Report("scaling", TITLE, rows, _HOW.format(runs=runs, latency=LATENCY_MILLISECONDS, used=used))


@contextmanager
def _slow_registry() -> Iterator[str]:
    port = hold_port()
    url = f"http://{LOOPBACK}:{port}"
    with running_program(
        "deploy.simulators.registry", {"REGISTRY_PORT": str(port), "ENVIRONMENT": "test"}, f"{url}/readyz"
    ):
        requests.put(f"{url}/control", json={"latency_ms": LATENCY_MILLISECONDS}, timeout=10).raise_for_status()
        yield url


def _speed(on: Nodes, environment: dict[str, str], processes: int, persons: int, messages: int) -> tuple[float, float]:
    """Returns checks a second from the release of the held processes, and the cores that they used."""
    checks = persons * messages
    requested = [_request(serial, persons) for serial in range(messages)]
    events = Events("batching", "validation", lambda _database_url: requested)
    seconds, used = work_off_events(on, environment, events, processes, Goal(_PROGRESS, checks, _LONGEST_SECONDS))
    return checks / seconds, used / seconds


def _request(serial: int, persons: int) -> OutgoingMessage:
    people = [{**person, "application_id": uuid4()} for person in make_people(serial * persons, persons)]
    data = {
        "union_id": uuid4(),
        "applications": [{"application_id": person["application_id"], "check_no": 1} for person in people],
        "persons": [{name: person[name] for name in ("application_id", *_FACTS)} for person in people],
    }
    return event_message(VALIDATION_REQUESTED, "validation", data)


def _rows(persons: int, speeds: dict[int, Runs]) -> list[Row]:
    one = speeds[1]
    rows = []
    for processes in PROCESSES[1:]:
        times = ratio(speeds[processes], one)
        is_aimed_at = processes == PROCESSES[-1] and persons == min(_MESSAGES)
        rows.append(
            Row(
                f"Checks by {processes} processes of validation, {persons} persons a message",
                f"one process: {one.show('a second')}",
                speeds[processes].show("a second"),
                times.show("times", 2),
                f"≥ {LEAST_RATIO:g} times" if is_aimed_at else "–",
                times.middle >= LEAST_RATIO if is_aimed_at else None,
            )
        )
    return rows


_HOW = """
Messages `validation_requested` are in the queue before the processes begin (they are held by SIGSTOP); time runs
until the last check is written. {runs} runs in turn. The simulated registry takes {latency} ms a call of at most 100
persons, and a process makes up to five calls at once for one message, one message after the other. A message of five
persons is what a clerk sends who adds a few: then a process waits for the registry most of the time, and more processes
wait side by side. With 500 persons a message, as of a union that queues thousands, a process computes more than it
waits.

What bounds the figures: with five persons the registry's time; the more persons, the more the two cores, which
processes, database, broker and registry share. Cores used by the processes of validation in the last run: {used}.
"""

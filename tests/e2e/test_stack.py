"""The whole stack: every process is ready and answers."""

import pytest
import requests

from deploy.local.processes import read_plan
from deploy.local.stack import Stack, status
from deploy.metrics_document import definitions
from services.kit.amqp.queues import owner_of
from services.kit.events.topology import event_queues


def test_every_planned_process_is_ready(stack: Stack) -> None:
    stack.wait_until_ready()
    processes = status(stack.folder)

    assert {process.name for process in processes} == {planned.name for planned in read_plan(stack.folder).processes}
    assert all(process.ready for process in processes)


def test_the_gateway_answers_where_the_stack_says(stack: Stack) -> None:
    assert requests.get(f"{stack.gateway_url}/healthz", timeout=60).ok


@pytest.mark.parametrize("program", ["membership", "validation", "batching", "revocation", "notification", "gateway"])
def test_a_process_has_the_metrics_that_the_documents_promise(stack: Stack, program: str) -> None:
    [metrics] = _metrics(stack, program)[:1]
    programs = ("all", program) if program == "gateway" else ("all", "services", program)
    promised = {one.name for one in definitions() if one.program in programs}
    assert [name for name in promised if f"\n# HELP {name} " not in f"\n{metrics}"] == []


@pytest.mark.parametrize("program", ["membership", "validation", "batching", "revocation", "notification"])
def test_counters_of_a_queue_exist_before_they_count(stack: Stack, program: str) -> None:
    [metrics] = _metrics(stack, program)[:1]
    for queue in (queue for queue in event_queues() if owner_of(queue) == program):
        for name in ("messages_handled", "messages_retried", "messages_dead_lettered", "messages_refused"):
            assert f'{name}_total{{queue="{queue}"}}' in metrics


def _metrics(stack: Stack, program: str) -> list[str]:
    """What each process of a program says at /metrics."""
    processes = (process for process in read_plan(stack.folder).processes if process.program == program)
    return [requests.get(one.ready_url.replace("/readyz", "/metrics"), timeout=60).text for one in processes]

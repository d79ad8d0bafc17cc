"""The whole stack: every process is ready and answers."""

import requests

from deploy.local.processes import read_plan
from deploy.local.stack import Stack, status


def test_every_planned_process_is_ready(stack: Stack) -> None:
    stack.wait_until_ready()
    processes = status(stack.folder)

    assert {process.name for process in processes} == {planned.name for planned in read_plan(stack.folder).processes}
    assert all(process.ready for process in processes)


def test_the_gateway_answers_where_the_stack_says(stack: Stack) -> None:
    assert requests.get(f"{stack.gateway_url}/healthz", timeout=60).ok

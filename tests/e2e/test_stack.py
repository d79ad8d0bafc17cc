"""The stack as a whole: everything is ready, and what dies comes back."""

import signal

import pytest
import requests

from deploy.local.environment import SERVICES
from deploy.local.processes import read_plan
from deploy.local.stack import Stack, status


def test_every_planned_process_is_ready(stack: Stack) -> None:
    stack.wait_until_ready()
    processes = status(stack.folder)

    assert {process.name for process in processes} == {planned.name for planned in read_plan(stack.folder).processes}
    assert all(process.ready for process in processes)


def test_the_gateway_answers_where_the_stack_says(stack: Stack) -> None:
    assert requests.get(f"{stack.gateway_url}/healthz", timeout=5).ok


@pytest.mark.parametrize("program", [*SERVICES, "gateway"])
def test_a_killed_process_is_back_and_ready(stack: Stack, program: str) -> None:
    before = stack.kill(program, signal.SIGKILL)

    stack.wait_until_ready()

    assert before
    assert not set(stack.pids(program)) & set(before)

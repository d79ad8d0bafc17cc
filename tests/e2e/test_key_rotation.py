"""Personal data gets a new key while clerks work: no request fails, and everything can be read afterwards."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from deploy.local import key_rotation
from deploy.local.client import ApiClient
from deploy.local.environment import read_keys
from deploy.local.stack import Stack, StackError
from services.membership.seed import demo_password
from tests.mothers import a_member_form

CLERKS = ("gubei", "guohua", "jianlang")


def test_keys_are_rotated_and_the_old_one_dropped_while_clerks_work(stack: Stack) -> None:
    old = _ids(stack)
    rotated = Event()
    with ThreadPoolExecutor(len(CLERKS)) as at_work:
        work = [at_work.submit(_work, stack, name, rotated.is_set) for name in CLERKS]
        try:
            assert key_rotation.rotate(stack.folder) == 0
            new = _ids(stack)
            assert new[1:] == old
            _insist(lambda: key_rotation.drop(stack.folder, old[0]) == 0)
        finally:
            rotated.set()
        done = [one.result() for one in work]

    assert _ids(stack) == new[:1]
    assert all(done), "each clerk did something meanwhile"
    for name in CLERKS:
        assert all(member["document_number"] for member in _clerk(stack, name).all_pages("members"))


def test_the_key_that_seals_cannot_be_dropped(stack: Stack) -> None:
    current = _ids(stack)[0]
    with pytest.raises(StackError, match=current):
        key_rotation.drop(stack.folder, current)
    assert _ids(stack)[0] == current


def _work(stack: Stack, name: str, is_over: Callable[[], bool]) -> int:
    """Registers, changes and reads until it is over; answers how often. Whatever is refused fails the test."""
    clerk = _clerk(stack, name)
    count = 0
    while not is_over():
        member = clerk.post("members", a_member_form())
        clerk.patch(f"members/{member['member_id']}", {"phone": f"139{count:08}"})
        found = clerk.get(f"members/{member['member_id']}")
        assert found["phone"][-4:] == f"{count:08}"[-4:]
        clerk.get("members", size=50)
        count += 1
    return count


def _insist(is_done: Callable[[], bool]) -> None:
    """The key is needed until what was told meanwhile has been published and handled."""
    deadline = time.monotonic() + 180
    while not is_done():
        assert time.monotonic() < deadline


def _clerk(stack: Stack, name: str) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in(name, demo_password())


def _ids(stack: Stack) -> list[str]:
    return [key.partition(":")[0] for key in read_keys(stack.folder)]

"""Continuous load on a running system: the manual's story repeatedly, and queries to each service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from threading import Event, Lock, Thread

import requests

from deploy.local.client import ApiClient
from deploy.local.demo import run_story
from deploy.local.demo_people import make_people
from deploy.local.stack import Stack
from services.membership.seed import demo_password

QUERIES = ("members", "pending", "batches", "revocations", "messages", "announcements", "summary")
"""A clerk's queries, at least one to each service."""


@dataclass
class Load:
    """The load on the system: the manual's story repeatedly, and queries to each service."""

    stack: Stack
    over: Event = field(default_factory=Event)
    stories: list[int] = field(default_factory=list)
    answered: int = 0
    failed: list[str] = field(default_factory=list)

    def run_stories(self, seeds: Iterator[int]) -> None:
        while not self.over.is_set():
            self.stories.append(run_story(self.stack, next(seeds)))

    def query(self) -> None:
        clerk = ApiClient(self.stack.gateway_url).sign_in("jianlang", demo_password())
        for path in cycle(QUERIES):
            if self.over.is_set():
                return
            try:
                answer = clerk.http.get(f"{clerk.base}/api/v1/{path}", timeout=60)
                if answer.status_code == requests.codes.too_many_requests:
                    self.over.wait(float(answer.headers["Retry-After"]))
                    continue
                answer.raise_for_status()
                self.answered += 1
            except requests.RequestException as error:
                self.failed.append(f"{path}: {error}")


@contextmanager
def load_on(stack: Stack, *, runs_stories: bool = True) -> Iterator[Load]:
    """Keeps the load running until the end of the block, and lets it finish."""
    load = Load(stack)
    people = [Thread(target=load.query), Thread(target=load.query)]
    if runs_stories:
        people.append(Thread(target=load.run_stories, args=(seeds,)))
    for one in people:
        one.start()
    try:
        yield load
    finally:
        load.over.set()
        for one in people:
            one.join()


def _seeds_of_strangers() -> Iterator[int]:
    """Yields seeds of stories that share no person: documents are drawn at random, and some seeds would collide."""
    known: set[str] = set()
    for seed in count(9_000):
        numbers = {person.document_number for person in make_people(seed).importable}
        if known.isdisjoint(numbers):
            known |= numbers
            yield seed


class _Shared(Iterator[int]):
    """Gives each seed to one of several threads."""

    def __init__(self, seeds: Iterator[int]) -> None:
        self._seeds = seeds
        self._lock = Lock()

    def __next__(self) -> int:
        with self._lock:
            return next(self._seeds)


seeds = _Shared(_seeds_of_strangers())
"""The seeds of all stories of a test run, for any thread."""

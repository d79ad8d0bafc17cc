"""People who work with a running system: the manual's story again and again, and questions to each service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from threading import Event, Thread

import requests

from deploy.local.client import ApiClient
from deploy.local.demo import tell_story
from deploy.local.demo_people import make_people
from deploy.local.stack import Stack
from services.membership.seed import demo_password

QUESTIONS = ("members", "pending", "batches", "revocations", "messages", "announcements", "summary")
"""What a clerk looks at, of each service something."""


@dataclass
class Work:
    """What people do with the system meanwhile: the manual's story again and again, and questions to each service."""

    stack: Stack
    over: Event = field(default_factory=Event)
    stories: list[int] = field(default_factory=list)
    answered: int = 0
    failed: list[str] = field(default_factory=list)

    def tell_stories(self, seeds: Iterator[int]) -> None:
        while not self.over.is_set():
            self.stories.append(tell_story(self.stack, next(seeds)))

    def ask(self) -> None:
        clerk = ApiClient(self.stack.gateway_url).sign_in("jianlang", demo_password())
        for question in cycle(QUESTIONS):
            if self.over.is_set():
                return
            try:
                answer = clerk.http.get(f"{clerk.base}/api/v1/{question}", timeout=60)
                if answer.status_code == requests.codes.too_many_requests:
                    self.over.wait(float(answer.headers["Retry-After"]))
                    continue
                answer.raise_for_status()
                self.answered += 1
            except requests.RequestException as error:
                self.failed.append(f"{question}: {error}")


@contextmanager
def work_at(stack: Stack, *, tells_stories: bool = True) -> Iterator[Work]:
    """Lets people work until the end of the block, and lets them finish what they are at."""
    work = Work(stack)
    people = [Thread(target=work.ask), Thread(target=work.ask)]
    if tells_stories:
        people.append(Thread(target=work.tell_stories, args=(seeds,)))
    for one in people:
        one.start()
    try:
        yield work
    finally:
        work.over.set()
        for one in people:
            one.join()


def _seeds_of_strangers() -> Iterator[int]:
    """Seeds of stories none of which has a person of another: documents are drawn, and some come twice."""
    known: set[str] = set()
    for seed in count(9_000):
        numbers = {person.document_number for person in make_people(seed).importable}
        if known.isdisjoint(numbers):
            known |= numbers
            yield seed


seeds = _seeds_of_strangers()
"""For all stories of a test run."""

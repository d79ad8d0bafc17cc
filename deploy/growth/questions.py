"""A question to a service, and how an operation, a timer or an event becomes one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.growth.rehearsal import Rehearsal
from services.kit.rpc.operation import Operation
from services.kit.rpc.request import Caller

Ask = Callable[[Rehearsal], object]


@dataclass(frozen=True)
class Question:
    """What is asked of a service.

    `may_read_much` is the reason why it may read a large table whole; others need the events of one that `is_heard`.
    """

    service: str
    title: str
    ask: Ask
    may_read_much: str | None = None
    is_heard: bool = False


def call(
    title: str, operation: Operation[Any, Any], caller: Caller, may_read_much: str | None = None, **data: Any
) -> Question:
    """The question that an operation is for, with the data of its request."""
    return Question(operation.service, title, lambda on: on.call(operation, caller, **data), may_read_much)


def timer(service: str, title: str, method: str, may_read_much: str | None = None) -> Question:
    """What a service asks itself every few seconds or minutes."""
    return Question(service, title, lambda on: on.run(method), may_read_much)

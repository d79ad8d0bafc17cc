"""A minimal batching service without a database: it answers at once, or when a test opens a gate."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from services.contracts.operations.batching import (
    GET_ATTACHMENTS,
    LIST_PENDING,
    BatchRequest,
    ListPendingAnswer,
    ListPendingRequest,
    OrdinaryCounts,
    PendingCounts,
    SpecialCounts,
)
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.methods import handles
from services.kit.rpc.paging import Counted
from services.kit.rpc.work import Work
from tests.integration.gate import Gate

_NOBODY = dict.fromkeys(("total", "passed", "failed", "unchecked", "checking", "waiting", "overdue"), 0)


class NoDatabase:
    """Provides transactions without a database."""

    @contextmanager
    def read(self) -> Iterator[None]:
        yield None

    def answer(self, query: Callable[[None], Any], *, may_lag: bool) -> Any:
        return query(None)

    @contextmanager
    def begin(self) -> Iterator[Any]:
        yield MagicMock(info={})


def list_pending(work: Work, request: ListPendingRequest) -> ListPendingAnswer:
    """Returns an empty page of the requested size."""
    counts = PendingCounts(
        ordinary=OrdinaryCounts(**_NOBODY), special=SpecialCounts(**_NOBODY, complete=0, incomplete=0, ready=0)
    )
    return ListPendingAnswer.of([], request, Counted(0, is_exact=True), counts=counts)


def get_attachments(work: Work, request: BatchRequest) -> FileAnswer:
    """Returns an empty file, once the gate of the batch's number is open."""
    Gate(Path(os.environ["GATES"]), request.batch_no).pass_through()
    return file_answer("attachments.zip", "application/zip", b"")


class TinyBatching:
    """Two of batching's methods."""

    name = "batching"
    database = NoDatabase()

    list_pending = handles(LIST_PENDING, list_pending)
    get_attachments = handles(GET_ATTACHMENTS, get_attachments)

"""A service behind the gateway that keeps nothing: it answers as batching would, at once or when a test lets it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.contracts.operations.batching import BatchRequest, ListPendingRequest
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.methods import Caller, query
from services.kit.rpc.paging import Counted, page_answer
from tests.integration.gate import Gate


class NoDatabase:
    """Transactions of nothing."""

    @contextmanager
    def read(self) -> Iterator[None]:
        yield None


class TinyBatching:
    """Two of batching's methods."""

    name = "batching"
    database = NoDatabase()

    @query(ListPendingRequest)
    def list_pending(self, session: None, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """An empty page as it was asked for."""
        return {**page_answer([], data, Counted(0, is_exact=True)), "counts": {}}

    @query(BatchRequest)
    def get_attachments(self, session: None, caller: Caller, data: dict[str, Any]) -> FileAnswer:
        """An empty file, once the gate of the batch's number is open."""
        Gate(Path(os.environ["GATES"]), data["batch_no"]).pass_through()
        return file_answer("attachments.zip", "application/zip", b"")

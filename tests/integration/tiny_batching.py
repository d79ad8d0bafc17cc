"""A service behind the gateway that keeps nothing: it answers as batching would, at once or slowly."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.common.contracts.rpc.batching import ListBranchesRequest, ListPendingRequest
from services.common.contracts.rpc.paging import Counted, page_answer
from services.common.messaging.rpc import Caller, query

SLOW_SECONDS = 3.0


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

    @query(ListBranchesRequest)
    def list_branches(self, session: None, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """No branches, after a while."""
        time.sleep(SLOW_SECONDS)
        return {"items": []}

"""The states of a revocation request: open until the superior union decides or the bank has, then for good."""

from enum import StrEnum


class RequestState(StrEnum):
    """Where a request stands: 待审核, 审核通过, 审核不通过, 无需审核."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    CLOSED = "closed"


class AlreadyDecided(Exception):
    """A decision stands for good; `state` is where it led to."""

    def __init__(self, state: RequestState) -> None:
        super().__init__(state)
        self.state = state


def decide(state: RequestState, decision: RequestState) -> RequestState:
    """The state after a decision; raises AlreadyDecided for a request that is no longer open."""
    if decision not in (RequestState.APPROVED, RequestState.REJECTED):
        raise ValueError("A decision approves or rejects.")
    return _end(state, decision)


def close(state: RequestState) -> RequestState:
    """The state when the bank has left nothing to decide; raises AlreadyDecided for a request that is not open."""
    return _end(state, RequestState.CLOSED)


def _end(state: RequestState, end: RequestState) -> RequestState:
    if state is not RequestState.REQUESTED:
        raise AlreadyDecided(state)
    return end

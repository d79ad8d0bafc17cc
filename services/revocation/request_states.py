"""The states of a revocation request: open until the superior union or the bank decides, then final."""

from enum import StrEnum


class RequestState(StrEnum):
    """The state of a request: 待审核, 审核通过, 审核不通过, 无需审核."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    CLOSED = "closed"


class AlreadyDecided(Exception):
    """The request has a final state already, which is `state`."""

    def __init__(self, state: RequestState) -> None:
        super().__init__(state)
        self.state = state


def decide(state: RequestState, decision: RequestState) -> RequestState:
    """The state after a decision; raises AlreadyDecided for a request that is no longer open."""
    if decision not in (RequestState.APPROVED, RequestState.REJECTED):
        raise ValueError("A decision approves or rejects.")
    return _end(state, decision)


def close(state: RequestState) -> RequestState:
    """The state when the bank has decided on all of the batch; raises AlreadyDecided for a request that is not open."""
    return _end(state, RequestState.CLOSED)


def _end(state: RequestState, end: RequestState) -> RequestState:
    if state is not RequestState.REQUESTED:
        raise AlreadyDecided(state)
    return end

"""The states of a revocation request: open until the superior union decides, then for good."""

from enum import StrEnum


class RequestState(StrEnum):
    """Where a request stands: 待审核, 审核通过, 审核不通过."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"


class AlreadyDecided(Exception):
    """A decision stands for good."""


def decide(state: RequestState, decision: RequestState) -> RequestState:
    """The state after a decision; raises AlreadyDecided for a request that is no longer open."""
    if decision is RequestState.REQUESTED:
        raise ValueError("A decision approves or rejects.")
    if state is not RequestState.REQUESTED:
        raise AlreadyDecided(state)
    return decision

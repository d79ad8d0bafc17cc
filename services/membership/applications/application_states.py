"""The states of an application and of a member's card, and their transitions."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """The state of an application: 待办中, 办理中, 已办卡, 银行退回, 已释放, 已移除."""

    QUEUED = "queued"
    SUBMITTED = "submitted"
    ISSUED = "issued"
    REFUSED = "refused"
    RELEASED = "released"
    REMOVED = "removed"


class CardState(StrEnum):
    """The state of a member's card: 未办卡, 待办中, 办理中, 已办卡."""

    NONE = "none"
    PENDING = "pending"
    SUBMITTED = "submitted"
    ISSUED = "issued"


LIVE = (State.QUEUED, State.SUBMITTED)
"""The states of a live application, of which a member has at most one."""

ENDED = (State.REFUSED, State.RELEASED)
"""The states of an application that ended without a card though it was submitted; its member is free again."""

_NEXT: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.QUEUED, State.SUBMITTED, State.REMOVED}),
    State.SUBMITTED: frozenset({State.ISSUED, State.REFUSED, State.RELEASED}),
    State.RELEASED: frozenset({State.ISSUED}),
    State.ISSUED: frozenset(),
    State.REFUSED: frozenset(),
    State.REMOVED: frozenset(),
}
_CARD_STATES: Mapping[State, CardState] = {
    State.QUEUED: CardState.PENDING,
    State.SUBMITTED: CardState.SUBMITTED,
    State.ISSUED: CardState.ISSUED,
    State.REFUSED: CardState.NONE,
    State.RELEASED: CardState.NONE,
    State.REMOVED: CardState.NONE,
}


def can_become(state: State, later: State) -> bool:
    """Whether an application in `state` can become `later`, directly or by steps in between.

    Events overtake one another, so the steps in between may not be known yet. A queued application that switches
    channels stays queued. A card that the bank issues after the release is a fact, so RELEASED can become ISSUED.
    """
    return later in _NEXT[state] or any(can_become(following, later) for following in _NEXT[state] - {state})


def card_state_of(state: State) -> CardState:
    """The card state of a member whose newest application is in this state."""
    return _CARD_STATES[state]

"""The states of an application, of its check, and of what the bank says of it: which step leads where."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where an application stands: 待办中, 办理中, 已办卡, 银行退回, 已释放, 已移除."""

    QUEUED = "queued"
    SUBMITTED = "submitted"
    ISSUED = "issued"
    REFUSED = "refused"
    RELEASED = "released"
    REMOVED = "removed"


class Step(StrEnum):
    """What happens to an application."""

    SUBMIT = "submit"
    REMOVE = "remove"
    ISSUE = "issue"
    REFUSE = "refuse"
    RELEASE = "release"


class Check(StrEnum):
    """How far the system check of a queued application is; `waiting` goes on by itself when the registry is back."""

    UNCHECKED = "unchecked"
    CHECKING = "checking"
    WAITING = "waiting"
    PASSED = "passed"
    FAILED = "failed"


class Outcome(StrEnum):
    """What the bank says of an applicant, in the order in which it happens; the last two decide."""

    ACCEPTED = "accepted"
    MADE = "made"
    ISSUED = "issued"
    REFUSED = "refused"


UNDER_CHECK = (Check.CHECKING, Check.WAITING)
"""While it is one of these, a result may come and no other check is asked for."""

_LEADS_TO: Mapping[Step, Mapping[State, State]] = {
    Step.SUBMIT: {State.QUEUED: State.SUBMITTED},
    Step.REMOVE: {State.QUEUED: State.REMOVED},
    Step.RELEASE: {State.SUBMITTED: State.RELEASED},
    Step.ISSUE: {State.SUBMITTED: State.ISSUED, State.RELEASED: State.ISSUED},
    Step.REFUSE: {State.SUBMITTED: State.REFUSED, State.RELEASED: State.RELEASED},
}
"""The bank's word is a fact: a card issued after the release is issued. A refusal after it changes nothing more."""

_ORDER = {None: 0, Outcome.ACCEPTED: 1, Outcome.MADE: 2, Outcome.ISSUED: 3, Outcome.REFUSED: 3}


class StepNotAllowed(Exception):
    """The application's state does not allow the step."""


class Contradiction(Exception):
    """The bank says what cannot be after what it said before; `code` is stable and for the rejected queue."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class BankStatus(NamedTuple):
    """What is known of a submitted application: its state, the bank's furthest word, the issued card."""

    state: State
    outcome: Outcome | None = None
    card: bytes | None = None


def after(state: State, step: Step) -> State:
    """The state that a step leads to; raises StepNotAllowed."""
    try:
        return _LEADS_TO[step][state]
    except KeyError:
        raise StepNotAllowed(f"{step} from {state}") from None


def states_allowing(step: Step) -> tuple[State, ...]:
    """The states that allow a step."""
    return tuple(_LEADS_TO[step])


def apply_outcome(bank_status: BankStatus, outcome: Outcome, card: bytes | None = None) -> BankStatus:
    """The standing after the bank's word; the same standing where the word is old or repeated.

    Words come in any order and more than once. Raises Contradiction for two different decisions or two different cards,
    and StepNotAllowed for an application that was never submitted.
    """
    if bank_status.outcome is Outcome.ISSUED and outcome is Outcome.ISSUED and bank_status.card != card:
        raise Contradiction("card_no_differs")
    if _are_opposite(bank_status.outcome, outcome):
        raise Contradiction(f"contradicts_{bank_status.outcome}")
    if _ORDER[outcome] <= _ORDER[bank_status.outcome]:
        return bank_status
    if outcome is Outcome.ISSUED:
        return BankStatus(after(bank_status.state, Step.ISSUE), outcome, card)
    if outcome is Outcome.REFUSED:
        return BankStatus(after(bank_status.state, Step.REFUSE), outcome, bank_status.card)
    return BankStatus(bank_status.state, outcome, bank_status.card)


def _are_opposite(first: Outcome | None, second: Outcome) -> bool:
    return (first, second) in ((Outcome.ISSUED, Outcome.REFUSED), (Outcome.REFUSED, Outcome.ISSUED))

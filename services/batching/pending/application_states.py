"""The states of an application, of its check and of its outcome at the bank, with their transitions."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from services.kit.external.contradictions import Contradiction


class State(StrEnum):
    """The state of an application: 待办中, 办理中, 已办卡, 银行退回, 已释放, 已移除."""

    QUEUED = "queued"
    SUBMITTED = "submitted"
    ISSUED = "issued"
    REFUSED = "refused"
    RELEASED = "released"
    REMOVED = "removed"


class Step(StrEnum):
    """A step that changes an application's state."""

    SUBMIT = "submit"
    REMOVE = "remove"
    ISSUE = "issue"
    REFUSE = "refuse"
    RELEASE = "release"


class Check(StrEnum):
    """The state of a queued application's system check; `waiting` resumes automatically when the registry is back."""

    UNCHECKED = "unchecked"
    CHECKING = "checking"
    WAITING = "waiting"
    PASSED = "passed"
    FAILED = "failed"


class Outcome(StrEnum):
    """The bank's outcome for an applicant, in the order in which it happens; the last two are decisions."""

    ACCEPTED = "accepted"
    MADE = "made"
    ISSUED = "issued"
    REFUSED = "refused"


UNDER_CHECK = (Check.CHECKING, Check.WAITING)
"""States in which a result is expected and no other check is requested."""

_LEADS_TO: Mapping[Step, Mapping[State, State]] = {
    Step.SUBMIT: {State.QUEUED: State.SUBMITTED},
    Step.REMOVE: {State.QUEUED: State.REMOVED},
    Step.RELEASE: {State.SUBMITTED: State.RELEASED},
    Step.ISSUE: {State.SUBMITTED: State.ISSUED, State.RELEASED: State.ISSUED},
    Step.REFUSE: {State.SUBMITTED: State.REFUSED, State.RELEASED: State.RELEASED},
}
"""The bank's outcome is a fact: a card issued after the release counts. A refusal after it changes nothing."""

_ORDER = {None: 0, Outcome.ACCEPTED: 1, Outcome.MADE: 2, Outcome.ISSUED: 3, Outcome.REFUSED: 3}


class StepNotAllowed(Exception):
    """The application's state does not allow the step."""


class BankStatus(NamedTuple):
    """The status of a submitted application: its state, the bank's furthest outcome, the issued card."""

    state: State
    outcome: Outcome | None = None
    card: bytes | None = None


def transition(state: State, step: Step) -> State:
    """The state that a step leads to; raises StepNotAllowed."""
    try:
        return _LEADS_TO[step][state]
    except KeyError:
        raise StepNotAllowed(f"{step} from {state}") from None


def states_allowing(step: Step) -> tuple[State, ...]:
    """The states that allow a step."""
    return tuple(_LEADS_TO[step])


def apply_outcome(bank_status: BankStatus, outcome: Outcome, card: bytes | None = None) -> BankStatus:
    """The status after an outcome of the bank; the same object where the outcome is old or repeated.

    Outcomes come in any order and more than once. Raises Contradiction for two different decisions or two different
    cards, and StepNotAllowed for an application that was never submitted.
    """
    if bank_status.outcome is Outcome.ISSUED and outcome is Outcome.ISSUED and bank_status.card != card:
        raise Contradiction("card_no_differs")
    if _are_opposite(bank_status.outcome, outcome):
        raise Contradiction(f"contradicts_{bank_status.outcome}")
    if _ORDER[outcome] <= _ORDER[bank_status.outcome]:
        return bank_status
    if outcome is Outcome.ISSUED:
        return BankStatus(transition(bank_status.state, Step.ISSUE), outcome, card)
    if outcome is Outcome.REFUSED:
        return BankStatus(transition(bank_status.state, Step.REFUSE), outcome, bank_status.card)
    return BankStatus(bank_status.state, outcome, bank_status.card)


def _are_opposite(first: Outcome | None, second: Outcome) -> bool:
    return (first, second) in ((Outcome.ISSUED, Outcome.REFUSED), (Outcome.REFUSED, Outcome.ISSUED))

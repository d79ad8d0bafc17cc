"""States of an application and the bank's outcomes, in any order and repeated."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.batching.pending.application_states import (
    BankStatus,
    Outcome,
    State,
    Step,
    StepNotAllowed,
    apply_outcome,
    states_allowing,
    transition,
)
from services.kit.external.contradictions import Contradiction

CARD, OTHER_CARD = b"card", b"other card"
SUBMITTED = BankStatus(State.SUBMITTED)
RELEASED = BankStatus(State.RELEASED)
PROGRESS = (Outcome.ACCEPTED, Outcome.MADE)


def said(bank_status: BankStatus, *outcomes: Outcome) -> BankStatus:
    """The standing after these words, those that contradict left out as the rejected queue takes them."""
    for outcome in outcomes:
        try:
            bank_status = apply_outcome(bank_status, outcome, CARD if outcome is Outcome.ISSUED else None)
        except Contradiction:
            continue
    return bank_status


@pytest.mark.parametrize(
    ("start", "steps", "end"),
    [
        (State.QUEUED, [Step.SUBMIT, Step.ISSUE], State.ISSUED),
        (State.QUEUED, [Step.SUBMIT, Step.REFUSE], State.REFUSED),
        (State.QUEUED, [Step.SUBMIT, Step.RELEASE], State.RELEASED),
        (State.QUEUED, [Step.SUBMIT, Step.RELEASE, Step.ISSUE], State.ISSUED),
        (State.QUEUED, [Step.SUBMIT, Step.RELEASE, Step.REFUSE], State.RELEASED),
        (State.QUEUED, [Step.REMOVE], State.REMOVED),
    ],
)
def test_an_application_goes_the_ways_of_the_design(start: State, steps: list[Step], end: State) -> None:
    for step in steps:
        start = transition(start, step)
    assert start is end


@given(st.sampled_from(State), st.sampled_from(Step))
def test_a_step_is_allowed_exactly_from_the_states_that_allow_it(state: State, step: Step) -> None:
    if state in states_allowing(step):
        assert transition(state, step) in State
    else:
        with pytest.raises(StepNotAllowed):
            transition(state, step)


@pytest.mark.parametrize("state", [State.ISSUED, State.REFUSED, State.REMOVED])
def test_what_is_decided_or_removed_cannot_be_submitted_removed_or_released(state: State) -> None:
    assert not any(state in states_allowing(step) for step in (Step.SUBMIT, Step.REMOVE, Step.RELEASE))


@given(st.lists(st.sampled_from([*PROGRESS, Outcome.ISSUED]), min_size=1), st.sampled_from([SUBMITTED, RELEASED]))
def test_the_order_and_number_of_words_do_not_matter(words: list[Outcome], start: BankStatus) -> None:
    assert {said(start, *order) for order in permutations(words[:5])} == {said(start, *sorted(set(words[:5])))}


@given(st.lists(st.sampled_from(Outcome)))
def test_the_first_decision_stands_whatever_follows(words: list[Outcome]) -> None:
    decisions = [word for word in words if word not in PROGRESS]
    states = {Outcome.ISSUED: State.ISSUED, Outcome.REFUSED: State.REFUSED}
    assert said(SUBMITTED, *words).state is (states[decisions[0]] if decisions else State.SUBMITTED)


@given(st.sampled_from(Outcome), st.sampled_from([SUBMITTED, RELEASED]))
def test_a_repeated_outcome_changes_nothing(word: Outcome, start: BankStatus) -> None:
    once = said(start, word)
    assert apply_outcome(once, word, CARD if word is Outcome.ISSUED else None) is once


def test_a_refusal_after_the_release_is_known_but_changes_no_state() -> None:
    heard = apply_outcome(RELEASED, Outcome.REFUSED)
    assert (heard.state, heard.outcome) == (State.RELEASED, Outcome.REFUSED)


@pytest.mark.parametrize(
    ("first", "second", "card", "code"),
    [
        (Outcome.ISSUED, Outcome.REFUSED, None, "contradicts_issued"),
        (Outcome.REFUSED, Outcome.ISSUED, CARD, "contradicts_refused"),
        (Outcome.ISSUED, Outcome.ISSUED, OTHER_CARD, "card_no_differs"),
    ],
)
def test_a_second_decision_that_differs_is_a_contradiction(
    first: Outcome, second: Outcome, card: bytes | None, code: str
) -> None:
    with pytest.raises(Contradiction, match=code):
        apply_outcome(said(SUBMITTED, first), second, card)


def test_the_bank_cannot_decide_what_was_never_submitted() -> None:
    with pytest.raises(StepNotAllowed):
        apply_outcome(BankStatus(State.QUEUED), Outcome.ISSUED, CARD)

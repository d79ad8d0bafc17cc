"""Which state of an application can follow which."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.membership.applications.application_states import LIVE, CardState, State, can_become, card_state_of

DECIDED = {State.REFUSED, State.REMOVED, State.ISSUED}


@pytest.mark.parametrize(
    ("state", "later"),
    [
        (State.QUEUED, State.SUBMITTED),
        (State.QUEUED, State.ISSUED),
        (State.QUEUED, State.QUEUED),
        (State.SUBMITTED, State.RELEASED),
        (State.RELEASED, State.ISSUED),
    ],
)
def test_a_later_state_can_be_applied_though_steps_between_are_missing(state: State, later: State) -> None:
    assert can_become(state, later)


@pytest.mark.parametrize(
    ("state", "later"),
    [
        (State.SUBMITTED, State.REMOVED),
        (State.SUBMITTED, State.QUEUED),
        (State.RELEASED, State.REFUSED),
        (State.RELEASED, State.SUBMITTED),
        (State.ISSUED, State.RELEASED),
    ],
)
def test_a_state_that_cannot_follow_is_known_as_such(state: State, later: State) -> None:
    assert not can_become(state, later)


@given(state=st.sampled_from(sorted(DECIDED)), later=st.sampled_from(State))
def test_nothing_follows_a_decision(state: State, later: State) -> None:
    assert not can_become(state, later)


@given(path=st.lists(st.sampled_from(State), min_size=2, max_size=5))
def test_a_state_that_can_follow_step_by_step_can_also_follow_at_once(path: list[State]) -> None:
    if all(can_become(state, later) for state, later in itertools.pairwise(path)):
        assert can_become(path[0], path[-1])


@given(state=st.sampled_from(State))
def test_a_member_is_bound_while_an_application_lives_or_a_card_is_issued(state: State) -> None:
    assert (card_state_of(state) != CardState.NONE) == (state in LIVE or state == State.ISSUED)

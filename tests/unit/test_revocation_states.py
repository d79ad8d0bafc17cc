"""The states of a revocation request: open, then decided finally."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.revocation.request_states import AlreadyDecided, RequestState, close, decide

DECISIONS = [RequestState.APPROVED, RequestState.REJECTED]


@pytest.mark.parametrize("decision", DECISIONS)
def test_an_open_request_takes_the_decision(decision: RequestState) -> None:
    assert decide(RequestState.REQUESTED, decision) is decision


@given(st.lists(st.sampled_from(DECISIONS), min_size=1))
def test_only_the_first_of_many_decisions_counts(decisions: list[RequestState]) -> None:
    state = decide(RequestState.REQUESTED, decisions[0])
    for decision in decisions[1:]:
        with pytest.raises(AlreadyDecided):
            decide(state, decision)
    assert state is decisions[0]


def test_a_closed_request_takes_no_decision_and_a_decided_one_is_not_closed() -> None:
    assert close(RequestState.REQUESTED) is RequestState.CLOSED
    for decision in DECISIONS:
        with pytest.raises(AlreadyDecided):
            decide(RequestState.CLOSED, decision)
        with pytest.raises(AlreadyDecided):
            close(decision)


def test_reopening_is_no_decision() -> None:
    with pytest.raises(ValueError, match="approves or rejects"):
        decide(RequestState.REQUESTED, RequestState.REQUESTED)

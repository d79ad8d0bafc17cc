"""The bank's results judged in memory: counts, cards and members stay consistent for any sequence of results."""

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.batching.bank.bank_results import Applicant, Applicants, Result
from services.batching.pending.application_states import BankStatus, Outcome, State
from services.kit.external.contradictions import Contradiction

BATCH = "cbc81310000000000001X20261124001"


def applicants() -> list[Applicant]:
    """Four applicants: a submitted and a released one of each of two members."""
    return [
        Applicant(UUID(int=number), UUID(int=100 + number % 2), f"{number:010}", BATCH, 1, BankStatus(start))
        for number, start in enumerate((State.SUBMITTED, State.SUBMITTED, State.RELEASED, State.RELEASED))
    ]


def results() -> st.SearchStrategy[Result]:
    return st.builds(
        lambda number, outcome, card: Result(
            BATCH,
            datetime(2026, 11, 25, tzinfo=UTC),
            UUID(int=number),
            None,
            outcome,
            card_no=f"card {card}" if outcome is Outcome.ISSUED else None,
            card=bytes([card]) if outcome is Outcome.ISSUED else None,
            reason_code="name_mismatch" if outcome is Outcome.REFUSED else None,
        ),
        st.integers(0, 4),
        st.sampled_from(Outcome),
        st.integers(0, 3),
    )


@given(st.lists(results(), max_size=30))
def test_whatever_the_bank_says_what_must_hold_holds(words: list[Result]) -> None:
    known = applicants()
    before = Counter(one.bank_status.state for one in known)
    ledger = Applicants([BATCH], known, {}, {})

    for word in words:
        try:
            ledger.apply(word)
        except Contradiction:
            continue

    issued = [one for one in known if one.bank_status.state is State.ISSUED]
    assert len({one.bank_status.card for one in issued}) == len(issued)
    assert len({one.member_id for one in issued}) == len(issued)
    assert all(one.card_no and one.decision is Outcome.ISSUED and one.version == 2 for one in issued)
    now = Counter(one.bank_status.state for one in known)
    counted = ledger.counts.get(BATCH, Counter())
    for state in (State.ISSUED, State.REFUSED, State.RELEASED):
        assert before[state] + counted[state] == now[state]


@given(st.lists(results(), max_size=20))
def test_saying_everything_again_applies_nothing(words: list[Result]) -> None:
    ledger = Applicants([BATCH], applicants(), {}, {})

    def apply(word: Result) -> bool:
        try:
            return ledger.apply(word)
        except Contradiction:
            return False

    for word in words:
        apply(word)
    assert sum(apply(word) for word in words) == 0

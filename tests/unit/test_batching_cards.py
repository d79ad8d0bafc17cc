"""Reports on cards judged in memory: any order and repetition of what the bank says leads to the same card."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.batching.cards.card_reports import CardFile, Cards, Report
from services.batching.cards.card_states import CardState, CardStep, Fact, Status, leads_to, state_of, successor_of
from services.batching.pending.application_states import State
from services.kit.external.contradictions import Contradiction

START = datetime(2026, 11, 24, 2, tzinfo=UTC)
OWN, OTHER = UUID(int=1), UUID(int=2)
FIRST, SECOND, THIRD = b"1", b"2", b"3"


def a_file(application_id: UUID = OWN, first: bytes | None = FIRST, state: str = State.ISSUED) -> CardFile:
    return CardFile(
        application_id=application_id,
        member_id=UUID(int=10 + application_id.int),
        member_no=f"{application_id.int:010}",
        state=state,
        branch_code="icbc-sh",
        is_erased=False,
        first=first,
        union_id=UUID(int=100) if first else None,
        version=0,
        made_at=START if first else None,
        card_no="6224781234567891" if first else None,
    )


def a_report(step: CardStep, card: bytes = FIRST, new_card: bytes | None = None, days: int = 1) -> Report:
    return Report(card, step, START + timedelta(days=days), OWN, new_card=new_card, new_card_no=None)


LIFE = (
    a_report(CardStep.COLLECTED, FIRST, days=1),
    a_report(CardStep.ACTIVATED, FIRST, days=2),
    a_report(CardStep.LOST, FIRST, days=3),
    a_report(CardStep.REPLACED, FIRST, SECOND, days=4),
    a_report(CardStep.CLOSED, FIRST, days=4),
    a_report(CardStep.COLLECTED, SECOND, days=5),
    a_report(CardStep.ACTIVATED, SECOND, days=6),
    a_report(CardStep.RENEWED, SECOND, THIRD, days=7),
    a_report(CardStep.COLLECTED, THIRD, days=8),
    a_report(CardStep.CLOSED, THIRD, days=9),
)
"""All that can happen to a card, without contradiction."""


def card_after(reports: Sequence[Report], *, issued_after: int = 0) -> tuple[CardState | None, int, set[int | None]]:
    """The card, its version and the versions of its steps; the issue comes after so many of the reports."""
    cards = Cards([a_file(first=FIRST if issued_after == 0 else None, state=State.SUBMITTED)])
    file = cards.files[OWN]
    for number, report in enumerate(reports):
        if number == issued_after and number:
            file.first, file.union_id, file.card_no = FIRST, UUID(int=100), "6224781234567891"
        cards.apply(report)
        file.number_steps()
    if issued_after >= len(reports):
        file.first, file.union_id, file.card_no = FIRST, UUID(int=100), "6224781234567891"
    file.number_steps()
    return file.current(), file.version, {one.version for one in file.known}


@given(st.permutations(LIFE), st.integers(0, len(LIFE)), st.lists(st.sampled_from(LIFE), max_size=5))
def test_any_order_and_any_repetition_of_reports_lead_to_the_same_card(
    order: list[Report], issued_after: int, again: list[Report]
) -> None:
    expected = card_after(LIFE)
    assert card_after([*order, *again], issued_after=issued_after) == expected
    assert card_after([*again, *order], issued_after=issued_after) == expected


@given(st.lists(st.sampled_from(LIFE), unique=True))
def test_the_first_reports_of_a_life_give_one_card_in_any_order(reports: list[Report]) -> None:
    assert len({card_after(order)[0] for order in permutations(reports[:5])}) == 1


@pytest.mark.parametrize(
    ("reports", "number", "status"),
    [
        (0, FIRST, Status.MADE),
        (1, FIRST, Status.COLLECTED),
        (2, FIRST, Status.ACTIVE),
        (3, FIRST, Status.LOST),
        (4, SECOND, Status.MADE),
        (5, SECOND, Status.MADE),
        (6, SECOND, Status.COLLECTED),
        (8, THIRD, Status.MADE),
        (10, THIRD, Status.CLOSED),
    ],
)
def test_a_card_goes_the_ways_of_the_design(reports: int, number: bytes, status: Status) -> None:
    card = state_of(FIRST, [one.fact for one in LIFE[:reports]])
    assert (card.numbers[-1], card.status) == (number, status)


def test_a_renewed_card_that_keeps_its_number_stays_as_it_is() -> None:
    cards = Cards([a_file()])
    assert cards.apply(a_report(CardStep.ACTIVATED))
    assert cards.apply(a_report(CardStep.RENEWED))
    card = cards.files[OWN].current()
    assert card is not None
    assert (card.numbers, card.status) == ((FIRST,), Status.ACTIVE)


def test_a_report_that_overtakes_the_issue_waits_and_then_counts() -> None:
    cards = Cards([a_file(first=None, state=State.SUBMITTED)])
    file = cards.files[OWN]
    assert cards.apply(a_report(CardStep.COLLECTED))
    file.number_steps()
    assert (file.current(), file.published) == (None, [])
    file.first, file.union_id = FIRST, UUID(int=100)
    file.number_steps()
    assert [(one.report.step, one.version) for one in file.published] == [(CardStep.COLLECTED, 1)]


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (a_report(CardStep.COLLECTED, b"9")._replace(application_id=None), "unknown_card"),
        (a_report(CardStep.COLLECTED)._replace(application_id=UUID(int=7)), "unknown_application"),
        (a_report(CardStep.COLLECTED)._replace(member_no="0000000009"), "member_no_differs"),
        (a_report(CardStep.COLLECTED, b"other"), "card_no_reused"),
        (a_report(CardStep.REPLACED, SECOND, b"other"), "card_no_reused"),
        (a_report(CardStep.REPLACED, FIRST, THIRD), "replaced_differently"),
        (a_report(CardStep.RENEWED, FIRST, THIRD), "replaced_differently"),
        (a_report(CardStep.REPLACED, SECOND, FIRST), "card_no_reused"),
        (a_report(CardStep.REPLACED, THIRD, SECOND), "card_no_reused"),
    ],
)
def test_a_report_that_cannot_be_true_is_a_contradiction(report: Report, code: str) -> None:
    cards = Cards([a_file(), a_file(OTHER, b"other")])
    cards.apply(a_report(CardStep.REPLACED, FIRST, SECOND))
    with pytest.raises(Contradiction) as contradiction:
        cards.apply(report)
    assert contradiction.value.code == code


def test_a_refused_application_has_no_card() -> None:
    cards = Cards([a_file(first=None, state=State.REFUSED)])
    with pytest.raises(Contradiction, match="contradicts_refused"):
        cards.apply(a_report(CardStep.COLLECTED))


def test_numbers_that_follow_one_another_before_the_first_is_known_make_no_circle() -> None:
    cards = Cards([a_file(first=None, state=State.SUBMITTED)])
    cards.apply(a_report(CardStep.REPLACED, SECOND, THIRD))
    with pytest.raises(Contradiction, match="card_no_reused"):
        cards.apply(a_report(CardStep.REPLACED, THIRD, SECOND))


def test_a_successor_is_found_and_leads_on() -> None:
    facts = [one.fact for one in LIFE]
    assert (successor_of(FIRST, facts), successor_of(THIRD, facts)) == (SECOND, None)
    assert leads_to(FIRST, THIRD, facts)
    assert not leads_to(THIRD, FIRST, facts)


class BankOfManyWords(RuleBasedStateMachine):
    """The bank says anything about two members' cards: what contradicts is rejected, and the cards stay possible."""

    @initialize()
    def start(self) -> None:
        self.cards = Cards([a_file(), a_file(OTHER, b"other")])
        self.taken: list[Report] = []

    @rule(
        application_id=st.sampled_from([OWN, OTHER, None]),
        card=st.sampled_from([FIRST, SECOND, THIRD, b"other"]),
        step=st.sampled_from(CardStep),
        new_card=st.sampled_from([FIRST, SECOND, THIRD, b"other"]),
        days=st.integers(0, 30),
    )
    def say(self, application_id: UUID | None, card: bytes, step: CardStep, new_card: bytes, days: int) -> None:
        has_new = step is CardStep.REPLACED or (step is CardStep.RENEWED and days % 2)
        if has_new and new_card == card:
            return
        report = Report(
            card, step, START + timedelta(days=days), application_id, new_card=new_card if has_new else None
        )
        try:
            if self.cards.apply(report):
                self.taken.append(report)
        except Contradiction:
            pass

    @rule(number=st.integers(0, 200))
    def repeat(self, number: int) -> None:
        """A report that was taken says nothing new the second time."""
        if self.taken:
            assert not self.cards.apply(self.taken[number % len(self.taken)])

    @invariant()
    def the_order_of_what_was_taken_does_not_matter(self) -> None:
        for file in self.cards.files.values():
            facts: list[Fact] = file.facts
            assert state_of(file.first or b"", facts) == state_of(file.first or b"", reversed(facts))

    @invariant()
    def no_number_is_current_for_two_members(self) -> None:
        numbers = [number for file in self.cards.files.values() for number in (file.current() or _NOTHING).numbers]
        assert len(numbers) == len(set(numbers))

    @invariant()
    def versions_count_the_published_steps(self) -> None:
        for file in self.cards.files.values():
            file.number_steps()
            versions = sorted(one.version for one in file.known if one.version)
            assert versions == list(range(1, file.version + 1))


_NOTHING = replace(state_of(FIRST, []), numbers=())
TestBankOfManyWords = BankOfManyWords.TestCase

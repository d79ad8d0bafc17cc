"""Learns again, from membership, what happened to cards that a restored database has forgotten."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from services.batching.cards.card_reports import CardFile, Known, Report, files_of, store_known
from services.batching.cards.card_states import FOLLOWED, CardStep
from services.batching.pending.persons import card_digest
from services.contracts.restores import KnownCardStep

_UNKNOWN_CLERK = UUID(int=0)
"""In place of the clerk who handed a card out: membership knows only that the union did."""


def learn_steps(session: Session, steps: Iterable[KnownCardStep]) -> list[str]:
    """Adds the steps that the cards lack, without publishing them; returns what it has done, in words."""
    by_card: defaultdict[UUID, list[KnownCardStep]] = defaultdict(list)
    for step in steps:
        if step.card_no:  # an erased member's have none
            by_card[step.application_id].append(step)
    files = files_of(session, by_card)
    learned = sum(_learn(file, by_card[file.application_id]) for file in files)
    store_known(session, files)
    return [f"{learned} steps of cards"] if learned else []


def _learn(file: CardFile, steps: Sequence[KnownCardStep]) -> int:
    """Adds the later steps to a card's reports; returns how many."""
    if file.card_no is None or file.first_card_no is None:
        return 0
    number, before = file.first_card_no, file.version
    for step in sorted(steps, key=lambda one: one.version):
        follows = CardStep(step.step) in FOLLOWED and step.card_no != number
        if step.version > before:
            file.known.append(Known(_report(file, step, number, follows), version=step.version))
            file.version = step.version
        number = step.card_no if follows else number
    return file.version - before


def _report(file: CardFile, step: KnownCardStep, number: str, follows: bool) -> Report:
    return Report(
        card=card_digest(number),
        step=CardStep(step.step),
        happened_at=step.happened_at,
        application_id=file.application_id,
        new_card=card_digest(step.card_no) if follows else None,
        new_card_no=step.card_no if follows else None,
        reported_by=_UNKNOWN_CLERK if step.by_union else None,
    )

"""Judges reports on cards in memory, stores them, and publishes the changed cards.

Reports come in any order and more than once: the state of a card is computed from all of them (see card_states). One
that overtakes the issue or the replacement that it follows is stored, and counts once its number is known.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, select, union, update
from sqlalchemy.orm import Session

from services.batching.cards.card_states import CardState, CardStep, Fact, leads_to, state_of, successor_of
from services.batching.models import Application, Batch, Card, CardReport
from services.batching.pending.application_states import State
from services.contracts.events.batching import CARDS_CHANGED, CardNumber, CardsChangedData, ChangedCard
from services.contracts.shared import ERASED_NAME
from services.kit.data.bulk import insert_rows, is_any_of, types_of, values_table
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish_all
from services.kit.external.contradictions import Contradiction
from services.kit.schemas import required

TAKEN_ONCE = (
    "uq_card_card_digest",
    "uq_card_report_step",
    "uq_card_report_new_card_digest",
    "uq_card_report_successor",
)
"""Unique indexes that two processes can violate when both find the same number or step unused."""

_CHANGE = types_of(
    Card,
    (
        *("application_id", "status", "version", "card_no", "card_digest", "made_at"),
        *("collected_at", "activated_at", "lost_at", "closed_at", "collected_by"),
    ),
)


class Report(NamedTuple):
    """One step of the card of a number, by the bank, or by the clerk `reported_by` who handed it out."""

    card: bytes
    step: CardStep
    happened_at: datetime
    application_id: UUID | None = None
    member_no: str | None = None
    card_no: str | None = None
    new_card: bytes | None = None
    new_card_no: str | None = None
    feedback_id: str | None = None
    reported_by: UUID | None = None
    branch_code: str | None = None
    """The branch whose cards alone it may concern; None for any."""

    @property
    def fact(self) -> Fact:
        """What it says, without who said it."""
        return Fact(self.card, self.step, self.happened_at, self.new_card)


@dataclass(slots=True)
class Known:
    """A report of one application's card, with its row's id, or None for a new one, and its published version."""

    report: Report
    row_id: int | None = None
    version: int | None = None


@dataclass(slots=True)
class CardFile:
    """An application in a batch, its card if it was issued, and all reports about it; of an erased person no number."""

    application_id: UUID
    member_id: UUID
    member_no: str
    state: str
    branch_code: str
    is_erased: bool
    first: bytes | None
    union_id: UUID | None
    version: int
    made_at: datetime | None
    card_no: str | None
    first_card_no: str | None = None
    known: list[Known] = field(default_factory=list)
    published: list[Known] = field(default_factory=list)
    """The reports whose steps this chunk publishes."""

    @property
    def facts(self) -> list[Fact]:
        """All that the reports say."""
        return [one.report.fact for one in self.known]

    def current(self) -> CardState | None:
        """The state of the card; None where none was issued."""
        return None if self.first is None or self.union_id is None else state_of(self.first, self.facts)

    def number_steps(self) -> None:
        """Gives the next versions to the steps whose numbers have become known, in the order of their times."""
        card = self.current()
        new = [one for one in self.known if card and one.version is None and one.report.card in card.numbers]
        self.published = sorted(new, key=lambda one: one.report.happened_at)
        for one in self.published:
            self.version += 1
            one.version = self.version


class Cards:
    """The cards that a chunk of reports concerns, and the owners of all numbers in it."""

    def __init__(self, files: Iterable[CardFile]) -> None:
        self.files = {one.application_id: one for one in files}
        self._owners: dict[bytes, UUID] = {}
        for file in self.files.values():
            self._own(file)

    def apply(self, report: Report) -> bool:
        """Adds a report; False where its step is known. Raises Contradiction for one that cannot be true."""
        file = self._find(report)
        if self._is_known(file, report):
            return False
        for number in (report.card, report.new_card):
            if number and self._owners.get(number, file.application_id) != file.application_id:
                raise Contradiction("card_no_reused")
        if report.new_card and _came_before(file, report.new_card, report.card):
            raise Contradiction("card_no_reused")
        file.known.append(Known(report))
        self._own(file)
        return True

    def _find(self, report: Report) -> CardFile:
        application_id = report.application_id or self._owners.get(report.card)
        if application_id is None:
            raise Contradiction("unknown_card")
        file = self.files.get(application_id)
        if report.branch_code and (file is None or report.branch_code != file.branch_code):
            raise Contradiction("unknown_card")
        if file is None:
            raise Contradiction("unknown_application")
        if report.member_no not in (None, file.member_no):
            raise Contradiction("member_no_differs")
        if file.state == State.REFUSED:
            raise Contradiction("contradicts_refused")
        return file

    def _is_known(self, file: CardFile, report: Report) -> bool:
        """Whether its step, or its new number, is known; raises Contradiction where another number has followed."""
        of_number = [one.report for one in file.known if one.report.card == report.card]
        same_step = [one for one in of_number if one.step is report.step]
        if any(one.new_card != report.new_card for one in same_step):
            raise Contradiction("replaced_differently")
        successor = successor_of(report.card, file.facts) if report.new_card else None
        if successor not in (None, report.new_card):
            raise Contradiction("replaced_differently")
        return bool(same_step or successor)

    def _own(self, file: CardFile) -> None:
        numbers = [file.first, *(one.report.new_card for one in file.known)]
        self._owners |= dict.fromkeys(filter(None, numbers), file.application_id)


def _came_before(file: CardFile, new_card: bytes, card: bytes) -> bool:
    """Whether a new number is one that the application has had already."""
    is_taken = new_card == file.first or any(one.report.new_card == new_card for one in file.known)
    return is_taken or leads_to(new_card, card, file.facts)


def batches_of(session: Session, reports: Sequence[Report]) -> set[str]:
    """The batches to lock before the reports are applied."""
    if not reports:
        return set()
    of_cards = select(Application.batch_no).where(Application.application_id.in_(_concerned(reports)))
    return {batch_no for batch_no in session.scalars(of_cards.distinct()) if batch_no}


def owners_of_new_numbers(session: Session, numbers: Collection[bytes]) -> dict[bytes, UUID]:
    """The applications whose cards have got one of these numbers in place of their first one."""
    if not numbers:
        return {}
    columns = (CardReport.new_card_digest, CardReport.application_id)
    rows = session.execute(select(*columns).where(is_any_of(CardReport.new_card_digest, numbers)))
    return {number: application_id for number, application_id in rows if number}


def load(session: Session, reports: Sequence[Report], issued: Sequence[UUID] = ()) -> Cards:
    """The cards that the reports concern, and those of just `issued` applications that early reports wait for.

    Their batches must be locked.
    """
    early = select(CardReport.application_id).where(
        is_any_of(CardReport.application_id, issued), CardReport.version.is_(None)
    )
    return Cards(_files(session, Application.application_id.in_(union(early, _concerned(reports)))))


def steps_again(session: Session, application_ids: Collection[UUID]) -> Iterator[CardsChangedData]:
    """All published steps of these applications' cards, for a consumer that lacks some."""
    files = files_of(session, application_ids)
    for file in files:
        file.published = [one for one in file.known if one.version is not None]
    return _changes([file for file in files if file.published])


def files_of(session: Session, application_ids: Collection[UUID]) -> list[CardFile]:
    """These applications' cards, with all that is known of them."""
    return _files(session, is_any_of(Application.application_id, application_ids))


def store_known(session: Session, files: Sequence[CardFile]) -> None:
    """Stores new reports that have versions, and the cards as they are by them, without publishing anything."""
    changed = [file for file in files if any(one.row_id is None for one in file.known)]
    _store_reports(session, Cards(changed))
    _store_cards(session, changed)


def store(session: Session, cards: Cards) -> None:
    """Stores new reports and changed cards, and publishes the changes."""
    for file in cards.files.values():
        file.number_steps()
    changed = [file for file in cards.files.values() if file.published]
    _store_reports(session, cards)
    _store_cards(session, changed)
    publish_all(session, [(CARDS_CHANGED, data) for data in _changes(changed)])


def _files(session: Session, is_concerned: ColumnElement[bool]) -> list[CardFile]:
    rows = session.execute(
        select(
            *(Application.application_id, Application.member_id, Application.member_no, Application.state),
            *(Application.card_digest.label("first"), Application.card_no.label("first_card_no")),
            *(Card.union_id, Card.version, Card.made_at, Card.card_no, Batch.branch_code),
            (Application.name == ERASED_NAME).label("is_erased"),
        )
        .join(Batch, Batch.batch_no == Application.batch_no)
        .join(Card, Card.application_id == Application.application_id, isouter=True)
        .where(is_concerned)
    ).mappings()
    files = {row["application_id"]: CardFile(**{**row, "version": row["version"] or 0}) for row in rows}
    stored = session.scalars(select(CardReport).where(is_any_of(CardReport.application_id, files)))
    for row in stored:
        files[row.application_id].known.append(Known(_report(row), row.id, row.version))
    return list(files.values())


def _concerned(reports: Sequence[Report]) -> CompoundSelect[UUID]:
    """The applications that reports name by their id or by a number."""
    numbers = {number for report in reports for number in (report.card, report.new_card) if number}
    named = {report.application_id for report in reports if report.application_id}
    return union(
        select(Application.application_id).where(is_any_of(Application.application_id, named)),
        select(Application.application_id).where(is_any_of(Application.card_digest, numbers)),
        select(CardReport.application_id).where(is_any_of(CardReport.new_card_digest, numbers)),
    )


def _report(row: CardReport) -> Report:
    return Report(
        card=row.card_digest,
        step=CardStep(row.step),
        happened_at=row.happened_at,
        application_id=row.application_id,
        new_card=row.new_card_digest,
        new_card_no=row.new_card_no,
        feedback_id=row.feedback_id,
        reported_by=row.reported_by,
    )


def _store_reports(session: Session, cards: Cards) -> None:
    new = [(file, one) for file in cards.files.values() for one in file.known if one.row_id is None]
    if new:
        session.execute(insert_rows(CardReport, [_row(file, one) for file, one in new]))
    attached = [(one.row_id, one.version) for file in cards.files.values() for one in file.published if one.row_id]
    if attached:
        versions = values_table("versions", types_of(CardReport, ("id", "version")), attached).c
        session.execute(
            update(CardReport)
            .where(CardReport.id == versions.id)
            .values(version=versions.version)
            .execution_options(synchronize_session=False)
        )


def _row(file: CardFile, known: Known) -> dict[str, Any]:
    report = known.report
    return {
        "application_id": file.application_id,
        "card_digest": report.card,
        "step": report.step,
        "happened_at": report.happened_at,
        "new_card_no": "" if file.is_erased and report.new_card_no else report.new_card_no,
        "new_card_digest": report.new_card,
        "feedback_id": report.feedback_id,
        "reported_by": report.reported_by,
        "version": known.version,
    }


def _store_cards(session: Session, changed: Sequence[CardFile]) -> None:
    if not changed:
        return
    changes = values_table("changes", _CHANGE, [_columns(file) for file in changed]).c
    session.execute(
        update(Card)
        .where(Card.application_id == changes.application_id)
        .values({name: changes[name] for name in _CHANGE if name != "application_id"})
        .execution_options(synchronize_session=False)
    )


def _columns(file: CardFile) -> tuple[Any, ...]:
    """The values of _CHANGE."""
    card = required(file.current())
    number = card.numbers[-1]
    collected = (one.report for one in file.known if one.report.fact[:2] == (number, CardStep.COLLECTED))
    return (
        file.application_id,
        card.status,
        file.version,
        _number_in_clear(file, number),
        number,
        card.made_at or file.made_at,
        card.collected_at,
        card.activated_at,
        card.lost_at,
        card.closed_at,
        next((report.reported_by for report in collected), None),
    )


def _number_in_clear(file: CardFile, number: bytes) -> str:
    """The current number; the card itself has the one of which the stored reports tell. Empty of an erased person."""
    if file.is_erased:
        return ""
    following = (one.report.new_card_no for one in file.known if one.report.new_card == number)
    return next((card_no for card_no in following if card_no), None) or required(file.card_no)


def _changes(changed: Sequence[CardFile]) -> Iterator[CardsChangedData]:
    by_union: defaultdict[UUID, list[tuple[CardFile, Known]]] = defaultdict(list)
    for file in changed:
        by_union[required(file.union_id)] += [(file, one) for one in file.published]
    for union_id, steps in by_union.items():
        for part in in_chunks(steps):
            files = {file.application_id: file for file, _ in part}
            yield CardsChangedData(
                union_id=union_id,
                cards=[_changed_card(file, one) for file, one in part],
                numbers=[
                    CardNumber(
                        application_id=file.application_id,
                        card_no=_number_in_clear(file, required(file.current()).numbers[-1]),
                    )
                    for file in files.values()
                ],
            )


def _changed_card(file: CardFile, known: Known) -> ChangedCard:
    return ChangedCard(
        application_id=file.application_id,
        member_id=file.member_id,
        version=required(known.version),
        step=known.report.step,
        happened_at=known.report.happened_at,
        status=required(file.current()).status,
        by_union=known.report.reported_by is not None,
    )

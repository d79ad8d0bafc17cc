"""Reports of the mutual-aid society on enrolments: judges and applies chunks of messages, and sends receipts."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Uuid, and_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.contracts.external import insurer
from services.contracts.external.insurer_keys import encrypted_for_us
from services.contracts.external.protection import is_encrypted
from services.kit.amqp.queues import own_exchange
from services.kit.data.bulk import insert_rows, is_any_of, types_of, values_table
from services.kit.data.database import is_violated
from services.kit.events.envelope import new_message_id
from services.kit.events.failures import rejection_headers, shortened
from services.kit.events.outbox import to_json
from services.kit.external.lined_messages import Fault, in_receipts, judge_lines
from services.membership import models
from services.membership.applications.application_states import CardState
from services.membership.enrolments.known import ACTIVE, EnrolmentFacts, Insured, KnownEnrolments
from services.membership.enrolments.link import send_signed, send_to_insurer
from services.membership.enrolments.reading import Line, Report, read_report
from services.membership.models import EnrolmentReport, Member

_FURTHEST_AHEAD = timedelta(days=1)
_TAKEN_ONCE = ("uq_enrolment_report_content", "pk_enrolment", "uq_enrolment_current")
"""Unique indexes that two processes can violate when both find the same value unused."""
_MOST_RACES = 5
_COLUMNS = tuple(EnrolmentFacts.__dataclass_fields__)
_TYPES = types_of(models.Enrolment, _COLUMNS)


def apply_reports(session: Session, reports: Sequence[Report]) -> None:
    """Applies all enrolments in a few statements; rejects invalid ones, and sends receipts.

    A message whose enrolments are all invalid is rejected unchanged; of one with some invalid ones only these are, in a
    newly signed message. If a concurrent process stores the same report, enrolment or member's year, all is judged
    again after its commit, when its data is visible.
    """
    for _ in range(_MOST_RACES):
        try:
            with session.begin_nested():
                _apply(session, reports)
        except IntegrityError as error:
            if not is_violated(error, _TAKEN_ONCE):
                raise
            reports = [_read_again(report) for report in reports]
        else:
            return
    _apply(session, reports)


def _apply(session: Session, reports: Sequence[Report]) -> None:
    _judge_messages(session, reports)
    sound = [report for report in reports if not report.faults]
    known = _load(session, [line for report in sound for line in report.enrolments.values()])
    judge_lines(sound, attrgetter("enrolments"), known.apply)
    _store(session, known)
    for report in reports:
        _reject_refused(session, report)
    if records := [_record(report) for report in reports if report.has_envelope]:
        session.execute(insert_rows(EnrolmentReport, records))
    _send_receipts(session, reports)


def _read_again(report: Report) -> Report:
    """The report read again from its message, without earlier judgements."""
    report.message.rejection = None
    return read_report(report.message)


def _judge_messages(session: Session, reports: Sequence[Report]) -> None:
    """Finds faults of whole messages, other content under a known id, and enrolments changed in the future."""
    columns = (EnrolmentReport.report_id, EnrolmentReport.content_digest)
    first = select(*columns).where(
        is_any_of(EnrolmentReport.report_id, [report.id for report in reports]),
        EnrolmentReport.content_digest.is_not(None),
    )
    contents = {row.report_id: row.content_digest for row in session.execute(first)}
    latest = datetime.now(UTC) + _FURTHEST_AHEAD
    for report in reports:
        if not report.has_envelope:
            continue
        report.is_first = report.id not in contents
        if contents.setdefault(report.id, report.content) != report.content:
            report.faults.append(Fault("report_id_reused", "report_id"))
        for position, line in list(report.enrolments.items()):
            if line.changed_at > latest:
                del report.enrolments[position]
                report.refusals[position] = [Fault("in_the_future", "changed_at")]


def _load(session: Session, lines: Sequence[Line]) -> KnownEnrolments:
    """The members and enrolments that lines name, and all enrolments of these members' years.

    The members are locked in the order of ids, as by all who change them: so nobody else changes their enrolments, and
    what is read afterwards is all there is.
    """
    named = select(Member.member_id, Member.member_no, Member.card_state).where(
        is_any_of(Member.member_no, {line.member_no for line in lines})
    )
    members = {
        row.member_no: Insured(member_id=row.member_id, has_card=row.card_state == CardState.ISSUED)
        for row in session.execute(named.order_by(Member.member_id).with_for_update(key_share=True))
    }
    years = {(members[line.member_no].member_id, line.year) for line in lines if line.member_no in members}
    return KnownEnrolments(members, _enrolments(session, {line.enrolment_no for line in lines}, years))


def _enrolments(session: Session, numbers: Iterable[str], years: Iterable[tuple[UUID, int]]) -> list[EnrolmentFacts]:
    """Those of these numbers, and those of these members' years: two statements, since each has an index."""
    table = models.Enrolment
    facts = select(*(getattr(table, name) for name in _COLUMNS))
    year = values_table("year", {"member_id": Uuid(), "year": Integer()}, sorted(years))
    is_of_year = and_(table.member_id == year.c.member_id, table.year == year.c.year)
    found = [
        *session.execute(facts.where(is_any_of(table.enrolment_no, numbers))),
        *session.execute(facts.join(year, is_of_year)),
    ]
    return [EnrolmentFacts(**row._mapping) for row in found]


def _store(session: Session, known: KnownEnrolments) -> None:
    """Writes what changed: first what no longer counts, since a member's year has one current enrolment."""
    changed = known.changes()
    stored = [one for one in changed if known.is_stored(one)]
    table = models.Enrolment
    if past := [one.enrolment_no for one in stored if one.superseded or one.state != ACTIVE]:
        session.execute(
            update(table)
            .where(and_(is_any_of(table.enrolment_no, past), table.superseded.is_(False)))
            .values(superseded=True)
            .execution_options(synchronize_session=False)
        )
    if stored:
        rows = [tuple(getattr(one, name) for name in _COLUMNS) for one in stored]
        new = values_table("new", _TYPES, rows).c
        session.execute(
            update(table)
            .where(table.enrolment_no == new.enrolment_no)
            .values({name: new[name] for name in _COLUMNS if name not in ("enrolment_no", "member_id", "year")})
            .execution_options(synchronize_session=False)
        )
    if fresh := sorted((one for one in changed if not known.is_stored(one)), key=attrgetter("enrolment_no")):
        session.execute(insert_rows(table, [asdict(one) for one in fresh]))


def _reject_refused(session: Session, report: Report) -> None:
    if not (report.faults or report.refusals):
        return
    reason = shortened(", ".join(report.reasons()))
    if report.rejected == report.total and is_encrypted(report.message.body):
        report.message.reject(reason)
        return
    content = report.message.body if report.rejected == report.total else to_json(report.rejected_part())
    headers = {**rejection_headers(reason, insurer.ENROLMENTS_QUEUE), insurer.REPORT_ID_HEADER: report.id}
    body = encrypted_for_us(content, insurer.ENROLMENTS_QUEUE)
    send_signed(session, own_exchange("membership"), insurer.REJECTED_QUEUE, body, headers)


def _record(report: Report) -> dict[str, Any]:
    return {
        "report_id": report.id,
        "content_digest": report.content if report.is_first else None,
        "enrolments": report.total,
        "applied": report.applied,
        "repeated": report.repeated,
        "rejected": report.rejected,
    }


def _send_receipts(session: Session, reports: Sequence[Report]) -> None:
    for part in in_receipts(reports):
        receipts = [_receipt(report) for report in part]
        send_to_insurer(session, insurer.RECEIPT, {"message_id": new_message_id(), "receipts": receipts})


def _receipt(report: Report) -> dict[str, Any]:
    """The contract's EnrolmentReceipt, built by hand because dumping by the schema takes several times as long."""
    return {
        "report_id": report.id,
        "seen_before": report.is_repetition,
        "enrolments": report.total,
        "applied": report.applied,
        "repeated": report.repeated,
        "rejected": report.rejected,
        "rejections": report.rejections(insurer.REJECTIONS),
    }

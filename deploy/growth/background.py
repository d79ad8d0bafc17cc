"""What services do by themselves: relay, retention, timers, and the way of a batch from queue to card by events."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from psycopg.rows import namedtuple_row, tuple_row

from deploy.growth.questions import Question, timer
from deploy.growth.rehearsal import Refused, Rehearsal
from deploy.growth.sample import Sample
from deploy.permissions import SERVICES
from deploy.retention_document import retention_of
from deploy.simulators.bank_ledger import card_number
from services.batching.bank.bank_feedback import apply_feedback
from services.batching.bank.bank_reading import feedback_in
from services.batching.cards import reminders
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.data.encryption import keyring
from services.kit.data.retention import Expiring, delete_expired
from services.kit.events.envelope import Event
from services.kit.events.relay import publish_due
from services.notification.reports import monthly
from services.notification.reports.monthly import MonthlyReportSettings

Post = defaultdict[str, list[Event[Any]]]
"""The events that earlier questions have published, by name."""

_BACKLOG = """
    insert into outbox (exchange, routing_key, body, properties, mandatory)
    select '', 'somewhere', %s, '{}', false from generate_series(1, 20000)
"""


class _Takes:
    """A broker that takes every message."""

    def publish(self, _messages: Sequence[Any]) -> Mapping[int, str]:
        return {}


def background_questions(sample: Sample, post: Post) -> Iterator[Question]:
    """All statements that nobody asks for; those on events need the questions that publish these, asked before."""
    yield from _work_on_events(sample, post)
    yield from _timers()
    for service in SERVICES:
        yield Question(service, f"{service}: the relay, 20,000 events wait", _relay)
        for table in retention_of(service):
            if isinstance(table, Expiring):
                yield Question(service, f"{service}: retention of {table.table}", _retention_of(table))


def _work_on_events(sample: Sample, post: Post) -> Iterator[Question]:
    def hear(service: str, method: str, title: str, name: str) -> Question:
        return Question(service, title, lambda on: on.hear(method, post[name][-1]))

    yield hear("batching", "members_queued", "100 members come onto the pending list", "members_queued")
    issuing = Question("batching", "the bank issues the cards of a batch", lambda on: _feedback(on, sample))
    yield replace(issuing, is_heard=True)
    for service in ("membership", "revocation", "notification"):
        yield hear(service, "cards_issued", f"{service} hears of the issued cards", "cards_issued")
    yield Question(
        "membership",
        "what was done goes into the audit log",
        lambda on: on.hear("act_recorded", post["act_recorded"][-50:]),
    )


def _feedback(on: Rehearsal, sample: Sample) -> None:
    ids = [str(one.application_id) for one in sample.at_bank]
    document = {
        "feedback_id": "a feedback of the rehearsal",
        "batch_no": sample.batch_no,
        "processed_at": datetime.now(UTC).isoformat(),
        "results": [{"application_id": one, "outcome": "issued", "card_no": card_number(one)} for one in ids],
    }
    with on.database.begin() as session:
        (feedback,) = apply_feedback(session, [feedback_in(document)])
    if feedback.faults or feedback.refusals:
        raise Refused(f"{feedback.faults} {feedback.refusals}")


def _timers() -> Iterator[Question]:
    yield timer("membership", "expired changes of unions", "expire_union_changes")
    yield timer("membership", "transfers on which nobody decided", "accept_overdue_transfers")
    yield timer("membership", "members without an end of their number", "fill_document_ends")
    yield timer("membership", "stalled imports", "end_stalled_imports")
    yield timer("membership", "the audit log's head", "log_audit_head")
    yield Question("batching", "members to remind of their card", _remind_once)
    yield timer("batching", "files that wait", "observe_bank_files")
    yield timer(
        "batching",
        "batching's overdue work",
        "remind_of_overdue_work",
        "once a day; it counts what waits, which is a small part where people work",
    )
    yield timer("revocation", "requests of decided batches", "close_decided_requests")
    yield timer("revocation", "revocation's overdue work", "remind_of_overdue_requests")
    yield timer("validation", "checks that wait for the registry", "continue_waiting_checks")
    yield timer("notification", "text messages to send", "send_sms")
    yield Question("notification", "monthly reports of 500 unions", _monthly_reports)


def _remind_once(on: Rehearsal) -> None:
    with on.database.begin() as session:
        reminders.remind_some(session)


def _monthly_reports(on: Rehearsal) -> None:
    due = MonthlyReportSettings(monthly_report_day=0)
    monthly.send_due(on.database.begin, due, datetime.now(UTC))


def _relay(on: Rehearsal) -> None:
    connection = on.connection
    with on.notebook.resting():
        connection.execute(_BACKLOG, [keyring().encrypt("{}")])
    connection.row_factory = namedtuple_row
    publish_due(connection, cast(ConfirmedPublisher, _Takes()))
    connection.row_factory = tuple_row


def _retention_of(table: Expiring) -> Any:
    def delete_once(on: Rehearsal) -> None:
        turns = iter((False, True))
        delete_expired(on.connection, [table], datetime.now(UTC), lambda: next(turns))

    return delete_once

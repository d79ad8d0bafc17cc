"""The operators' overview on a real database: samples, changes, text messages, and the alerts of monitoring."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from services.contracts.events.notification import EVERYWHERE
from services.contracts.events.status import STATUSES_SAMPLED
from services.contracts.examples import wire_example
from services.contracts.operations.notification import ListMessagesRequest, MessagesAnswer
from services.contracts.operations.overview import (
    GetOverviewRequest,
    OverviewAnswer,
    RecordAlertsRequest,
    ReportedAlert,
)
from services.kit.events.envelope import Event
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.secret_values import Secret
from services.notification import message_inbox, sms
from services.notification.models import Alert, Sms
from services.notification.operators import alerts, overview, samples
from services.notification.operators.alerts import AlertSettings
from tests.databases import DatabaseFactory
from tests.documents import an_event

TOKEN = "the token of the tests"
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
SHOWN = NOW - timedelta(minutes=1)
OPERATOR = Caller(account_id=str(uuid4()), roles=frozenset({"operator"}), union_id=str(uuid4()))
REVIEWER = replace(OPERATOR, account_id=str(uuid4()), roles=frozenset({"reviewer"}))

Record = Callable[..., None]


@pytest.fixture
def engine(database: DatabaseFactory) -> Iterator[Engine]:
    engine = create_engine(database("notification").replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session, session.begin():
        yield session


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "read_settings", lambda _kind: AlertSettings(alerts_token=Secret(TOKEN)))


def a_sample(service: str, minute: datetime, **figures: Any) -> Event[Any]:
    contract = STATUSES_SAMPLED[service]
    event = an_event(replace(contract.read(wire_example(contract)), minute=minute, **figures))
    return replace(event, type=contract.type)


def sampled(session: Session, service: str, minutes_ago: int, **figures: Any) -> None:
    samples.status_sampled(session, a_sample(service, SHOWN - timedelta(minutes=minutes_ago), **figures))


def shown(session: Session) -> OverviewAnswer:
    return overview.get_overview(Work(session, OPERATOR), GetOverviewRequest())


def an_alert(**changes: Any) -> ReportedAlert:
    return replace(
        ReportedAlert(
            fingerprint="f1",
            name="QueueGrows",
            severity="ticket",
            subject="batching.members_queued",
            notice="该队列持续积压。",
            started_at=NOW,
            ended_at=None,
        ),
        **changes,
    )


def told(session: Session, *reported: ReportedAlert, token: str = TOKEN) -> None:
    alerts.record_alerts(Work(session, Caller()), RecordAlertsRequest(token=token, alerts=list(reported)))
    session.expire_all()


def inbox(session: Session, caller: Caller = OPERATOR) -> MessagesAnswer:
    return message_inbox.list_messages(Work(session, caller), ListMessagesRequest())


def test_the_samples_of_the_last_hour_are_shown_by_minute(session: Session) -> None:
    sampled(session, "batching", 1, waiting=4, to_outside=7)
    sampled(session, "membership", 0, waiting=3)
    sampled(session, "membership", 61)

    found = [(one.service, one.minute, one.waiting, one.to_bank) for one in shown(session).samples]

    assert found == [("batching", SHOWN - timedelta(minutes=1), 4, 7), ("membership", SHOWN, 3, None)]


def test_of_two_samples_of_one_minute_the_first_counts(session: Session) -> None:
    sampled(session, "membership", 0, waiting=3)
    sampled(session, "membership", 0, waiting=4)
    assert [one.waiting for one in shown(session).samples] == [3]


def test_what_changed_between_two_samples_of_a_service_is_named_the_newest_first(session: Session) -> None:
    sampled(session, "batching", 3, release="1", processes=2, reasons=[])
    sampled(session, "membership", 3, release="1", processes=1, reasons=[])
    sampled(session, "batching", 2, release="1", processes=2, reasons=["starting"])
    sampled(session, "batching", 1, release="2", processes=3, reasons=["starting"])
    sampled(session, "batching", 0, release="2", processes=3, reasons=[])
    sampled(session, "membership", 0, release="1", processes=1, reasons=[])

    changes = [(one.service, one.kind, one.before, one.after) for one in shown(session).changes]

    assert changes == [
        ("batching", "reasons", "starting", ""),
        ("batching", "release", "1", "2"),
        ("batching", "processes", "2", "3"),
        ("batching", "reasons", "", "starting"),
    ]


def test_minutes_without_a_sample_are_named_as_silence(session: Session) -> None:
    sampled(session, "revocation", 9)
    sampled(session, "revocation", 5)
    (change,) = shown(session).changes
    silence = [(SHOWN - timedelta(minutes=minutes)).timestamp() for minutes in (9, 5)]
    assert [datetime.fromisoformat(text).timestamp() for text in (change.before, change.after)] == silence


def test_a_number_of_processes_that_nobody_knew_is_no_change(session: Session) -> None:
    sampled(session, "revocation", 2, processes=2)
    sampled(session, "revocation", 1, processes=None, waiting=None)
    sampled(session, "revocation", 0, processes=2)
    assert shown(session).changes == []


def test_text_messages_are_counted_by_the_minute_in_which_they_were_made(session: Session) -> None:
    for state in ("sent", "sent", "failed", "waiting"):
        sms.enqueue(session, "account_changed", "13800000000", "…")
        session.flush()
        newest = session.scalars(select(Sms).where(Sms.state == "waiting").order_by(Sms.sms_id.desc())).first()
        assert newest is not None
        newest.state = state
    session.flush()

    answer = shown(session)

    counts = [(one.sent, one.failed, one.waiting) for one in answer.sms]
    assert [sum(column) for column in zip(*counts, strict=True)] == [2, 1, 1]
    assert answer.sms_oldest_at is not None


def test_an_alert_reaches_every_operator_once_and_nobody_else(session: Session) -> None:
    told(session, an_alert())
    told(session, an_alert())

    elsewhere = replace(OPERATOR, account_id=str(uuid4()), union_id=str(uuid4()))
    for operator in (OPERATOR, elsewhere):
        (message,) = inbox(session, operator).items
        assert (message.title, message.read, message.link) == ("系统告警（一般）", False, "/operations")
        assert message.body.startswith("batching.members_queued：该队列持续积压。")
    assert inbox(session, REVIEWER).items == []
    assert [one.name for one in shown(session).alerts] == ["QueueGrows"]


def test_an_alert_that_is_read_is_not_told_again_while_it_goes_on(session: Session) -> None:
    told(session, an_alert())
    message_inbox.mark_all_read(Work(session, OPERATOR), message_inbox.MarkAllMessagesReadRequest())
    told(session, an_alert())
    assert inbox(session).unread == 0


def test_when_an_alert_is_over_its_message_says_so_and_counts_as_read(session: Session) -> None:
    told(session, an_alert())
    told(session, an_alert(ended_at=NOW + timedelta(minutes=2)))

    (message,) = inbox(session).items
    assert (message.title, message.read) == ("系统告警已恢复", True)
    assert [one.ended_at for one in shown(session).alerts] == [NOW + timedelta(minutes=2)]


def test_an_alert_that_is_over_stays_so_when_monitoring_repeats_itself(session: Session) -> None:
    ended = an_alert(ended_at=NOW + timedelta(minutes=2))
    told(session, ended)
    told(session, an_alert())
    assert [one.ended_at for one in shown(session).alerts] == [ended.ended_at]
    assert [message.title for message in inbox(session).items] == ["系统告警已恢复"]


def test_an_alert_that_fires_again_is_told_again(session: Session) -> None:
    told(session, an_alert(started_at=NOW - timedelta(hours=1), ended_at=NOW - timedelta(minutes=50)))
    told(session, an_alert())
    assert [message.title for message in inbox(session).items] == ["系统告警（一般）", "系统告警已恢复"]


def test_the_heartbeat_is_no_message_but_shows_that_alerts_arrive(session: Session) -> None:
    assert shown(session).alerts_heard_at is None
    told(session, an_alert(name="Watchdog", severity="none", subject=""))
    assert inbox(session).items == []
    assert shown(session).alerts == []
    assert shown(session).alerts_heard_at is not None


def test_an_alert_of_which_monitoring_told_nothing_for_a_day_is_not_shown(session: Session) -> None:
    told(session, an_alert())
    for alert in session.scalars(select(Alert)):
        alert.heard_at = NOW - timedelta(hours=25)
    session.flush()
    assert shown(session).alerts == []


@pytest.mark.parametrize("token", ["", "another", f"{TOKEN} "])
def test_nothing_is_recorded_with_a_wrong_token(session: Session, token: str) -> None:
    with pytest.raises(Problem) as refused:
        told(session, an_alert(), token=token)
    assert (refused.value.status, refused.value.code) == (403, "wrong_token")
    assert shown(session).alerts == []


def test_without_the_setting_no_token_is_right(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "read_settings", lambda _kind: AlertSettings())
    with pytest.raises(Problem):
        told(session, an_alert(), token="")


def test_the_audience_of_all_operators_is_of_no_union(session: Session) -> None:
    told(session, an_alert())
    nobody = Caller(account_id=str(uuid4()), roles=frozenset({"operator"}), union_id=None)
    assert [message.kind for message in inbox(session, nobody).items] == ["alert_fires"]
    clerk = Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(EVERYWHERE))
    assert inbox(session, clerk).items == []

"""The operators' overview on a real database: samples, changes, text messages, and the alerts of monitoring."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from marshmallow import ValidationError
from sqlalchemy import Engine, event, select, update
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
from services.kit.schemas import schema_of
from services.kit.secret_values import Key
from services.notification import message_inbox, sms
from services.notification.models import Alert, Sms
from services.notification.operators import alerts, overview, samples
from services.notification.operators.alerts import AlertSettings
from services.notification.templates import texts
from tests.documents import an_event

TOKEN = "the token of the tests"
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
SHOWN = NOW - timedelta(minutes=1)
OPERATOR = Caller(account_id=str(uuid4()), roles=frozenset({"operator"}), union_id=str(uuid4()))
REVIEWER = replace(OPERATOR, account_id=str(uuid4()), roles=frozenset({"reviewer"}))

Record = Callable[..., None]


@pytest.fixture
def session(notification_engine: Engine) -> Iterator[Session]:
    with Session(notification_engine) as session, session.begin():
        yield session


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "read_settings", lambda _kind: AlertSettings(alerts_token=Key(TOKEN)))


def a_sample(service: str, minute: datetime, **figures: Any) -> Event[Any]:
    contract = STATUSES_SAMPLED[service]
    data = replace(contract.read(wire_example(contract)), minute=minute, **figures)
    return replace(an_event(data), type=contract.type)


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
            instance="",
            notice="该队列持续积压。",
            started_at=NOW,
            ended_at=None,
        ),
        **changes,
    )


BEAT = an_alert(fingerprint="w", name="Watchdog", severity="none", subject="", started_at=NOW - timedelta(days=9))


def told(session: Session, *reported: ReportedAlert, token: str = TOKEN) -> None:
    alerts.record_alerts(Work(session, Caller()), RecordAlertsRequest(token=token, alerts=list(reported)))
    session.expire_all()


def heard(session: Session, minutes_ago: int, **of: str) -> datetime:
    """Monitoring has told of alerts so long ago, which is returned; with `name`, of this one."""
    long_ago = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    session.execute(update(Alert).filter_by(**of).values(heard_at=long_ago))
    session.expire_all()
    return long_ago


def inbox(session: Session, caller: Caller = OPERATOR) -> MessagesAnswer:
    return message_inbox.list_messages(Work(session, caller), ListMessagesRequest())


def test_the_samples_of_the_last_hour_are_shown_by_minute(session: Session) -> None:
    sampled(session, "batching", 1, waiting=4, to_outside=7)
    sampled(session, "membership", 0, waiting=3, to_outside=5)  # for the mutual-aid society, not the bank
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


def test_a_number_of_processes_is_compared_with_the_last_one_that_was_known(session: Session) -> None:
    for minutes_ago, processes in ((5, None), (4, 2), (3, None), (2, 2), (1, None), (0, 1)):
        sampled(session, "revocation", minutes_ago, processes=processes)
    assert [(one.kind, one.before, one.after) for one in shown(session).changes] == [("processes", "2", "1")]


def test_no_more_changes_are_told_than_the_page_shows(session: Session) -> None:
    for minutes_ago in range(59):
        sampled(session, "revocation", minutes_ago, release=str(minutes_ago), processes=minutes_ago)
    assert len(shown(session).changes) == samples.MOST_CHANGES


def test_text_messages_are_counted_by_the_minute_in_which_they_were_made(session: Session) -> None:
    for state in ("sent", "sent", "failed", "waiting"):
        sms.enqueue(session, texts.sms_account_changed("jianlang", "unlocked", None), "13800000000")
        session.flush()
        newest = session.scalars(select(Sms).where(Sms.state == "waiting").order_by(Sms.sms_id.desc())).first()
        assert newest is not None
        newest.state = state
    session.flush()

    answer = shown(session)

    counts = [(one.sent, one.failed, one.waiting) for one in answer.sms]
    assert [sum(column) for column in zip(*counts, strict=True)] == [2, 1, 1]
    assert answer.sms_oldest_at is not None
    assert answer.sms_failed == 1


def test_an_alert_reaches_every_operator_once_and_nobody_else(session: Session) -> None:
    told(session, an_alert())
    told(session, an_alert())

    elsewhere = replace(OPERATOR, account_id=str(uuid4()), union_id=str(uuid4()))
    for operator in (OPERATOR, elsewhere):
        (message,) = inbox(session, operator).items
        assert (message.title, message.read, message.link) == ("系统告警（一般）", False, "/runbooks/QueueGrows")
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


def test_an_alert_that_is_over_stays_so_when_monitoring_repeats_itself_late(session: Session) -> None:
    ended = an_alert(ended_at=NOW + timedelta(minutes=2))
    told(session, ended)
    told(session, an_alert())
    assert [one.ended_at for one in shown(session).alerts] == [ended.ended_at]
    assert [message.title for message in inbox(session).items] == ["系统告警已恢复"]


def test_an_alert_that_monitoring_takes_up_again_after_its_end_fires_again(session: Session) -> None:
    told(session, an_alert(ended_at=NOW + timedelta(minutes=2)))
    heard(session, minutes_ago=4)
    told(session, an_alert())
    assert [one.ended_at for one in shown(session).alerts] == [None]
    assert [(message.title, message.read) for message in inbox(session).items] == [("系统告警（一般）", False)]


def test_an_alert_in_whose_place_a_newer_one_fires_is_over(session: Session) -> None:
    told(session, an_alert(started_at=NOW - timedelta(hours=1)))
    told(session, an_alert())
    assert [one.ended_at is None for one in shown(session).alerts] == [True, False]
    assert [message.title for message in inbox(session).items] == ["系统告警（一般）", "系统告警已恢复"]


def test_an_alert_of_which_nothing_is_told_while_the_heartbeat_goes_on_is_over(session: Session) -> None:
    told(session, an_alert(), BEAT)
    heard(session, minutes_ago=21, name="QueueGrows")
    heard(session, minutes_ago=5, name="Watchdog")
    told(session, BEAT)
    assert [one.ended_at is None for one in shown(session).alerts] == [False]
    assert [(message.title, message.read) for message in inbox(session).items] == [("系统告警已恢复", True)]


def test_after_a_pause_of_the_heartbeat_alerts_go_on_until_they_are_not_told_of_again(session: Session) -> None:
    told(session, an_alert(), BEAT)
    heard(session, minutes_ago=30)
    told(session, BEAT)
    assert [one.ended_at for one in shown(session).alerts] == [None]


def test_an_alert_that_fires_again_is_told_again(session: Session) -> None:
    told(session, an_alert(started_at=NOW - timedelta(hours=1), ended_at=NOW - timedelta(minutes=50)))
    told(session, an_alert())
    assert [message.title for message in inbox(session).items] == ["系统告警（一般）", "系统告警已恢复"]


def test_the_heartbeat_is_no_message_but_shows_that_alerts_arrive_until_it_is_over(session: Session) -> None:
    assert shown(session).alerts_heard_at is None
    told(session, BEAT)
    assert inbox(session).items == []
    assert shown(session).alerts == []
    assert shown(session).alerts_heard_at is not None
    last = heard(session, minutes_ago=9)
    told(session, replace(BEAT, ended_at=NOW))
    assert shown(session).alerts_heard_at == last


def test_one_moment_in_two_time_zones_is_one_alert(session: Session) -> None:
    told(session, an_alert())
    told(session, an_alert(started_at=NOW.astimezone(timezone(timedelta(hours=8)))))
    assert (len(shown(session).alerts), len(inbox(session).items)) == (1, 1)


def test_two_alerts_of_two_processes_are_told_apart(session: Session) -> None:
    two = [an_alert(fingerprint=one, subject="validation", instance=one) for one in ("10.0.0.1:9001", "10.0.0.2:9001")]
    told(session, *two, *two)
    assert sorted(message.body.partition("：")[0] for message in inbox(session).items) == [
        "validation 10.0.0.1:9001",
        "validation 10.0.0.2:9001",
    ]


def test_a_hundred_alerts_at_once_are_stored_in_few_statements(session: Session) -> None:
    beats = [replace(BEAT, fingerprint=str(number), name=f"Quiet{number}") for number in range(100)]
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *given: statements.append(given[2]))
    told(session, *beats)
    assert len(statements) <= 5


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59+00:00", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("name", ["started_at", "ended_at"])
def test_a_moment_that_no_calendar_of_ours_has_is_refused(name: str, moment: str) -> None:
    alert = schema_of(ReportedAlert)().dump(an_alert()) | {name: moment}
    with pytest.raises(ValidationError, match="2000 年至 2099 年"):
        schema_of(ReportedAlert)().load(alert)


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

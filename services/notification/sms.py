"""Outbound SMS: stored in the event's transaction, sent once, retried with backoff, and reported if it fails."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import requests
import structlog
from prometheus_client import Counter
from requests.adapters import HTTPAdapter
from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.values import SHANGHAI, is_mobile
from services.kit.data.bulk import insert_rows
from services.kit.settings import SettingsError, read_settings, settings_class
from services.notification.models import STILL_COUNTS, TO_BE_SENT, Sms
from services.notification.templates.catalogue import KINDS
from services.notification.templates.rendering import Message, is_on, render

log = structlog.get_logger()

_calls = Counter("sms_calls", "Calls of the SMS provider.", ["outcome"])
for _outcome in ("sent", "refused", "no_answer"):
    _calls.labels(_outcome)

_HOURS = re.compile(r"([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-3])")

AT_ONCE = 20
"""How many messages one process sends to the provider concurrently."""

ONE_TIME_PASSWORD = "one_time_password"  # noqa: S105 - a kind of message
RESET_LINK = "reset_link"
_SECRETS = frozenset({ONE_TIME_PASSWORD, RESET_LINK})
"""Kinds of messages whose text is erased after sending."""

Begin = Callable[[], AbstractContextManager[Session]]


@settings_class
class SmsSettings:
    """The provider's address, the retries, and the system's address for readers of messages."""

    sms_url: str
    public_url: str = "https://zzgl.shzgh.org"
    sms_connect_seconds: float = 1
    sms_read_seconds: float = 5
    sms_gather_seconds: float = 10
    """How long messages of one topic are gathered before they are sent as one message."""
    sms_pauses: tuple[float, ...] = (2, 5, 15, 60, 300, 900, 1800)
    """Seconds before each further attempt; after the last one the message has failed."""

    @property
    def longest_try_seconds(self) -> float:
        """How long an attempt may take, with a margin for the database; no other process takes the message then."""
        return self.sms_connect_seconds + self.sms_read_seconds + 4


@settings_class
class QuietHours:
    """When no message is sent that can wait."""

    sms_quiet_hours: str = "21-8"
    """From which hour in Shanghai to which no message is sent that can wait; twice the same hour: sent at any hour."""

    def __post_init__(self) -> None:
        if not _HOURS.fullmatch(self.sms_quiet_hours):
            raise SettingsError("Settings in the environment: SMS_QUIET_HOURS are no two hours such as 21-8.")

    def holds(self, moment: datetime) -> bool:
        """Whether the moment lies in the quiet hours."""
        return self.end_after(moment) != moment

    def end_after(self, moment: datetime) -> datetime:
        """The moment itself, or the end of the quiet hours in which it lies."""
        begins, ends = map(int, self.sms_quiet_hours.split("-"))
        local = moment.astimezone(SHANGHAI)
        if (local.hour - begins) % 24 >= (ends - begins) % 24:
            return moment
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=local.hour >= ends, hours=ends)


@dataclass(frozen=True)
class CountedSms:
    """An SMS about `count` things; `message_of` tells it for any count."""

    topic: str
    phone: str
    count: int
    message_of: Callable[[int], Message]


class Refused(Exception):
    """The provider permanently refuses the message."""


class NoAnswer(Exception):
    """The provider did not answer, or is temporarily unavailable; it may still have sent the message."""


class Provider:
    """The SMS provider's client: pooled connections, several calls at once, bounded waits."""

    def __init__(self, settings: SmsSettings) -> None:
        self.settings = settings
        self.calls = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sms")
        self._http = requests.Session()
        self._http.mount(settings.sms_url, HTTPAdapter(pool_maxsize=AT_ONCE))

    def send(self, request_id: UUID, phone: str, text: str) -> None:
        """Requests the sending of a message, once for each request id. Raises Refused or NoAnswer."""
        with _counted():
            self._send(request_id, phone, text)

    def _send(self, request_id: UUID, phone: str, text: str) -> None:
        try:
            answer = self._http.post(
                f"{self.settings.sms_url}/v1/messages",
                json={"request_id": str(request_id), "phone": phone, "text": text},
                timeout=(self.settings.sms_connect_seconds, self.settings.sms_read_seconds),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise NoAnswer(type(error).__name__) from error
        if 300 <= answer.status_code < 400 or answer.status_code == 429 or answer.status_code >= 500:
            raise NoAnswer(f"HTTP {answer.status_code}")
        if answer.status_code >= 400:
            raise Refused(f"HTTP {answer.status_code}")

    def close(self) -> None:
        """Cancels calls that have not begun and closes the connections."""
        self.calls.shutdown(wait=False, cancel_futures=True)
        self._http.close()


@contextmanager
def _counted() -> Iterator[None]:
    outcome = "no_answer"
    try:
        yield
        outcome = "sent"
    except Refused:
        outcome = "refused"
        raise
    finally:
        _calls.labels(outcome).inc()


def enqueue(session: Session, message: Message, phone: str, *, expires_at: datetime | None = None) -> None:
    """Stores a message to be sent after the transaction has committed, in quiet hours later if it can wait.

    A fixed line gets none, and nothing is sent of a kind that the city has turned off.
    """
    enqueue_all(session, [(phone, message)], expires_at=expires_at)


def enqueue_all(
    session: Session, messages: Iterable[tuple[str, Message]], *, expires_at: datetime | None = None
) -> None:
    """Stores many messages, each to a number, as `enqueue` does, in one statement."""
    now = datetime.now(UTC)
    rows = [
        {
            "sms_id": (sms_id := uuid7()),
            "kind": message.kind,
            "topic": f"{message.kind}:{sms_id}",
            "count": 1,
            "phone": phone,
            "text": _text(session, message),
            "state": "waiting",
            "due_at": _due_at(message, now),
            "may_wait": not KINDS[message.template].is_urgent,
            "expires_at": expires_at,
        }
        for phone, message in messages
        if is_mobile(phone) and is_on(session, message)
    ]
    if rows:
        session.execute(insert_rows(Sms, rows))


def enqueue_counted(session: Session, counted: CountedSms, gather_seconds: float) -> None:
    """Stores an SMS for a mobile phone; those of one topic within the gathering time add up to one."""
    message = counted.message_of(counted.count)
    if not is_mobile(counted.phone) or not is_on(session, message):
        return
    due_at = _due_at(message, datetime.now(UTC) + timedelta(seconds=gather_seconds))
    adding = insert(Sms).values(
        sms_id=uuid7(),
        kind=message.kind,
        topic=counted.topic,
        count=counted.count,
        phone=counted.phone,
        state="waiting",
        due_at=due_at,
        may_wait=not KINDS[message.template].is_urgent,
    )
    added = adding.on_conflict_do_update(
        index_elements=[Sms.topic],
        index_where=STILL_COUNTS,
        set_={"count": Sms.count + adding.excluded.count},
    ).returning(Sms.sms_id, Sms.count)
    sms_id, total = session.execute(added).one()
    text = _text(session, counted.message_of(total))
    session.execute(update(Sms).where(Sms.sms_id == sms_id).values(text=text))


def can_be_sent(moment: datetime) -> ColumnElement[bool]:
    """Whether a message is due: in quiet hours, which a retry or a backlog may reach, only one that is urgent."""
    due = and_(TO_BE_SENT, Sms.due_at <= moment)
    return and_(due, Sms.may_wait.is_(False)) if read_settings(QuietHours).holds(moment) else due


def send_due(begin: Begin, provider: Provider) -> int:
    """Sends up to AT_ONCE due messages; returns how many were attempted. Several processes may do so at once.

    Messages are claimed in one transaction and their outcome is stored in another, so that none is open during calls of
    the provider. If a process is killed in between, its messages are sent again with the same request ids.
    """
    with begin() as session:
        claimed = _claim_due(session, provider.settings)
    if not claimed:
        return 0
    outcomes = list(provider.calls.map(partial(_attempt_to_send, provider), claimed))
    with begin() as session:
        for sms, outcome in zip(claimed, outcomes, strict=True):
            # Another process may have claimed the message since; then its outcome counts.
            still_claimed = (Sms.sms_id == sms.sms_id, Sms.state == "sending", Sms.attempts == sms.attempts)
            session.execute(update(Sms).where(*still_claimed).values(outcome))
    return len(claimed)


def _text(session: Session, message: Message) -> str:
    return render(session, message)[1]


def _due_at(message: Message, moment: datetime) -> datetime:
    """When a message is sent that could be sent at this moment."""
    return moment if KINDS[message.template].is_urgent else read_settings(QuietHours).end_after(moment)


def _claim_due(session: Session, settings: SmsSettings) -> list[Sms]:
    """Claims due messages: expiring ones first, because somebody waits for a one-time password, then urgent ones."""
    now = datetime.now(UTC)
    due = (
        select(Sms)
        .where(can_be_sent(now))
        .order_by(Sms.expires_at.nulls_last(), Sms.may_wait, Sms.due_at, Sms.sms_id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    claimed = list(session.scalars(due))
    for sms in claimed:
        sms.state = "sending"
        sms.due_at = now + timedelta(seconds=settings.longest_try_seconds)
        sms.attempts += 1
    return claimed


def _attempt_to_send(provider: Provider, sms: Sms) -> dict[str, object]:
    """Sends a message; returns the columns of the outcome."""
    if sms.expires_at is not None and sms.expires_at < datetime.now(UTC):
        return _failed(sms, "expired before it could be sent")
    try:
        provider.send(sms.sms_id, sms.phone, sms.text or "")
    except Refused as refused:
        return _failed(sms, str(refused))
    except NoAnswer as no_answer:
        pauses = provider.settings.sms_pauses
        if sms.attempts > len(pauses):
            return _failed(sms, f"given up after {sms.attempts} tries: {no_answer}")
        log.warning("sms_not_sent", sms_id=str(sms.sms_id), attempts=sms.attempts, cause=str(no_answer))
        due_at = datetime.now(UTC) + timedelta(seconds=pauses[sms.attempts - 1])
        return {"due_at": due_at, "last_error": str(no_answer)}
    return {"state": "sent", "sent_at": datetime.now(UTC), "last_error": None, **_without_secrets(sms)}


def _failed(sms: Sms, reason: str) -> dict[str, object]:
    log.error("sms_failed", sms_id=str(sms.sms_id), kind=sms.kind, reason=reason)
    return {"state": "failed", "last_error": reason, **_without_secrets(sms)}


def _without_secrets(sms: Sms) -> dict[str, object]:
    return {"text": None} if sms.kind in _SECRETS else {}

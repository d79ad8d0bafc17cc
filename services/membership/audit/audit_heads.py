"""Signs heads of the audit log, writes them to a file or the log after each chunk, and publishes them to services."""

import os
import time
from collections.abc import Sequence
from typing import Any

import structlog
from joserfc.jwk import OKPKey
from nameko.extensions import DependencyProvider
from prometheus_client import Counter, Gauge
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from services.contracts.events.membership import AUDIT_HEAD_SIGNED, AuditHeadSignedData
from services.kit.data.database import audit_head
from services.kit.events.outbox import publish
from services.kit.operations.audit_heads import NotSigned, public_keys, signed, signing_keys, store_head, verified
from services.kit.operations.logs import class_name
from services.kit.secret_values import KeySet
from services.kit.settings import SettingsError, is_production, read_settings, settings_class
from services.membership.audit import audit_log
from services.membership.audit.audit_chain import START, Head

log = structlog.get_logger()

_published = Counter("audit_heads_published", "Signed heads of the audit log that were published to the services.")
_checked_at = Gauge(
    "audit_heads_checked_timestamp_seconds", "When the process last made sure that the newest due head is published."
)


@settings_class
class AuditSigningSettings:
    """By what membership signs where the audit log ends, and where it writes that down."""

    audit_signing_keys: KeySet = KeySet("")
    """Private Ed25519 keys that sign heads of the audit log, a JWK Set whose first key signs; needed in production."""
    audit_head_file: str = ""
    """The file to which a line is added with each chunk of audit events; unless set they go to the log."""
    audit_head_minutes: float = 5
    """Minimum interval between published heads, unless much was added; consumers keep each one permanently."""
    audit_head_entries: int = 1000
    """Number of new entries after which the head is published at once."""


class AuditHeads(DependencyProvider):
    """Signs, writes and publishes heads of the chain; without a key they are only logged, by a timer."""

    def check_keys(self) -> None:
        """Raises SettingsError where heads could not be signed, or former ones not be verified."""
        public_keys()
        if not _signing_keys() and is_production():
            raise SettingsError("Settings in the environment: AUDIT_SIGNING_KEYS is not set.")

    def setup(self) -> None:
        """Reads the settings."""
        settings = read_settings(AuditSigningSettings)
        self._key = next(iter(_signing_keys()), None)
        self._file = settings.audit_head_file
        self._seconds_between = settings.audit_head_minutes * 60
        self._entries = settings.audit_head_entries
        self._published_at: float | None = None
        self._published = 0

    def get_dependency(self, worker_ctx: Any) -> "AuditHeads":
        """The same object for all workers."""
        return self

    def write_when_committed(self, session: Session, head: Head | None) -> None:
        """Writes a new head after its transaction has committed, for before it may be rolled back."""
        if head is not None and self._key is not None:
            event.listen(session, "after_commit", lambda _: self._write(head), once=True)

    def publish(self, session: Session) -> None:
        """Publishes the head, unless one was published recently and few entries were added since."""
        head = audit_log.head(session)
        if self._key is None:
            return
        event.listen(session, "after_commit", lambda _: _checked_at.set_to_current_time(), once=True)
        if head == START or not self._is_due(head):
            return
        if not self._is_published(session, head):
            stated = signed(head.position, head.hash, self._key)
            store_head(session, stated)
            self.write_when_committed(session, head)  # the process that appended may have been killed before writing
            data = AuditHeadSignedData(position=head.position, statement=stated.statement)
            publish(session, AUDIT_HEAD_SIGNED, data)
            event.listen(session, "after_commit", lambda _: _published.inc(), once=True)
        self._published_at, self._published = time.monotonic(), head.position

    def _is_due(self, head: Head) -> bool:
        """Whether this process last published long ago, or many entries were added since; it reads no table."""
        if self._published_at is None or time.monotonic() - self._published_at >= self._seconds_between:
            return True
        return head.position - self._published >= self._entries

    def _is_published(self, session: Session, head: Head) -> bool:
        """Whether exactly this head was published; the signature is verified, for others may write the table."""
        same = (audit_head.c.position == head.position) & (audit_head.c.hash == head.hash)
        statement = session.scalar(select(audit_head.c.statement).where(same))
        if self._key is None or statement is None:
            return False
        try:
            published = verified(statement, [self._key, *public_keys()])
        except NotSigned:
            return False
        return (published.position, published.hash) == (head.position, head.hash)

    def _write(self, head: Head) -> None:
        """Writes a signed head. Never fails: the entries are stored, and the next head covers them."""
        assert self._key is not None  # noqa: S101
        statement = signed(head.position, head.hash, self._key).statement
        if not self._file:
            log.info("audit_head", head=str(head), statement=statement)
            return
        try:
            file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, f"{head} {statement}\n".encode())
            finally:
                os.close(file)
        except OSError as error:
            log.error("audit_head_not_written", head=str(head), statement=statement, error=class_name(error))


def _signing_keys() -> Sequence[OKPKey]:
    return signing_keys(read_settings(AuditSigningSettings).audit_signing_keys, "AUDIT_SIGNING_KEYS", private=True)

"""Membership's link to the mutual-aid society: its queues, the check of its keys, and what it is sent."""

from typing import Any

import structlog
from sqlalchemy.orm import Session

from services.contracts.external import insurer
from services.contracts.external.insurer_keys import (
    check_insurer_keys,
    encrypted_for_insurer,
    insurer_key,
    is_connected,
)
from services.contracts.external.protection import CONTENT_TYPE, SIGNATURE_HEADER, sign
from services.contracts.external.queues import INSURER_QUEUES
from services.kit.events.outbox import to_json
from services.kit.external.link import ExternalLink
from services.kit.external.sending import send_body

log = structlog.get_logger()


class InsurerQueue(ExternalLink):
    """Declares the society's queues, whether it is connected or not: reports may come the moment that it is."""

    queues = INSURER_QUEUES

    def check_keys(self) -> None:
        """Raises SettingsError where only some of the keys are set."""
        check_insurer_keys()

    def setup(self) -> None:
        """Says whether the society is connected."""
        super().setup()
        log.info("insurer_connected" if is_connected() else "insurer_not_connected")


def send_to_insurer(session: Session, name: str, document: dict[str, Any]) -> None:
    """Sends a document, encrypted for the society and then signed, when the transaction commits."""
    send_signed(session, insurer.EXCHANGE, name, encrypted_for_insurer(to_json(document), name))


def send_signed(session: Session, exchange: str, name: str, body: bytes, headers: dict[str, Any] | None = None) -> None:
    """Sends an encrypted body with the signature of its bytes when the transaction commits."""
    signed = {SIGNATURE_HEADER: sign(body, insurer_key()), **(headers or {})}
    send_body(session, exchange, name, body, content_type=CONTENT_TYPE, headers=signed)

"""What the bank is sent, signed: submitted batches, and applicants recalled from them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.batching.models import Application, Batch
from services.batching.persons import facts_of
from services.common.contracts.bank import (
    EXCHANGE,
    RECALLED,
    SIGNATURE_HEADER,
    SUBMITTED,
    BankMessage,
    BatchRecalled,
    BatchSubmitted,
    sign,
)
from services.common.contracts.event import in_messages
from services.common.messaging.envelope import new_message_id
from services.common.messaging.outbox import send, to_json
from services.common.secret_values import Key
from services.common.settings import read_settings, settings_class


@settings_class
class BankSettings:
    """The key that the bank and we sign by."""

    bank_hmac_key: Key


def bank_key() -> bytes:
    """The key shared with the bank."""
    return read_settings(BankSettings).bank_hmac_key.encode()


def send_submitted(session: Session, batch: Batch, applications: Sequence[Application]) -> None:
    """Sends a batch to the bank, in parts; the bank's copy has whole document numbers."""
    parts = in_messages(applications)
    for number, part in enumerate(parts, 1):
        _send_signed(
            session,
            SUBMITTED,
            BatchSubmitted(),
            {
                "batch_no": batch.batch_no,
                "channel": batch.channel,
                "outlet_code": batch.outlet_code,
                "union_name": batch.union_name,
                "contact": {"name": batch.contact_name, "phone": batch.contact_phone},
                "total": batch.total,
                "part": number,
                "parts": len(parts),
                "applicants": [{**facts_of(one), "member_no": one.member_no} for one in part],
            },
        )


def send_recalled(session: Session, batch_no: str, applications: Sequence[Any]) -> None:
    """Tells the bank whose cards it must no longer make."""
    for part in in_messages(applications):
        applicants = [{"application_id": one.application_id, "member_no": one.member_no} for one in part]
        _send_signed(session, RECALLED, BatchRecalled(), {"batch_no": batch_no, "applicants": applicants})


def _send_signed(session: Session, name: str, schema: BankMessage, content: dict[str, Any]) -> None:
    body = to_json(schema.dump({"message_id": new_message_id(), **content}))
    send(session, EXCHANGE, name, body, {SIGNATURE_HEADER: sign(body, bank_key())})

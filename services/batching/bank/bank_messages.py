"""Messages to the bank, encrypted and signed: submitted batches, and recalls of applicants."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.batching.models import Application, Batch
from services.batching.pending.persons import facts_of
from services.contracts.external.bank import (
    EXCHANGE,
    RECALLED,
    SUBMITTED,
    BankMessage,
    BatchRecalled,
    BatchSubmitted,
)
from services.contracts.external.bank_keys import encrypted_for_bank
from services.contracts.external.protection import CONTENT_TYPE, SIGNATURE_HEADER, is_encrypted, sign
from services.kit.events.contract import in_chunks
from services.kit.events.envelope import new_message_id
from services.kit.events.outbox import to_json
from services.kit.external.sending import send_body
from services.kit.secret_values import Key
from services.kit.settings import read_settings, settings_class


@settings_class
class BankSettings:
    """The keys that sign messages to and from the bank, and how far the bank's clock may differ."""

    bank_hmac_key: Key
    bank_hmac_second_key: Key = Key("")
    """Feedback signed by it is taken too, while the key changes."""
    bank_clock_behind_seconds: int = 60
    """By how much `processed_at` may lie before the batch's submission: the bank's clock is not ours."""


def bank_key() -> bytes:
    """The key that signs our messages."""
    return read_settings(BankSettings).bank_hmac_key.encode()


def bank_keys() -> list[bytes]:
    """The keys that may have signed feedback."""
    settings = read_settings(BankSettings)
    return [key.encode() for key in (settings.bank_hmac_key, settings.bank_hmac_second_key) if key]


def send_submitted(
    session: Session, batch: Batch, applications: Sequence[Application], *, repeated: bool = False
) -> None:
    """Sends a batch to the bank, in parts; the bank's copy has whole document numbers."""
    parts = in_chunks(applications)
    for number, part in enumerate(parts, 1):
        _send_message(
            session,
            SUBMITTED,
            BatchSubmitted(),
            {
                "batch_no": batch.batch_no,
                "repeated": repeated,
                "channel": batch.channel,
                "outlet_code": batch.outlet_code,
                "union_name": batch.union_name,
                "contact": {"name": batch.contact_name, "phone": batch.contact_phone},
                "total": batch.total,
                "part": number,
                "parts": len(parts),
                "applicants": [{**vars(facts_of(one)), "member_no": one.member_no} for one in part],
            },
        )


def send_recalled(session: Session, batch_no: str, applications: Sequence[Any], *, repeated: bool = False) -> None:
    """Sends the bank a recall of applicants whose cards it must no longer make."""
    for part in in_chunks(applications):
        applicants = [{"application_id": one.application_id, "member_no": one.member_no} for one in part]
        content = {"batch_no": batch_no, "repeated": repeated, "applicants": applicants}
        _send_message(session, RECALLED, BatchRecalled(), content)


def send_to_bank(session: Session, name: str, document: dict[str, Any]) -> None:
    """Sends a document, encrypted for the bank and then signed, when the transaction commits."""
    send_signed(session, EXCHANGE, name, encrypted_for_bank(to_json(document), name))


def send_signed(session: Session, exchange: str, name: str, body: bytes, headers: dict[str, Any] | None = None) -> None:
    """Sends a body, encrypted or not, with the signature of its bytes, when the transaction commits."""
    signed = {SIGNATURE_HEADER: sign(body, bank_key()), **(headers or {})}
    content_type = CONTENT_TYPE if is_encrypted(body) else "application/json"
    send_body(session, exchange, name, body, content_type=content_type, headers=signed)


def _send_message(session: Session, name: str, schema: BankMessage, content: dict[str, Any]) -> None:
    send_to_bank(session, name, schema.dump({"message_id": new_message_id(), **content}))

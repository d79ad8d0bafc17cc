"""What the simulated bank does with unreadable messages."""

from types import SimpleNamespace
from typing import Any

import pytest

from deploy.simulators.bank_keys import Keys
from deploy.simulators.bank_link import BatchReader
from services.contracts import bank
from services.contracts.external_messages import SIGNATURE_HEADER, encrypt, read_keys, sign
from services.kit.key_sets import new_encryption_keys

KEY = b"the key that both sides sign by"
OURS, ANOTHER = (read_keys(new_encryption_keys(kid), private=True) for kid in ("bank-2026", "bank-2027"))


@pytest.mark.parametrize(
    ("encrypted_for", "encrypted_as", "signed_by", "settled"),
    [
        (ANOTHER, bank.SUBMITTED, KEY, []),
        (OURS, bank.RECALLED, KEY, ["reject"]),
        (ANOTHER, bank.RECALLED, KEY, ["reject"]),
        (ANOTHER, bank.SUBMITTED, b"a stranger's", ["reject"]),
    ],
    ids=["a key is missing", "sent again as another", "another, and the key is missing", "badly signed"],
)
def test_only_what_our_partner_did_not_send_so_is_destroyed(
    encrypted_for: Any, encrypted_as: str, signed_by: bytes, settled: list[str]
) -> None:
    body, done = encrypt(b"{}", encrypted_as, encrypted_for[0]), []
    ledger: Any = SimpleNamespace(store_batch=1, store_recall=1, store_receipts=1)
    reader: Any = BatchReader("memory://", Keys([KEY], OURS), ledger)
    headers = {SIGNATURE_HEADER: sign(body, signed_by)}
    delivery = {"routing_key": bank.SUBMITTED}
    reader._receive(
        SimpleNamespace(body=body, headers=headers, delivery_info=delivery, reject=lambda: done.append("reject"))
    )
    assert done == settled

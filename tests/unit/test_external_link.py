"""What a simulated outside party does with unreadable messages."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from deploy.simulators import bank as simulated_bank
from deploy.simulators import insurer as simulated_insurer
from deploy.simulators.external_keys import Keys
from deploy.simulators.external_link import ExternalReader
from services.contracts.external import bank, insurer
from services.contracts.external.protection import SIGNATURE_HEADER, encrypt, read_keys, sign
from services.kit.key_sets import new_encryption_keys
from services.kit.settings import SettingsError

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
    handlers: Any = {bank.SUBMITTED: None, bank.RECALLED: None, insurer.ELIGIBLE: None}
    reader: Any = ExternalReader("memory://", Keys([KEY], OURS), [bank.BATCHES_QUEUE], handlers)
    headers = {SIGNATURE_HEADER: sign(body, signed_by)}
    delivery = {"routing_key": bank.SUBMITTED}
    reader._receive(
        SimpleNamespace(body=body, headers=headers, delivery_info=delivery, reject=lambda: done.append("reject"))
    )
    assert done == settled


@pytest.mark.parametrize("party", [simulated_bank, simulated_insurer], ids=["bank", "insurer"])
def test_a_party_reads_by_two_signing_keys_while_one_changes_and_signs_by_the_first(
    party: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = party.KEYS
    for variable, value in ((names.shared, "new"), (names.second, "old"), (names.own, new_encryption_keys("own"))):
        monkeypatch.setenv(variable, value)
    keys = Keys.from_environment(names)

    for key in (b"new", b"old"):
        assert keys.decrypted(b'{"a": 1}', "any", sign(b'{"a": 1}', key)) == {"a": 1}
    assert keys.signed(b"body").headers == {SIGNATURE_HEADER: sign(b"body", b"new")}
    monkeypatch.delenv(names.shared)
    with pytest.raises(SettingsError, match=f"{names.shared} is not set"):
        Keys.from_environment(names)

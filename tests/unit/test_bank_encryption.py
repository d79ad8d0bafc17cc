"""Encryption of bank messages: for one reader and one kind of message, by strong algorithms; all else is refused."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from joserfc import jwe
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from services.contracts.external import bank_keys
from services.contracts.external.bank_keys import check_bank_keys, clear_text
from services.contracts.external.protection import (
    CannotDecrypt,
    PublicOrPrivate,
    decrypt,
    encrypt,
    is_encrypted,
    read_keys,
)
from services.kit.key_sets import new_encryption_keys, public_part
from services.kit.secret_values import DEMO_MARK, KeySet, weaknesses
from services.kit.settings import SettingsError, read_settings

BODY = '{"batch_no": "1", "applicants": [{"name": "王𬎆"}]}'.encode()
OTHERS = [new_encryption_keys(kid) for kid in ("bank-2025", "bank-2026")]
[BANK] = read_keys(OTHERS[1], private=True)
CRAFTED: dict[str, tuple[dict[str, object], PublicOrPrivate | OctKey]] = {
    "dir": ({"alg": "dir", "enc": "A256GCM"}, OctKey.generate_key(256)),
    "RSA1_5": ({"alg": "RSA1_5", "enc": "A256GCM"}, RSAKey.generate_key(2048)),
    "PBES2": (
        {"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 1000},
        OctKey.import_key("a password of some length"),
    ),
    "A128CBC": ({"alg": "ECDH-ES+A256KW", "enc": "A128CBC-HS256"}, BANK),
    "ECDH-ES": ({"alg": "ECDH-ES", "enc": "A256GCM"}, BANK),
    "compressed": ({"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "zip": "DEF"}, BANK),
}
"""What a stranger may send for the bank's key."""


def crafted(header: dict[str, object], key: PublicOrPrivate | OctKey) -> bytes:
    algorithms = [str(header[name]) for name in ("alg", "enc", "zip") if name in header]
    protected = {**header, "kid": BANK.kid, "typ": "batch.submitted"}
    registry = JWERegistry(algorithms=algorithms, strict_check_header=False)
    return jwe.encrypt_compact(protected, BODY, key, registry=registry).encode()


@pytest.mark.parametrize(
    "key",
    [
        ECKey.generate_key("P-256", {"kid": "k"}),
        ECKey.generate_key("P-521", {"kid": "k"}),
        OKPKey.generate_key("X25519", {"kid": "k"}),
        RSAKey.generate_key(2048, {"kid": "k"}),
    ],
    ids=lambda key: f"{key.key_type}-{key.as_dict(private=False).get('crv', '')}",
)
def test_the_holder_of_a_key_reads_what_is_encrypted_for_it(key: PublicOrPrivate) -> None:
    [public] = read_keys(json.dumps(key.as_dict(private=False)), private=False)

    sent = encrypt(BODY, "batch.submitted", public)

    assert is_encrypted(sent)
    assert not is_encrypted(BODY)
    assert decrypt(sent, "batch.submitted", [key]) == BODY
    assert encrypt(BODY, "batch.submitted", public) != sent, "two of the same are not known by their bytes"


def test_while_a_key_changes_either_reads() -> None:
    keys = [read_keys(one, private=True)[0] for one in OTHERS]
    for key in keys:
        assert decrypt(encrypt(BODY, "batch.submitted", key), "batch.submitted", keys) == BODY


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize(
    "change", [lambda text: text[::-1], lambda text: text[:-2], lambda text: b"", lambda text: b"!"]
)
def test_what_was_changed_is_refused(part: int, change: Callable[[bytes], bytes]) -> None:
    parts = encrypt(BODY, "batch.submitted", BANK).split(b".")
    parts[part] = change(parts[part])
    with pytest.raises(CannotDecrypt):
        decrypt(b".".join(parts), "batch.submitted", [BANK])


@pytest.mark.parametrize("name", CRAFTED)
@pytest.mark.filterwarnings("ignore:JWE algorithm")
def test_no_other_algorithm_is_taken(name: str) -> None:
    with pytest.raises(CannotDecrypt):
        decrypt(crafted(*CRAFTED[name]), "batch.submitted", [BANK])


def test_a_message_is_not_taken_for_another_or_by_another_key() -> None:
    sent = encrypt(BODY, "batch.submitted", BANK)
    with pytest.raises(CannotDecrypt, match="another message"):
        decrypt(sent, "batch.recalled", [BANK])
    with pytest.raises(CannotDecrypt, match="another key"):
        decrypt(sent, "batch.submitted", read_keys(OTHERS[0], private=True))


def test_names_given_twice_in_the_header_are_refused() -> None:
    header = b'{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"bank-2025","kid":"bank-2026","typ":"batch.submitted"}'
    sent = encrypt(BODY, "batch.submitted", BANK).split(b".")
    with pytest.raises(CannotDecrypt, match="no JWE"):
        decrypt(b".".join([base64.urlsafe_b64encode(header).rstrip(b"="), *sent[1:]]), "batch.submitted", [BANK])


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"kty":"EC","kid":"a","kid":"b"}',
        json.dumps({"keys": [json.loads(one)["keys"][0] | {"kid": "same"} for one in OTHERS]}),
        json.dumps(json.loads(OTHERS[0])["keys"][0] | {"kid": ""}),
        json.dumps(json.loads(OTHERS[0])["keys"][0] | {"use": "sig"}),
        public_part(OTHERS[0]),
        json.dumps(OKPKey.generate_key("Ed25519", {"kid": "signs"}).as_dict(private=True)),
        json.dumps(ECKey.generate_key("secp256k1", {"kid": "coins"}).as_dict(private=True)),
        json.dumps(OctKey.generate_key(256, {"kid": "shared"}).as_dict(private=True)),
    ],
    ids=range(10),
)
def test_keys_that_are_unfit_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_keys(text, private=True)


@pytest.mark.filterwarnings("ignore:Key size")
def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        read_keys(json.dumps(RSAKey.generate_key(1024, {"kid": "short"}).as_dict(private=True)), private=True)


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("ENVIRONMENT", "production")
    for name in ("BANK_PUBLIC_KEYS", "UNION_PRIVATE_KEYS", "BANK_CLEAR_TEXT"):
        monkeypatch.delenv(name, raising=False)
    read_settings.cache_clear()
    monkeypatch.setattr(bank_keys, "read_settings", read_settings.__wrapped__)
    return monkeypatch


def test_production_sends_no_clear_text_unless_it_is_told_that_this_is_agreed(production: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="BANK_CLEAR_TEXT=all"):
        check_bank_keys()
    with pytest.raises(SettingsError, match="BANK_CLEAR_TEXT=all"):
        bank_keys.encrypted_for_bank(BODY, "batch.submitted")
    production.setenv("BANK_CLEAR_TEXT", "all")
    check_bank_keys()
    assert bank_keys.encrypted_for_bank(BODY, "batch.submitted") == BODY
    production.setenv("BANK_CLEAR_TEXT", "perhaps")
    with pytest.raises(SettingsError, match="BANK_CLEAR_TEXT is none of"):
        check_bank_keys()


def test_with_keys_production_encrypts_and_wants_all_encrypted(production: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "private").write_text(new_encryption_keys("union-2026"))
    production.setenv("UNION_PRIVATE_KEYS_FILE", str(tmp_path / "private"))
    production.setenv("BANK_PUBLIC_KEYS", public_part(OTHERS[1]))

    check_bank_keys()

    assert clear_text() == "no"
    assert decrypt(bank_keys.encrypted_for_bank(BODY, "batch.submitted"), "batch.submitted", [BANK]) == BODY
    assert bank_keys.decrypted(bank_keys.encrypted_for_us(BODY, "bank.feedback"), "bank.feedback") == BODY


def test_a_public_key_does_not_do_for_a_private_one(production: pytest.MonkeyPatch) -> None:
    production.setenv("BANK_PUBLIC_KEYS", public_part(OTHERS[1]))
    production.setenv("UNION_PRIVATE_KEYS", public_part(OTHERS[0]))
    with pytest.raises(SettingsError, match="UNION_PRIVATE_KEYS cannot be read: A key lacks its private part"):
        check_bank_keys()


def test_the_demos_keys_are_known_by_their_kid_and_one_key_is_for_one_purpose() -> None:
    demo, ours = KeySet(new_encryption_keys(f"{DEMO_MARK}-bank")), KeySet(OTHERS[0])
    assert weaknesses([("UNION_PRIVATE_KEYS", demo)]) == ["UNION_PRIVATE_KEYS is a secret of the demo"]
    assert weaknesses([("A", ours), ("B", ours)]) == ["B is the same secret as A"]

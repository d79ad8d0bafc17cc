"""The keys that encrypt messages between batching and the bank, and whether clear text is allowed."""

from collections.abc import Sequence

from services.contracts.external.protection import (
    CannotDecrypt,
    PublicOrPrivate,
    decrypt,
    encrypt,
    is_encrypted,
    keys_of_setting,
)
from services.kit.secret_values import KeySet
from services.kit.settings import SettingsError, is_production, read_settings, settings_class

__all__ = ["CannotDecrypt", "check_bank_keys", "clear_text", "decrypted", "encrypted_for_bank", "encrypted_for_us"]

CLEAR_TEXT = ("no", "feedback", "all")


@settings_class
class BankEncryptionSettings:
    """The encryption of messages between batching and the bank."""

    bank_public_keys: KeySet = KeySet("")
    """The bank's public keys, a JWK Set: the first one encrypts what the bank is sent."""
    union_private_keys: KeySet = KeySet("")
    """Our own private keys, a JWK Set: feedback that is encrypted for any of them is read, and the first one encrypts
    what waits for operators."""
    bank_clear_text: str = ""
    """What may go unencrypted: `no`, `feedback` (the bank's, while it changes over), `all` (where the contract with the
    bank says so). Unless set `no` in production, elsewhere `feedback`, without keys `all`."""


def check_bank_keys() -> None:
    """Raises SettingsError where keys are missing or cannot be read."""
    _keys("UNION_PRIVATE_KEYS")
    _keys("BANK_PUBLIC_KEYS")
    if clear_text() != "all" and not (_keys("UNION_PRIVATE_KEYS") and _keys("BANK_PUBLIC_KEYS")):
        raise SettingsError(
            "Settings in the environment: BANK_PUBLIC_KEYS and UNION_PRIVATE_KEYS are not both set; without them"
            " persons go to the bank in clear text, which BANK_CLEAR_TEXT=all allows where the contract says so."
        )


def clear_text() -> str:
    """Which messages may be unencrypted. Raises SettingsError for a value that is not in CLEAR_TEXT."""
    settings = read_settings(BankEncryptionSettings)
    if settings.bank_clear_text:
        if settings.bank_clear_text not in CLEAR_TEXT:
            raise SettingsError(f"BANK_CLEAR_TEXT is none of {', '.join(CLEAR_TEXT)}.")
        return str(settings.bank_clear_text)
    if is_production():
        return "no"
    return "feedback" if settings.bank_public_keys else "all"


def encrypted_for_bank(body: bytes, message: str) -> bytes:
    """The body encrypted for the bank, or clear where that is agreed. Raises SettingsError without a key."""
    if clear_text() == "all":
        return body
    check_bank_keys()
    return encrypt(body, message, _keys("BANK_PUBLIC_KEYS")[0])


def encrypted_for_us(body: bytes, message: str) -> bytes:
    """A message of the bank, or a part of one, encrypted for ourselves; clear where we have no key."""
    keys = _keys("UNION_PRIVATE_KEYS")
    return encrypt(body, message, keys[0]) if keys and clear_text() != "all" else body


def decrypted(body: bytes, message: str) -> bytes:
    """The decrypted body of a message for us; a clear one unchanged. Raises CannotDecrypt."""
    return decrypt(body, message, _keys("UNION_PRIVATE_KEYS")) if is_encrypted(body) else body


def _keys(variable: str) -> Sequence[PublicOrPrivate]:
    settings = read_settings(BankEncryptionSettings)
    return keys_of_setting(getattr(settings, variable.lower()), variable, variable.startswith("UNION_"))

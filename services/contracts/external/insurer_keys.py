"""The keys of messages between membership and the mutual-aid society; without them it is not connected."""

from collections.abc import Sequence

from services.contracts.external.protection import PublicOrPrivate, decrypt, encrypt, is_encrypted, keys_of_setting
from services.kit.secret_values import Key, KeySet
from services.kit.settings import SettingsError, read_settings, settings_class


@settings_class
class InsurerSettings:
    """The connection to the mutual-aid society: the first three are set together, or none of them."""

    insurer_hmac_key: Key = Key("")
    """Signs messages to and from the society. Unless set, it is not connected: nothing is sent, and reports are
    rejected."""
    insurer_public_keys: KeySet = KeySet("")
    """The society's public keys, a JWK Set: the first one encrypts what the society is sent."""
    enrolment_private_keys: KeySet = KeySet("")
    """Our own private keys, a JWK Set: reports that are encrypted for any of them are read, and the first one encrypts
    what waits for operators."""
    insurer_hmac_second_key: Key = Key("")
    """Reports signed by it are taken too, while the key changes."""


def is_connected() -> bool:
    """Whether the society is connected."""
    return bool(read_settings(InsurerSettings).insurer_hmac_key)


def check_insurer_keys() -> None:
    """Raises SettingsError where some of the keys are missing, or cannot be read."""
    keys = [is_connected(), *(bool(_keys(name)) for name in ("INSURER_PUBLIC_KEYS", "ENROLMENT_PRIVATE_KEYS"))]
    if any(keys) and not all(keys):
        raise SettingsError(
            "Settings in the environment: of INSURER_HMAC_KEY, INSURER_PUBLIC_KEYS and ENROLMENT_PRIVATE_KEYS some are"
            " set; the mutual-aid society is connected with all three, or with none."
        )


def insurer_key() -> bytes:
    """The key that signs our messages."""
    key: str = read_settings(InsurerSettings).insurer_hmac_key
    return key.encode()


def insurer_keys() -> list[bytes]:
    """The keys that may have signed a report; none where the society is not connected."""
    settings = read_settings(InsurerSettings)
    both = (settings.insurer_hmac_key, settings.insurer_hmac_second_key) if settings.insurer_hmac_key else ()
    return [key.encode() for key in both if key]


def encrypted_for_insurer(body: bytes, message: str) -> bytes:
    """The body encrypted for the society. Raises SettingsError without a key."""
    check_insurer_keys()
    return encrypt(body, message, _keys("INSURER_PUBLIC_KEYS")[0])


def encrypted_for_us(body: bytes, message: str) -> bytes:
    """A message of the society, or a part of one, encrypted for ourselves. Raises SettingsError without a key."""
    check_insurer_keys()
    return encrypt(body, message, _keys("ENROLMENT_PRIVATE_KEYS")[0])


def decrypted(body: bytes, message: str) -> bytes:
    """The decrypted body of a message for us; a clear one unchanged. Raises CannotDecrypt."""
    return decrypt(body, message, _keys("ENROLMENT_PRIVATE_KEYS")) if is_encrypted(body) else body


def _keys(variable: str) -> Sequence[PublicOrPrivate]:
    settings = read_settings(InsurerSettings)
    return keys_of_setting(getattr(settings, variable.lower()), variable, variable.startswith("ENROLMENT_"))

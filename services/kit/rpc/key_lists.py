"""Keys of 32 bytes with ids, as `k2:base64,k1:base64` or one a line: the form of the keys that protect requests."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from services.kit.settings import SettingsError

DEMO_ID = "demo"
"""The prefix of the ids of demo keys, by which their public keys are recognized."""
KeyT = TypeVar("KeyT")

_KEY_BYTES = 32
_PLAIN_ID = "[A-Za-z0-9]+"


def read_keys(variable: str, text: str, of_bytes: Callable[[bytes], KeyT], id_form: str = _PLAIN_ID) -> dict[str, KeyT]:
    """Keys by their ids, in order; ids match the regular expression `id_form`. Raises SettingsError."""
    keys = {}
    for key_id, encoded in _parts(text).items():
        try:
            raw = base64.b64decode(encoded, validate=True)
            if not re.fullmatch(id_form, key_id) or len(raw) != _KEY_BYTES:
                raise ValueError
            keys[key_id] = of_bytes(raw)
        except ValueError:
            raise SettingsError(f"{variable} is not of the form id:base64,id:base64 with keys of 32 bytes.") from None
    return keys


def write_keys(keys: Mapping[str, bytes]) -> str:
    """Keys in the form that `read_keys` reads."""
    return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in keys.items())


def key_ids(text: str) -> list[str]:
    """The ids of keys, which need not be valid."""
    return list(_parts(text))


def _parts(text: str) -> dict[str, str]:
    parts = (part.strip().partition(":") for part in text.replace("\n", ",").split(",") if part.strip())
    return {key_id: encoded for key_id, _, encoded in parts}

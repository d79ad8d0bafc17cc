"""The committed examples of all messages, one JSON file each beside this module.

In a file an encrypted value is written decrypted as {"sealed": value}, so that it can be read and compared;
`wire_example` returns the data with encrypted values.
"""

import json
from pathlib import Path
from typing import Any

from services.kit.data.encryption import keyring
from services.kit.events.contract import EventContract

FOLDER = Path(__file__).parent / "examples"


def readable_example(name: str) -> dict[str, Any]:
    """The example of an event type or bank message as committed, with decrypted values."""
    example: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return example


def wire_example(contract: EventContract[Any]) -> dict[str, Any]:
    """The example of an event's data on the wire, encrypted with this process's key."""
    return on_the_wire(readable_example(contract.type))


def on_the_wire(readable: dict[str, Any]) -> dict[str, Any]:
    """A readable example with its values encrypted with this process's key."""
    wire: dict[str, Any] = _encrypted(readable)
    return wire


def decrypted(wire: Any) -> Any:
    """Data from the wire with decrypted values, in the form of the committed examples."""
    if isinstance(wire, dict):
        return {name: decrypted(value) for name, value in wire.items()}
    if isinstance(wire, list):
        return [decrypted(value) for value in wire]
    if isinstance(wire, str) and wire.startswith("v1."):
        return {"sealed": json.loads(keyring().decrypt_token(wire))}
    return wire


def _encrypted(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"sealed"}:
            return keyring().encrypt_token(json.dumps(value["sealed"], ensure_ascii=False, separators=(",", ":")))
        return {name: _encrypted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_encrypted(inner) for inner in value]
    return value

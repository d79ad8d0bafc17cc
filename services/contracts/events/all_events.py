"""All events, by type."""

from typing import Any

from services.contracts.events import batching, membership, notification, revocation, validation
from services.kit.events.contract import EventContract

EVENTS: dict[str, EventContract[Any]] = {
    contract.type: contract
    for module in (membership, validation, batching, revocation, notification)
    for contract in module.EVENTS
}

"""All events there are, by their type."""

from services.common.contracts import batching, membership, notification, revocation, validation
from services.common.contracts.event import EventContract

EVENTS: dict[str, EventContract] = {
    contract.type: contract
    for module in (membership, validation, batching, revocation, notification)
    for contract in module.EVENTS
}

"""Live updates by event: which events make one, who receives them, and which facts they carry."""

from collections.abc import Callable
from dataclasses import fields, make_dataclass, replace
from typing import Any, get_type_hints

from gateway.stream import Audience, LiveUpdate
from services.contracts.events import batching, membership, notification, revocation
from services.kit.events.contract import EncryptedField, EventContract, EventData
from services.kit.events.envelope import Event

Data = Any
"""The data of one of these events: a dataclass of its unencrypted fields."""

Facts = dict[str, Any]
"""The facts of a live update: JSON values by name."""


def live_update_of(event: Event) -> LiveUpdate:
    """Returns the live update for an event of STREAMED."""
    contract, audiences, facts = _STREAMED[event.type]
    return LiveUpdate(contract.name, facts(event.data), audiences(event.data))


def _its_union(data: Data) -> tuple[Audience, ...]:
    return (Audience(str(data.union_id)),)


def _nested_union(data: Data) -> tuple[Audience, ...]:
    return (Audience(str(data.union.union_id)),)


def _both_unions_of_a_card(data: Data) -> tuple[Audience, ...]:
    return (Audience(str(data.union_id)), Audience(str(data.issued_union_id)))


def _both_unions_of_a_transfer(data: Data) -> tuple[Audience, ...]:
    return (Audience(str(data.from_union_id)), Audience(str(data.union.union_id)))


def _union_and_reviewers(data: Data) -> tuple[Audience, ...]:
    union_id = data.union.union_id if hasattr(data, "union") else data.union_id
    return (Audience(str(union_id)), Audience(str(data.reviewer_union_id), "reviewer"))


def _its_role(data: Data) -> tuple[Audience, ...]:
    account_id = data.account_id
    return (Audience(str(data.union_id), data.role, str(account_id) if account_id else None),)


def _of_members(data: Data) -> Facts:
    return {"count": len(data.members)}


def _of_applications(data: Data) -> Facts:
    return {"count": len(data.applications)}


def _of_cards(data: Data) -> Facts:
    return {"count": len(data.cards)}


def _of_batch(data: Data) -> Facts:
    return {"batch_no": data.batch_no, "count": len(data.applications)}


def _facts(*names: str) -> Callable[[Data], Facts]:
    return lambda data: {name: getattr(data, name) for name in names}


_STREAMED = {
    contract.type: (contract, audiences, facts)
    for contract, audiences, facts in (
        (membership.MEMBER_REGISTERED, _its_union, _of_members),
        (membership.MEMBER_NUMBERED, _its_union, _of_members),
        (membership.MEMBERS_QUEUED, _nested_union, _of_applications),
        (membership.APPLICATION_CANCELLED, _both_unions_of_a_card, _facts("application_id")),
        (
            membership.IMPORT_PROGRESSED,
            _its_union,
            _facts("import_id", "state", "rows_total", "rows_read", "rows_accepted", "rows_rejected"),
        ),
        (membership.MEMBER_TRANSFERRED, _both_unions_of_a_transfer, _facts("transfer_id")),
        (batching.PENDING_CHANGED, _its_union, _facts("reason", "count")),
        (batching.MEMBERS_REMOVED, _its_union, _of_applications),
        (batching.BATCH_SUBMITTED, _nested_union, _of_batch),
        (batching.CARDS_ISSUED, _its_union, _of_batch),
        (batching.CARDS_REFUSED, _its_union, _of_batch),
        (batching.BATCH_RELEASED, _its_union, _of_batch),
        (batching.CARDS_CHANGED, _its_union, _of_cards),
        (revocation.REVOCATION_REQUESTED, _union_and_reviewers, _facts("revocation_id", "batch_no")),
        (revocation.REVOCATION_APPROVED, _union_and_reviewers, _facts("revocation_id", "batch_no")),
        (revocation.REVOCATION_REJECTED, _union_and_reviewers, _facts("revocation_id", "batch_no")),
        (revocation.REVOCATION_CLOSED, _union_and_reviewers, _facts("revocation_id", "batch_no")),
        (notification.MESSAGE_POSTED, _its_role, _facts("message_id", "kind")),
    )
}


def _without_encrypted(contract: EventContract) -> EventContract:
    """Returns the event's contract without its encrypted fields: the gateway has no key to personal data."""
    hints = get_type_hints(contract.data, include_extras=True)
    made = contract.schema._declared_fields
    unencrypted_fields = [
        (one.name, hints[one.name], one)
        for one in fields(contract.data)
        if not isinstance(made[one.name], EncryptedField)
    ]
    data = make_dataclass(
        f"Open{contract.data.__name__}", unencrypted_fields, bases=(EventData,), frozen=True, kw_only=True
    )
    return replace(contract, data=data)


STREAMED = tuple(_without_encrypted(contract) for contract, _, _ in _STREAMED.values())
"""The events that the gateway subscribes to."""

"""The queues by which services and outside parties exchange messages: one table of names for each party."""

from dataclasses import dataclass

import amqp

from services.contracts.external import bank, insurer
from services.kit.amqp.queues import bind, declare_exchange, declare_quorum_queue, declare_working_queue, rejected_queue
from services.kit.system import ExternalQueues

_RECEIPTS_BYTES = 256 << 20
"""Largest size of waiting receipts; beyond it the oldest are dropped, so that a party that reads none cannot fill the
broker. Who misses a receipt sends the message again."""


@dataclass(frozen=True, kw_only=True)
class _Names:
    """The names of a party's exchanges, queues and binding keys: what it reads, its receipts, and what it sends."""

    exchange: str
    outgoing: str
    outgoing_key: str
    receipts: str
    receipt_key: str
    incoming_exchange: str
    incoming: str

    def declare(self, channel: amqp.Channel) -> None:
        """Declares the exchange and queues that the party reads, and an exchange for the party alone that leads to the
        queue which our service reads.
        """
        declare_exchange(channel, self.exchange)
        declare_quorum_queue(channel, self.outgoing, {})
        bind(channel, self.outgoing, self.exchange, self.outgoing_key)
        bounds = {"x-max-length-bytes": _RECEIPTS_BYTES, "x-overflow": "drop-head"}
        declare_quorum_queue(channel, self.receipts, bounds)
        bind(channel, self.receipts, self.exchange, self.receipt_key)
        declare_exchange(channel, self.incoming_exchange)
        declare_working_queue(channel, self.incoming, rejected_queue(self.incoming))
        bind(channel, self.incoming, self.incoming_exchange, self.incoming)


def _queues(prefix: str, owner: str, names: _Names) -> ExternalQueues:
    rejected = rejected_queue(names.incoming)
    return ExternalQueues(
        prefix=prefix,
        owner=owner,
        queues=(names.outgoing, names.receipts, names.incoming, rejected),
        needed=(names.outgoing, names.incoming, rejected),
        consumed=(names.incoming,),
        rejected=rejected,
        exchanges=(names.exchange, names.incoming_exchange),
        declare=names.declare,
    )


BANK_QUEUES = _queues(
    "bank",
    "batching",
    _Names(
        exchange=bank.EXCHANGE,
        outgoing=bank.BATCHES_QUEUE,
        outgoing_key=bank.BATCH_MESSAGES,
        receipts=bank.RECEIPTS_QUEUE,
        receipt_key=bank.RECEIPT,
        incoming_exchange=bank.FEEDBACK_EXCHANGE,
        incoming=bank.FEEDBACK_QUEUE,
    ),
)
INSURER_QUEUES = _queues(
    "insurer",
    "membership",
    _Names(
        exchange=insurer.EXCHANGE,
        outgoing=insurer.MEMBERS_QUEUE,
        outgoing_key=insurer.ELIGIBLE,
        receipts=insurer.RECEIPTS_QUEUE,
        receipt_key=insurer.RECEIPT,
        incoming_exchange=insurer.ENROLMENTS_EXCHANGE,
        incoming=insurer.ENROLMENTS_QUEUE,
    ),
)
EXTERNAL_QUEUES = (BANK_QUEUES, INSURER_QUEUES)
"""Those of all outside parties."""
